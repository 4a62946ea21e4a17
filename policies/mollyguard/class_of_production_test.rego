package mollyguard_test

import data.mollyguard

test_class_of_production_fires_on_a_storage_class if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "storage.k8s.io", "resource": "storageclasses"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "PersistentVolumeClaim", "via": "uses", "count": 4, "production": 2, "names": []}]}
	v.policy == "class-of-production"
	v.severity == "medium"
	v.message == "production names it as its class: 2 PersistentVolumeClaim"
	v.break_glass == {"approvals": 1}
}

test_class_of_production_fires_on_a_priority_class_that_is_weakened if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"group": "scheduling.k8s.io", "resource": "priorityclasses"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	v.policy == "class-of-production"
	v.severity == "medium"
	v.message == "production names it as its class: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_class_of_production_leaves_a_class_of_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "storage.k8s.io", "resource": "storageclasses"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "PersistentVolumeClaim", "via": "uses", "count": 4, "production": 0, "names": []}]}
	not "class-of-production" in policies
}

test_class_of_production_leaves_an_account_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "serviceaccounts"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	not "class-of-production" in policies
}

test_class_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "storage.k8s.io", "resource": "storageclasses"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "uses", "count": 4, "production": 3, "names": []}]}
	not "class-of-production" in policies
}
