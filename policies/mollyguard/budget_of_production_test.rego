package mollyguard_test

import data.mollyguard

test_budget_of_production_fires_on_a_deleted_budget if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "policy", "resource": "poddisruptionbudgets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	v.policy == "budget-of-production"
	v.severity == "high"
	v.message == "production loses its protection from disruptions: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_budget_of_production_fires_on_one_that_is_loosened if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"group": "policy", "resource": "poddisruptionbudgets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	v.policy == "budget-of-production"
	v.severity == "high"
	v.message == "production loses its protection from disruptions: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_budget_of_production_leaves_a_budget_of_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "policy", "resource": "poddisruptionbudgets"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 0, "names": []}]}
	not "budget-of-production" in policies
}

test_budget_of_production_leaves_production_itself_to_production_delete if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "policy", "resource": "poddisruptionbudgets"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	not "budget-of-production" in policies
	"production-delete" in policies
}

test_budget_of_production_leaves_a_service_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "services"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	not "budget-of-production" in policies
}

test_budget_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "policy", "resource": "poddisruptionbudgets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}]}
	not "budget-of-production" in policies
}
