package mollyguard_test

import data.mollyguard

test_production_isolated_fires_on_a_network_policy_of_production if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "production": {"is": true, "target": true}, "dependents": [], "changes": ["no traffic comes in to any pod of the namespace", "no traffic goes out of any pod of the namespace"]}
	v.policy == "production-isolated"
	v.severity == "medium"
	v.message == "the network policy would cut production off"
	v.break_glass == {"approvals": 1}
}

test_production_isolated_fires_on_one_that_selects_production if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}], "changes": ["no traffic comes in to any pod of the namespace"]}
	v.policy == "production-isolated"
	v.severity == "medium"
	v.message == "the network policy would cut production off"
	v.break_glass == {"approvals": 1}
}

test_production_isolated_leaves_the_label_to_production_unprotect if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 3, "names": []}], "changes": ["no traffic comes in to any pod of the namespace", "label env=production removed"]}
	not "production-isolated" in policies
	"production-unprotect" in policies
}

test_production_isolated_leaves_what_nobody_explains_to_production_unprotect if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "production": {"is": true, "target": true}, "dependents": [], "changes": []}
	not "production-isolated" in policies
	"production-unprotect" in policies
}

test_production_isolated_leaves_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "selected", "count": 4, "production": 0, "names": []}], "changes": ["no traffic comes in to any pod of the namespace"]}
	not "production-isolated" in policies
}

test_production_isolated_leaves_a_delete_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "networking.k8s.io", "resource": "networkpolicies"}, "production": {"is": true, "target": true}, "dependents": []}
	not "production-isolated" in policies
}

test_production_isolated_leaves_what_is_no_network_policy_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "target": {"group": "", "resource": "services"}, "production": {"is": true, "target": true}, "dependents": [], "changes": ["no traffic comes in to any pod of the namespace"]}
	not "production-isolated" in policies
}
