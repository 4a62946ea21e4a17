package mollyguard

# METADATA
# title: Production is not unprotected
# description: |
#   Refuses to weaken what marks or guards production, because that is the first
#   half of deleting it. A network policy that isolates is left to
#   production-isolated, what is Mollyguard's own to guard-weakened.
# custom:
#   policy: production-unprotect
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-unprotect
violation contains {"policy": "production-unprotect", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "unprotect"
	input.production.is
	not input.target.own
	_for_target
	not _isolates
	message := "production must not lose its protection"
}
