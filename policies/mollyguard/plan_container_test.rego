package mollyguard_test

import data.mollyguard

test_plan_container_fires_on_a_deletion if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "Network", "container": true}, "production": {"is": false, "target": false}}
	v.policy == "plan-container"
	v.severity == "medium"
	v.message == "whatever is in it goes with it, also what the plan does not show"
	v.break_glass == {"approvals": 1}
}

test_plan_container_fires_on_a_replacement if {
	some v in mollyguard.violation with input as {"surface": "terraform", "verb": "replace", "target": {"kind": "Network", "container": true}, "production": {"is": false, "target": false}}
	v.policy == "plan-container"
	v.severity == "medium"
	v.message == "whatever is in it goes with it, also what the plan does not show"
	v.break_glass == {"approvals": 1}
}

test_plan_container_leaves_what_holds_nothing_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "Address", "container": false}, "production": {"is": false, "target": false}}
	not "plan-container" in policies
}

test_plan_container_leaves_what_is_only_forgotten_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "forget", "target": {"kind": "Network", "container": true}, "production": {"is": false, "target": false}}
	not "plan-container" in policies
}

test_plan_container_leaves_production_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "Network", "container": true}, "production": {"is": true, "target": true}}
	"production-delete" in policies
	not "plan-container" in policies
}

test_plan_container_leaves_other_surfaces_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "gcp", "verb": "delete", "target": {"kind": "Network", "container": true}, "production": {"is": false, "target": false}}
	not "plan-container" in policies
}
