package mollyguard

# METADATA
# title: Production is not made without its protection
# description: |
#   Warns of production that is made without the protection that it could have, such as a
#   database without deletion protection. Nothing is lost by it yet, so it only warns by
#   default. What is there already is left to production-unprotect.
# custom:
#   policy: created-unprotected
#   severity: low
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#created-unprotected
violation contains {"policy": "created-unprotected", "severity": "low", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "unprotect"
	input.target.created
	input.production.is
	not _plan_itself
	message := "production would be made without its protection"
}
