package mollyguard_test

import data.mollyguard

test_production_delete_fires_on_production if {
	some v in mollyguard.violation with input as {"verb": "delete", "production": {"is": true}}
	v.policy == "production-delete"
	v.severity == "high"
	v.message != ""
	v.break_glass == {"approvals": 1}
}

test_production_delete_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "production": {"is": false}}
	not "production-delete" in policies
}

test_production_delete_leaves_updates_of_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "production": {"is": true}}
	not "production-delete" in policies
}

test_production_delete_calls_the_target_production if {
	some v in mollyguard.violation with input as {"verb": "delete", "production": {"is": true, "target": true}}
	v.policy == "production-delete"
	v.message == "production must not be deleted"
}

test_production_delete_speaks_for_dependents_that_no_other_policy_speaks_for if {
	some v in mollyguard.violation with input as {"verb": "delete", "production": {"is": true, "target": false}, "target": {"group": "example.com", "resource": "things"}, "dependents": [{"kind": "Pod", "via": "uses", "count": 1, "production": 1, "names": []}]}
	v.policy == "production-delete"
	v.message == "what production depends on must not be deleted"
}

test_production_delete_speaks_for_those_left_over_beside_another_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "production": {"is": true, "target": false}, "target": {"group": "example.com", "resource": "things"}, "dependents": [{"kind": "Pod", "via": "owned", "count": 1, "production": 1, "names": []}, {"kind": "Pod", "via": "uses", "count": 1, "production": 1, "names": []}]}
	"production-delete" in policies
	"owner-of-production" in policies
}

test_production_delete_leaves_dependents_with_a_policy_of_their_own_to_it if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "production": {"is": true, "target": false}, "target": {"group": "apps", "resource": "replicasets"}, "dependents": [{"kind": "Pod", "via": "owned", "count": 1, "production": 1, "names": []}, {"kind": "Secret", "via": "uses", "count": 1, "production": 0, "names": []}]}
	"owner-of-production" in policies
	not "production-delete" in policies
}

test_production_delete_lets_go_what_has_ended if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"ended": true}, "production": {"is": true, "target": true}}
	not "production-delete" in policies
}

test_production_delete_leaves_what_is_of_mollyguard_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"own": true}, "production": {"is": true, "target": true}}
	"guard-weakened" in policies
	not "production-delete" in policies
}

test_production_delete_leaves_a_plan_as_a_whole_to_plan_at_large if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": true, "target": true}, "plan": {"managed": 85, "destroys": 52, "share": 62, "max_destroys": 10, "max_share": 20}}
	"plan-at-large" in policies
	not "production-delete" in policies
}

test_production_delete_fires_on_an_object_that_is_called_a_plan if {
	some v in mollyguard.violation with input as {"surface": "kubernetes", "verb": "delete", "target": {"kind": "TerraformPlan"}, "production": {"is": true, "target": true}}
	v.policy == "production-delete"
	v.severity == "high"
	v.message == "production must not be deleted"
	v.break_glass == {"approvals": 1}
}
