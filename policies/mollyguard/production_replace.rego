package mollyguard

# METADATA
# title: Production is not replaced
# description: |
#   Refuses what destroys production and puts something else in its place: a restore
#   over a running database, an import that empties it first, a replacement by
#   Terraform. What it held is gone all the same.
# custom:
#   policy: production-replace
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-replace
violation contains {"policy": "production-replace", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "replace"
	input.production.is
	message := "production must not be replaced"
}
