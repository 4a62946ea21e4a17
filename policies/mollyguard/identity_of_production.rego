package mollyguard

# METADATA
# title: The rights that production works with are not taken away
# description: |
#   Refuses to delete a service account, a role or a binding that is not production
#   itself but that production pods run with: they lose their access at once.
# custom:
#   policy: identity-of-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#identity-of-production
violation contains {"policy": "identity-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.target.group in {"", "rbac.authorization.k8s.io"}
	input.target.resource in {"serviceaccounts", "roles", "clusterroles", "rolebindings", "clusterrolebindings"}
	not input.production.target
	found := _production_via({"uses"})
	message := sprintf("production has its rights from it: %s", [found])
}

_spoken_for contains "uses" if {
	input.verb == "delete"
	input.target.group in {"", "rbac.authorization.k8s.io"}
	input.target.resource in {"serviceaccounts", "roles", "clusterroles", "rolebindings", "clusterrolebindings"}
}
