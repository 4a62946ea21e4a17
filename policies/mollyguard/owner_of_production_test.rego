package mollyguard_test

import data.mollyguard

test_owner_of_production_fires_on_what_owns_production if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "owned", "count": 4, "production": 3, "names": []}]}
	v.policy == "owner-of-production"
	v.severity == "high"
	v.message == "production goes with it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_owner_of_production_leaves_an_owner_of_nothing_that_is_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "owned", "count": 4, "production": 0, "names": []}]}
	not "owner-of-production" in policies
}

test_owner_of_production_leaves_production_itself_to_production_delete if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "owned", "count": 4, "production": 3, "names": []}]}
	not "owner-of-production" in policies
	"production-delete" in policies
}

test_owner_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "owned", "count": 4, "production": 3, "names": []}]}
	not "owner-of-production" in policies
}

test_owner_of_production_lets_go_what_has_ended if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "batch", "resource": "jobs", "ended": true}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "owned", "count": 1, "production": 1, "names": []}]}
	not "owner-of-production" in policies
	not "production-delete" in policies
}

test_owner_of_production_fires_on_what_has_ended_and_owns_more_than_pods if {
	some v in mollyguard.violation with input as {
		"verb": "delete",
		"target": {"ended": true},
		"production": {"is": true, "target": true},
		"dependents": [{"kind": "Deployment", "via": "owned", "count": 1, "production": 1}],
	}
	v.policy == "owner-of-production"
}

test_owner_of_production_lets_go_what_has_ended_with_its_pods if {
	policies := {v.policy | some v in mollyguard.violation} with input as {
		"verb": "delete",
		"target": {"ended": true},
		"production": {"is": true, "target": false},
		"dependents": [{"kind": "Pod", "via": "owned", "count": 1, "production": 1}],
	}
	not "owner-of-production" in policies
}
