package mollyguard

# METADATA
# title: Production is not scaled to zero
# description: |
#   Refuses to scale production to zero: what runs nowhere is as gone as what was
#   deleted. What is Mollyguard's own is left to guard-weakened.
# custom:
#   policy: production-scale-to-zero
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-scale-to-zero
violation contains {"policy": "production-scale-to-zero", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "scale-to-zero"
	input.production.is
	not input.target.own
	_for_target
	message := sprintf("%s must not be scaled to zero", [_subject])
}
