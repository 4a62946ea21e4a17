package mollyguard_test

import data.mollyguard

test_production_replace_fires_on_production if {
	some v in mollyguard.violation with input as {"verb": "replace", "production": {"is": true}}
	v.policy == "production-replace"
	v.severity == "high"
	v.message != ""
	v.break_glass == {"approvals": 1}
}

test_production_replace_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "replace", "production": {"is": false}}
	not "production-replace" in policies
}

test_production_replace_leaves_updates_of_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "production": {"is": true}}
	not "production-replace" in policies
}
