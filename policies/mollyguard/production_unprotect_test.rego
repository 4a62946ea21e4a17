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
