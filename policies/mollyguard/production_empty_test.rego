package mollyguard_test

import data.mollyguard

test_production_empty_fires_on_production if {
	some v in mollyguard.violation with input as {"verb": "empty", "production": {"is": true}}
	v.policy == "production-empty"
	v.severity == "high"
	v.message != ""
	v.break_glass == {"approvals": 1}
}

test_production_empty_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "empty", "production": {"is": false}}
	not "production-empty" in policies
}

test_production_empty_leaves_updates_of_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "production": {"is": true}}
	not "production-empty" in policies
}

test_production_empty_leaves_what_production_mounts_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "empty", "production": {"is": true, "target": false}, "target": {"group": "", "resource": "configmaps"}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 1, "production": 1, "names": []}]}
	"configuration-of-production" in policies
	not "production-empty" in policies
}

test_production_empty_leaves_what_is_of_mollyguard_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "empty", "target": {"own": true}, "production": {"is": true, "target": true}}
	"guard-weakened" in policies
	not "production-empty" in policies
}
