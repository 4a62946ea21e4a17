package mollyguard_test

import data.mollyguard

test_applier_widened_names_who_applies if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "update", "target": {"kind": "ProjectIAMMember", "widens": "deployer@prod-shop.iam.gserviceaccount.com"}, "production": {"is": false, "target": false}}
	v.policy == "applier-widened"
	v.severity == "high"
	v.message == "the plan gives more rights to whoever applies it (deployer@prod-shop.iam.gserviceaccount.com)"
	v.break_glass == {"approvals": 1}
}

test_applier_widened_leaves_rights_for_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "update", "target": {"kind": "ProjectIAMMember", "widens": ""}, "production": {"is": false, "target": false}}
	not "applier-widened" in policies
}
