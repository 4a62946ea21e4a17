package mollyguard.issuance

# METADATA
# title: Only people approve
# description: |
#   Refuses approvals of service accounts, agents and controllers, and grants that
#   rest on one. They may ask.
# custom:
#   policy: machines
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#machines
violation contains {"policy": "machines", "severity": "critical", "message": message, "break_glass": "never"} if {
	input.stage == "approve"
	not _is_person(input.approver)
	message := "only people approve"
}

violation contains {"policy": "machines", "severity": "critical", "message": message, "break_glass": "never"} if {
	some approver in input.approvers
	not _is_person(approver)
	message := sprintf("%s has approved, and is not a person", [approver.name])
}

_is_person(actor) if {
	actor.kind == "human"
	not startswith(actor.name, "system:")
}
