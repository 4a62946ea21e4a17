package mollyguard_test

import data.mollyguard

test_guard_weakened_fires_on_what_mollyguard_sees_or_guards_with if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"own": true}, "production": {"is": true}}
	v.policy == "guard-weakened"
	v.severity == "critical"
	v.message != ""
	v.break_glass == {"approvals": 2}
}

test_guard_weakened_leaves_what_is_not_its_own_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"own": false}, "production": {"is": true}}
	not "guard-weakened" in policies
}

test_guard_weakened_fires_on_any_change_of_its_own if {
	some v in mollyguard.violation with input as {"verb": "update", "target": {"own": true}, "production": {"is": true}}
	v.policy == "guard-weakened"
}
