package mollyguard_test

import data.mollyguard

test_autoscaler_of_production_fires_on_one_that_scales_to_zero if {
	some v in mollyguard.violation with input as {"verb": "scale-to-zero", "target": {"group": "autoscaling", "resource": "horizontalpodautoscalers"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Deployment", "via": "scaled", "count": 1, "production": 1, "names": []}]}
	v.policy == "autoscaler-of-production"
	v.severity == "high"
	v.message == "it scales production: 1 Deployment"
	v.break_glass == {"approvals": 1}
}

test_autoscaler_of_production_fires_on_one_that_guards_less if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"group": "autoscaling", "resource": "horizontalpodautoscalers"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Deployment", "via": "scaled", "count": 1, "production": 1, "names": []}]}
	v.policy == "autoscaler-of-production"
	v.severity == "high"
	v.message == "it scales production: 1 Deployment"
	v.break_glass == {"approvals": 1}
}

test_autoscaler_of_production_leaves_one_of_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "scale-to-zero", "target": {"group": "autoscaling", "resource": "horizontalpodautoscalers"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Deployment", "via": "scaled", "count": 4, "production": 0, "names": []}]}
	not "autoscaler-of-production" in policies
}

test_autoscaler_of_production_leaves_a_delete_to_production_delete if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "autoscaling", "resource": "horizontalpodautoscalers"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Deployment", "via": "scaled", "count": 1, "production": 1, "names": []}]}
	not "autoscaler-of-production" in policies
	"production-delete" in policies
}

test_autoscaler_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "autoscaling", "resource": "horizontalpodautoscalers"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Deployment", "via": "scaled", "count": 1, "production": 1, "names": []}]}
	not "autoscaler-of-production" in policies
}
