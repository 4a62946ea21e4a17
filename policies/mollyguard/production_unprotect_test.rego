package mollyguard_test

import data.mollyguard

test_production_unprotect_fires_on_production if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "production": {"is": true}}
	v.policy == "production-unprotect"
	v.severity == "high"
	v.message != ""
	v.break_glass == {"approvals": 1}
}

test_production_unprotect_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "production": {"is": false}}
	not "production-unprotect" in policies
}

test_production_unprotect_leaves_updates_of_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "production": {"is": true}}
	not "production-unprotect" in policies
}
