package mollyguard_test

import data.mollyguard

test_mass_change_fires_on_one_more_than_the_limit if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": true, "target": true}, "dependents": [], "recent": {"count": 21, "namespaces": 3, "limit": 20, "seconds": 600}}
	v.policy == "mass-change"
	v.severity == "critical"
	v.message == "21 production objects in 3 namespaces or projects, deleted or weakened by the same actor within 600 seconds: more than 20 are too many"
	v.break_glass == {"approvals": 2}
}

test_mass_change_fires_on_an_eviction_that_nothing_covers if {
	some v in mollyguard.violation with input as {"verb": "evict", "target": {"group": "", "resource": "pods"}, "production": {"is": true, "target": true}, "dependents": [], "recent": {"count": 21, "namespaces": 3, "limit": 20, "seconds": 600}, "covered": false}
	v.policy == "mass-change"
	v.severity == "critical"
	v.message == "21 production objects in 3 namespaces or projects, deleted or weakened by the same actor within 600 seconds: more than 20 are too many"
	v.break_glass == {"approvals": 2}
}

test_mass_change_leaves_as_many_as_the_limit_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": true, "target": true}, "dependents": [], "recent": {"count": 20, "namespaces": 3, "limit": 20, "seconds": 600}}
	not "mass-change" in policies
}

test_mass_change_leaves_any_number_without_a_limit_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": true, "target": true}, "dependents": [], "recent": {"count": 9999, "namespaces": 3, "limit": 0, "seconds": 600}}
	not "mass-change" in policies
}

test_mass_change_leaves_what_is_not_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": false, "target": false}, "dependents": [], "recent": {"count": 21, "namespaces": 3, "limit": 20, "seconds": 600}}
	not "mass-change" in policies
}

test_mass_change_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "apps", "resource": "replicasets"}, "production": {"is": true, "target": true}, "dependents": [], "recent": {"count": 21, "namespaces": 3, "limit": 20, "seconds": 600}}
	not "mass-change" in policies
}

test_mass_change_leaves_a_drain_that_a_budget_covers_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "evict", "target": {"group": "", "resource": "pods"}, "production": {"is": true, "target": true}, "dependents": [], "recent": {"count": 21, "namespaces": 3, "limit": 20, "seconds": 600}, "covered": true}
	not "mass-change" in policies
}
