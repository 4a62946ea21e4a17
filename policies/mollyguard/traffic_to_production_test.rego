package mollyguard_test

import data.mollyguard

test_traffic_to_production_fires_on_a_deleted_service if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "services"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	v.policy == "traffic-to-production"
	v.severity == "high"
	v.message == "production gets its traffic through it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_traffic_to_production_fires_on_an_ingress_that_leads_nowhere if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"group": "networking.k8s.io", "resource": "ingresses"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	v.policy == "traffic-to-production"
	v.severity == "high"
	v.message == "production gets its traffic through it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_traffic_to_production_leaves_a_service_of_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "services"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 0, "names": []}]}
	not "traffic-to-production" in policies
}

test_traffic_to_production_leaves_production_itself_to_production_delete if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "services"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	not "traffic-to-production" in policies
	"production-delete" in policies
}

test_traffic_to_production_leaves_a_budget_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "policy", "resource": "poddisruptionbudgets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	not "traffic-to-production" in policies
}

test_traffic_to_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "", "resource": "services"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	not "traffic-to-production" in policies
}
