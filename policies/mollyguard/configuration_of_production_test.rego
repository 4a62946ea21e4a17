package mollyguard_test

import data.mollyguard

test_configuration_of_production_fires_on_a_deleted_secret if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "secrets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}]}
	v.policy == "configuration-of-production"
	v.severity == "high"
	v.message == "production uses it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_configuration_of_production_fires_on_an_emptied_configmap if {
	some v in mollyguard.violation with input as {"verb": "empty", "target": {"group": "", "resource": "configmaps"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}]}
	v.policy == "configuration-of-production"
	v.severity == "high"
	v.message == "production uses it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_configuration_of_production_leaves_what_only_others_use_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "secrets"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 0, "names": []}]}
	not "configuration-of-production" in policies
}

test_configuration_of_production_leaves_production_itself_to_production_empty if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "empty", "target": {"group": "", "resource": "configmaps"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}]}
	not "configuration-of-production" in policies
	"production-empty" in policies
}

test_configuration_of_production_leaves_a_volume_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}], "time": "2026-11-21T03:12:47Z"}
	not "configuration-of-production" in policies
}

test_configuration_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "", "resource": "configmaps"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}]}
	not "configuration-of-production" in policies
}
