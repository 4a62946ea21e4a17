package mollyguard_test

import data.mollyguard

test_production_scale_to_zero_fires_on_production if {
	some v in mollyguard.violation with input as {"verb": "scale-to-zero", "production": {"is": true}}
	v.policy == "production-scale-to-zero"
	v.severity == "high"
	v.message != ""
	v.break_glass == {"approvals": 1}
}

test_production_scale_to_zero_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "scale-to-zero", "production": {"is": false}}
	not "production-scale-to-zero" in policies
}

test_production_scale_to_zero_leaves_updates_of_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "production": {"is": true}}
	not "production-scale-to-zero" in policies
}

test_production_scale_to_zero_leaves_autoscalers_to_their_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "scale-to-zero", "production": {"is": true, "target": false}, "target": {"group": "keda.sh", "resource": "scaledobjects"}, "dependents": [{"kind": "Deployment", "via": "scaled", "count": 1, "production": 1, "names": []}]}
	"autoscaler-of-production" in policies
	not "production-scale-to-zero" in policies
}

test_production_scale_to_zero_speaks_for_what_is_left_over if {
	some v in mollyguard.violation with input as {"verb": "scale-to-zero", "production": {"is": true, "target": false}, "target": {"group": "apps", "resource": "deployments"}, "dependents": [{"kind": "Pod", "via": "owned", "count": 1, "production": 1, "names": []}]}
	v.policy == "production-scale-to-zero"
	v.message == "what production depends on must not be scaled to zero"
}

test_production_scale_to_zero_leaves_what_is_of_mollyguard_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "scale-to-zero", "target": {"own": true}, "production": {"is": true, "target": true}}
	"guard-weakened" in policies
	not "production-scale-to-zero" in policies
}
