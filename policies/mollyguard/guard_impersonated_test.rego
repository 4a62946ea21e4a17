package mollyguard_test

import data.mollyguard

test_guard_impersonated_fires_on_a_token_for_who_is_let_through if {
	some v in mollyguard.violation with input as {"verb": "update", "target": {"group": "", "resource": "serviceaccounts", "passes": "kubernetes-control-plane"}, "production": {"is": false, "target": false}, "dependents": []}
	v.policy == "guard-impersonated"
	v.severity == "critical"
	v.message == "it gives somebody the use of an identity that mollyguard lets through (exemption kubernetes-control-plane)"
	v.break_glass == {"approvals": 2}
}

test_guard_impersonated_leaves_tokens_of_others_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "", "resource": "serviceaccounts", "passes": ""}, "production": {"is": false, "target": false}, "dependents": []}
	not "guard-impersonated" in policies
}
