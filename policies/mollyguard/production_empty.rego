package mollyguard

# METADATA
# title: Production data is not emptied
# description: |
#   Refuses to remove all data of a production ConfigMap or Secret: who mounts it
#   fails as if it were deleted. What is Mollyguard's own is left to guard-weakened.
# custom:
#   policy: production-empty
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-empty
violation contains {"policy": "production-empty", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "empty"
	input.production.is
	not input.target.own
	_for_target
	message := "production data must not be emptied"
}
