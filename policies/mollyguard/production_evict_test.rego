package mollyguard_test

import data.mollyguard

test_production_evict_fires_on_production if {
	some v in mollyguard.violation with input as {"verb": "evict", "production": {"is": true}}
	v.policy == "production-evict"
	v.severity == "medium"
	v.message != ""
	v.break_glass == {"approvals": 1}
}

test_production_evict_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "evict", "production": {"is": false}}
	not "production-evict" in policies
}

test_production_evict_leaves_updates_of_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "production": {"is": true}}
	not "production-evict" in policies
}

test_production_evict_leaves_pods_that_a_budget_covers_to_kubernetes if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "evict", "covered": true, "production": {"is": true, "target": true}}
	not "production-evict" in policies
}

test_production_evict_fires_on_pods_that_no_budget_covers if {
	some v in mollyguard.violation with input as {"verb": "evict", "covered": false, "production": {"is": true, "target": true}}
	v.policy == "production-evict"
}
