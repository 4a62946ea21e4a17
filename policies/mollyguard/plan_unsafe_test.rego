package mollyguard_test

import data.mollyguard

test_plan_unsafe_fires_on_a_state_that_is_not_locked if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["no-lock"]}}
	v.policy == "plan-unsafe"
	v.severity == "medium"
	v.message == "the state is not locked, and others may change it at the same time"
	v.break_glass == {"approvals": 1}
}

test_plan_unsafe_fires_on_a_state_that_is_overwritten if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformState"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["force-push"]}}
	v.policy == "plan-unsafe"
	v.severity == "medium"
	v.message == "the whole state is overwritten, whichever it was"
	v.break_glass == {"approvals": 1}
}

test_plan_unsafe_fires_on_a_hazard_that_it_does_not_know if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["something-new"]}}
	v.policy == "plan-unsafe"
	v.severity == "medium"
	v.message == "something-new"
	v.break_glass == {"approvals": 1}
}

test_plan_unsafe_leaves_what_only_shows_less_out if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["target", "unchecked"]}}
	v.policy == "plan-unsafe"
	v.severity == "medium"
	v.message == "no plan was checked before"
	v.break_glass == {"approvals": 1}
}

test_plan_unsafe_leaves_what_only_shows_less_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["target", "no-refresh"]}}
	"plan-partial" in policies
	not "plan-unsafe" in policies
}

test_plan_unsafe_leaves_a_whole_plan_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": []}}
	not "plan-unsafe" in policies
}

test_plan_unsafe_is_said_of_the_plan_and_not_of_each_resource if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "Address"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["no-lock"]}}
	not "plan-unsafe" in policies
}

test_plan_unsafe_leaves_other_surfaces_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "kubernetes", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["no-lock"]}}
	not "plan-unsafe" in policies
}
