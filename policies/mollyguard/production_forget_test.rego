package mollyguard_test

import data.mollyguard

test_production_forget_fires_on_production if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "forget", "production": {"is": true, "target": true}}
	v.policy == "production-forget"
	v.severity == "high"
	v.message == "production must not be dropped from the state: nothing would manage it any more"
	v.break_glass == {"approvals": 1}
}

test_production_forget_fires_on_what_production_depends_on if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "forget", "production": {"is": true, "target": false}}
	v.policy == "production-forget"
	v.severity == "high"
	v.message == "production must not be dropped from the state: nothing would manage it any more"
	v.break_glass == {"approvals": 1}
}

test_production_forget_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "forget", "production": {"is": false, "target": false}}
	not "production-forget" in policies
}

test_production_forget_leaves_deletions_to_their_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "production": {"is": true, "target": true}}
	"production-delete" in policies
	not "production-forget" in policies
}
