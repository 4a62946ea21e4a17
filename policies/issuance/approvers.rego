package mollyguard.issuance

# METADATA
# title: Only members of certain groups approve
# description: |
#   Refuses approvers who are in none of config.approver_groups. Without groups,
#   everybody approves whom the authorizer lets.
# custom:
#   policy: approvers
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#approvers
violation contains {"policy": "approvers", "severity": "high", "message": message, "break_glass": "never"} if {
	input.stage == "approve"
	groups := _list("approver_groups")
	count(groups) > 0
	not _approver_in(groups)
	message := sprintf("only members of %s approve", [concat(", ", [group | some group in groups; is_string(group)])])
}

_approver_in(groups) if {
	some group in input.approver.groups
	group in groups
}
