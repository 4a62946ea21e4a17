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
