package mollyguard_test

import data.mollyguard

test_definition_holds_production_fires_on_a_deleted_definition if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Database", "via": "instance", "count": 14, "production": 12, "names": []}]}
	v.policy == "definition-holds-production"
	v.severity == "critical"
	v.message == "objects of production vanish with it, and nobody is asked about them: 12 Database"
	v.break_glass == {"approvals": 2}
}

test_definition_holds_production_fires_on_a_definition_that_is_production_itself_too if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Database", "via": "instance", "count": 14, "production": 12, "names": []}]}
	v.policy == "definition-holds-production"
	v.severity == "critical"
	v.message == "objects of production vanish with it, and nobody is asked about them: 12 Database"
	v.break_glass == {"approvals": 2}
}

test_definition_holds_production_fires_on_a_version_that_is_no_longer_served if {
	some v in mollyguard.violation with input as {"verb": "unprotect", "target": {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Database", "via": "instance", "count": 14, "production": 12, "names": []}]}
	v.policy == "definition-holds-production"
	v.severity == "critical"
	v.message == "objects of production are reached through it: 12 Database"
	v.break_glass == {"approvals": 2}
}

test_definition_holds_production_fires_on_an_api_service if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "apiregistration.k8s.io", "resource": "apiservices"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Widget", "via": "instance", "count": 1, "production": 1, "names": []}]}
	v.policy == "definition-holds-production"
	v.severity == "critical"
	v.message == "objects of production vanish with it, and nobody is asked about them: 1 Widget"
	v.break_glass == {"approvals": 2}
}

test_definition_holds_production_leaves_one_without_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Database", "via": "instance", "count": 2, "production": 0, "names": []}]}
	not "definition-holds-production" in policies
}

test_definition_holds_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Database", "via": "instance", "count": 2, "production": 2, "names": []}]}
	not "definition-holds-production" in policies
}
