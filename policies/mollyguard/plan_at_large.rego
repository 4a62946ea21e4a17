package mollyguard

# METADATA
# title: A plan does not remove much of what is managed
# description: |
#   Refuses a Terraform plan that deletes, replaces or forgets more resources, or more of
#   the state, than the configuration lets one plan: it was probably made of another
#   state, workspace or branch than was meant. Below three resources no share counts.
# custom:
#   policy: plan-at-large
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#plan-at-large
violation contains {"policy": "plan-at-large", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.surface == "terraform"
	input.target.kind == "TerraformPlan"
	input.verb == "delete"
	count(_at_large) > 0
	message := sprintf("this plan removes %d %% of what is managed: %d of %d (%s)", [input.plan.share, input.plan.destroys, input.plan.managed, concat("; ", _at_large)])
}

# The limits that it is above.
_at_large contains sprintf("limit %d, terraform.maxDestroys", [input.plan.max_destroys]) if {
	input.plan.max_destroys > 0
	input.plan.destroys > input.plan.max_destroys
}

_at_large contains sprintf("limit %d %%, terraform.maxShare", [input.plan.max_share]) if {
	input.plan.max_share > 0
	input.plan.share > input.plan.max_share
	input.plan.destroys >= 3
}
