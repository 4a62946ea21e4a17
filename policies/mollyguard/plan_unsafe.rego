package mollyguard

# METADATA
# title: A state is not worked on unguarded
# description: |
#   Refuses to work on a Terraform state in a way that switches off what keeps it whole:
#   without a lock, by taking away another's, by overwriting it, or by applying what
#   nobody has checked. What only shows less than there is is left to plan-partial.
# custom:
#   policy: plan-unsafe
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#plan-unsafe
violation contains {"policy": "plan-unsafe", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	_plan_itself
	input.verb == "unprotect"
	found := {hazard | some hazard in input.plan.unsafe} - _partial
	count(found) > 0
	message := _hazards(found)
}
