package mollyguard

# METADATA
# title: What cannot be understood does not happen to production
# description: |
#   Refuses an operation on production that could not be mapped to a verb: unknown
#   is not harmless.
# custom:
#   policy: production-unknown
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-unknown
violation contains {"policy": "production-unknown", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "unknown"
	input.production.is
	message := "production must not be changed in a way that mollyguard does not understand"
}
