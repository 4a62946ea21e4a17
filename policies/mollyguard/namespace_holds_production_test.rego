package mollyguard_test

import data.mollyguard

test_namespace_holds_production_fires_on_production_in_it if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "namespaces"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Deployment", "via": "contained", "count": 3, "production": 2, "names": []}, {"kind": "Pod", "via": "contained", "count": 13, "production": 12, "names": []}]}
	v.policy == "namespace-holds-production"
	v.severity == "high"
	v.message == "the namespace holds production: 2 Deployment, 12 Pod"
	v.break_glass == {"approvals": 1}
}

test_namespace_holds_production_fires_and_says_no_more_than_five_kinds if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "namespaces"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "A", "via": "contained", "count": 1, "production": 1, "names": []}, {"kind": "B", "via": "contained", "count": 1, "production": 1, "names": []}, {"kind": "C", "via": "contained", "count": 1, "production": 1, "names": []}, {"kind": "D", "via": "contained", "count": 1, "production": 1, "names": []}, {"kind": "E", "via": "contained", "count": 1, "production": 1, "names": []}, {"kind": "F", "via": "contained", "count": 1, "production": 1, "names": []}, {"kind": "G", "via": "contained", "count": 1, "production": 1, "names": []}]}
	v.policy == "namespace-holds-production"
	v.severity == "high"
	v.message == "the namespace holds production: 1 A, 1 B, 1 C, 1 D, 1 E, and 2 more kinds"
	v.break_glass == {"approvals": 1}
}

test_namespace_holds_production_leaves_one_that_holds_none_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "namespaces"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "contained", "count": 4, "production": 0, "names": []}]}
	not "namespace-holds-production" in policies
}

test_namespace_holds_production_leaves_production_itself_to_production_delete if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "namespaces"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "contained", "count": 4, "production": 3, "names": []}]}
	not "namespace-holds-production" in policies
	"production-delete" in policies
}

test_namespace_holds_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "", "resource": "namespaces"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "contained", "count": 4, "production": 3, "names": []}]}
	not "namespace-holds-production" in policies
}

test_namespace_holds_production_leaves_what_is_no_namespace_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "compute.googleapis.com", "resource": "networks"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "contained", "count": 4, "production": 3, "names": []}]}
	not "namespace-holds-production" in policies
}
