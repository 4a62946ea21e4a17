package mollyguard_test

import data.mollyguard

test_production_unprotect_fires_on_production if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "production": {"is": true}}
	v.policy == "production-unprotect"
	v.severity == "high"
	v.message != ""
	v.break_glass == {"approvals": 1}
}

test_production_unprotect_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "production": {"is": false}}
	not "production-unprotect" in policies
}

test_production_unprotect_leaves_updates_of_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "production": {"is": true}}
	not "production-unprotect" in policies
}

test_production_unprotect_leaves_network_policies_to_production_isolated if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "production": {"is": true, "target": true}, "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "changes": ["no traffic comes in to any pod of the namespace"]}
	"production-isolated" in policies
	not "production-unprotect" in policies
}

test_production_unprotect_fires_on_a_network_policy_that_loses_its_label if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "production": {"is": true, "target": true}, "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "changes": ["no traffic comes in to any pod of the namespace", "label env=production removed"]}
	"production-unprotect" in policies
}

test_production_unprotect_speaks_for_what_is_left_over if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "production": {"is": true, "target": false}, "target": {"group": "", "resource": "persistentvolumes"}, "dependents": [{"kind": "PersistentVolumeClaim", "via": "bound", "count": 1, "production": 1, "names": []}], "changes": ["spec.persistentVolumeReclaimPolicy Retain → Delete"]}
	"production-unprotect" in policies
}

test_production_unprotect_leaves_what_is_of_mollyguard_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "target": {"own": true}, "production": {"is": true, "target": true}}
	"guard-weakened" in policies
	not "production-unprotect" in policies
}

test_production_unprotect_leaves_what_is_only_being_made_to_created_unprotected if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "DatabaseInstance", "created": true, "widens": ""}, "production": {"is": true, "target": true}}
	"created-unprotected" in policies
	not "production-unprotect" in policies
}

test_production_unprotect_leaves_a_plan_to_plan_unsafe if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"surface": "terraform", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": true, "target": true}, "plan": {"unsafe": ["no-lock"]}}
	"plan-unsafe" in policies
	not "production-unprotect" in policies
}

test_production_unprotect_fires_on_an_object_that_is_called_a_plan if {
	some v in mollyguard.violation with input as {"surface": "kubernetes", "verb": "unprotect", "target": {"kind": "TerraformPlan"}, "production": {"is": true, "target": true}}
	v.policy == "production-unprotect"
	v.severity == "high"
	v.message == "production must not lose its protection"
	v.break_glass == {"approvals": 1}
}
