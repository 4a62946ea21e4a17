package mollyguard

# METADATA
# title: Production is not unprotected
# description: |
#   Refuses to weaken what marks or guards production, because that is the first
#   half of deleting it. A network policy that isolates is left to
#   production-isolated, what is Mollyguard's own to guard-weakened. Of Terraform, what
#   is only being made is left to created-unprotected, plans and states as a whole to
#   plan-unsafe and plan-partial.
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
	not input.target.created
	not _plan_itself
	message := "production must not lose its protection"
}
