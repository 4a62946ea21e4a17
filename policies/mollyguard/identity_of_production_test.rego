package mollyguard_test

import data.mollyguard

test_identity_of_production_fires_on_a_service_account if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "serviceaccounts"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	v.policy == "identity-of-production"
	v.severity == "high"
	v.message == "production has its rights from it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_identity_of_production_fires_on_a_binding if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "rbac.authorization.k8s.io", "resource": "rolebindings"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	v.policy == "identity-of-production"
	v.severity == "high"
	v.message == "production has its rights from it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_identity_of_production_leaves_an_account_of_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "serviceaccounts"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 0, "names": []}]}
	not "identity-of-production" in policies
}

test_identity_of_production_leaves_production_itself_to_production_delete if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "serviceaccounts"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	not "identity-of-production" in policies
	"production-delete" in policies
}

test_identity_of_production_leaves_a_class_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "storage.k8s.io", "resource": "storageclasses"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	not "identity-of-production" in policies
}

test_identity_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "rbac.authorization.k8s.io", "resource": "rolebindings"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	not "identity-of-production" in policies
}
