package mollyguard_test

import data.mollyguard

test_plan_partial_fires_on_a_plan_of_some_resources if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["target"]}}
	v.policy == "plan-partial"
	v.severity == "low"
	v.message == "only some of the resources were planned"
	v.break_glass == {"approvals": 1}
}

test_plan_partial_names_all_that_is_left_out if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["no-refresh", "incomplete"]}}
	v.policy == "plan-partial"
	v.severity == "low"
	v.message == "changes were left for a later plan; what is really there was not looked at"
	v.break_glass == {"approvals": 1}
}

test_plan_partial_fires_on_an_edit_of_the_state if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformState"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["state-edit"]}}
	v.policy == "plan-partial"
	v.severity == "low"
	v.message == "the state is edited by hand"
	v.break_glass == {"approvals": 1}
}

test_plan_partial_fires_on_programs_beside_the_plan if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["provisioners"]}}
	v.policy == "plan-partial"
	v.severity == "low"
	v.message == "programs run that are not judged (provisioners)"
	v.break_glass == {"approvals": 1}
}

test_plan_partial_leaves_the_rest_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["no-lock"]}}
	"plan-unsafe" in policies
	not "plan-partial" in policies
}

test_plan_partial_leaves_a_whole_plan_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": []}}
	not "plan-partial" in policies
}

test_plan_partial_is_said_of_the_plan_and_not_of_each_resource if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "Address"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["target"]}}
	not "plan-partial" in policies
}

test_plan_partial_leaves_other_surfaces_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "kubernetes", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": false, "target": false}, "plan": {"unsafe": ["target"]}}
	not "plan-partial" in policies
}
