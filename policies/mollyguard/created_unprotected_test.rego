package mollyguard_test

import data.mollyguard

test_created_unprotected_fires_on_production if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "DatabaseInstance", "created": true, "widens": ""}, "production": {"is": true, "target": true}}
	v.policy == "created-unprotected"
	v.severity == "low"
	v.message == "production would be made without its protection"
	v.break_glass == {"approvals": 1}
}

test_created_unprotected_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "DatabaseInstance", "created": true, "widens": ""}, "production": {"is": false, "target": false}}
	not "created-unprotected" in policies
}

test_created_unprotected_leaves_what_is_there_already_to_production_unprotect if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "DatabaseInstance", "created": false, "widens": ""}, "production": {"is": true, "target": true}}
	"production-unprotect" in policies
	not "created-unprotected" in policies
}
