package mollyguard_test

import data.mollyguard

test_cloud_resource_fires_on_what_is_production_itself if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "sql.cnrm.cloud.google.com", "resource": "sqlinstances"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "SQLInstance", "via": "backs", "count": 1, "production": 1, "names": []}]}
	v.policy == "cloud-resource"
	v.severity == "critical"
	v.message == "the resource in the cloud goes with it"
	v.break_glass == {"approvals": 2}
}

test_cloud_resource_fires_on_what_stands_for_production if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "sql.cnrm.cloud.google.com", "resource": "sqlinstances"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "SQLInstance", "via": "backs", "count": 1, "production": 1, "names": []}]}
	v.policy == "cloud-resource"
	v.severity == "critical"
	v.message == "the resource in the cloud goes with it"
	v.break_glass == {"approvals": 2}
}

test_cloud_resource_leaves_what_stands_for_something_else_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "sql.cnrm.cloud.google.com", "resource": "sqlinstances"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "SQLInstance", "via": "backs", "count": 1, "production": 0, "names": []}]}
	not "cloud-resource" in policies
}

test_cloud_resource_leaves_what_stands_for_nothing_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "sql.cnrm.cloud.google.com", "resource": "sqlinstances"}, "production": {"is": true, "target": true}, "dependents": []}
	not "cloud-resource" in policies
}

test_cloud_resource_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "sql.cnrm.cloud.google.com", "resource": "sqlinstances"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "SQLInstance", "via": "backs", "count": 1, "production": 1, "names": []}]}
	not "cloud-resource" in policies
}
