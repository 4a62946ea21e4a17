package mollyguard

# METADATA
# title: Production is not deleted
# description: |
#   Refuses to delete what is production.
#   A namespace or a custom resource definition takes along what it holds; nothing
#   of that is asked about again.
# custom:
#   policy: production-delete
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-delete
violation contains {"policy": "production-delete", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.production.is
	message := "production must not be deleted"
}
