package mollyguard

# METADATA
# title: A plan shows the whole
# description: |
#   Warns of a Terraform plan that shows only part of what there is or of what it does, and
#   of edits of the state: -target, -refresh=false, changes put off to a later plan,
#   provisioners, which run programs that nobody judges. People do it to get out of
#   trouble, so it only warns by default.
# custom:
#   policy: plan-partial
#   severity: low
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#plan-partial
violation contains {"policy": "plan-partial", "severity": "low", "message": message, "break_glass": {"approvals": 1}} if {
	_plan_itself
	input.verb == "unprotect"
	found := {hazard | some hazard in input.plan.unsafe} & _partial
	count(found) > 0
	message := _hazards(found)
}
