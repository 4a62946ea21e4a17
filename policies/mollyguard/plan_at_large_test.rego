package mollyguard_test

import data.mollyguard

test_plan_at_large_says_all_limits_that_a_plan_is_above if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 20, "max_share": 25}}
	v.policy == "plan-at-large"
	v.message == "this plan removes 62 % of what is managed: 52 of 85 (limit 20, terraform.maxDestroys; limit 25 %, terraform.maxShare)"
}

test_plan_at_large_fires_on_too_large_a_share if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 0, "max_share": 20}}
	v.policy == "plan-at-large"
	v.severity == "high"
	v.message == "this plan removes 62 % of what is managed: 52 of 85 (limit 20 %, terraform.maxShare)"
	v.break_glass == {"approvals": 1}
}

test_plan_at_large_fires_on_too_many if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 10, "max_share": 0}}
	v.policy == "plan-at-large"
	v.severity == "high"
	v.message == "this plan removes 62 % of what is managed: 52 of 85 (limit 10, terraform.maxDestroys)"
	v.break_glass == {"approvals": 1}
}

test_plan_at_large_leaves_as_many_as_the_limits_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 52, "max_share": 62}}
	not "plan-at-large" in policies
}

test_plan_at_large_leaves_any_number_without_a_limit_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 0, "max_share": 0}}
	not "plan-at-large" in policies
}

test_plan_at_large_leaves_the_share_of_a_tiny_state_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 2, "destroys": 2, "share": 100, "max_destroys": 0, "max_share": 20}}
	not "plan-at-large" in policies
}

test_plan_at_large_fires_on_too_many_of_a_tiny_state if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 2, "destroys": 2, "share": 100, "max_destroys": 1, "max_share": 20}}
	v.policy == "plan-at-large"
	v.severity == "high"
	v.message == "this plan removes 100 % of what is managed: 2 of 2 (limit 1, terraform.maxDestroys)"
	v.break_glass == {"approvals": 1}
}

test_plan_at_large_is_said_of_the_plan_and_not_of_each_resource if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "Address"}, "production": {"is": false, "target": false}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 10, "max_share": 20}}
	not "plan-at-large" in policies
}

test_plan_at_large_leaves_other_surfaces_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "kubernetes", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 10, "max_share": 20}}
	not "plan-at-large" in policies
}
