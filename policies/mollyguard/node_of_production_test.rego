package mollyguard_test

import data.mollyguard

test_node_of_production_fires_on_a_node_with_production if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "nodes"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "scheduled", "count": 4, "production": 3, "names": []}]}
	v.policy == "node-of-production"
	v.severity == "medium"
	v.message == "production runs on it that no PodDisruptionBudget covers: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_node_of_production_leaves_an_idle_node_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "nodes"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "scheduled", "count": 4, "production": 0, "names": []}]}
	not "node-of-production" in policies
}

test_node_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "", "resource": "nodes"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "scheduled", "count": 4, "production": 3, "names": []}]}
	not "node-of-production" in policies
}
