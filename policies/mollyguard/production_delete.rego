package mollyguard

# METADATA
# title: Production is not deleted
# description: |
#   Refuses to delete what is production.
#   Speaks for the target, and for dependents that no other policy speaks for. A Job or
#   a pod that has ended for good may go. What is Mollyguard's own is left to
#   guard-weakened, a Terraform plan as a whole to plan-at-large: what it deletes is
#   judged one by one.
# custom:
#   policy: production-delete
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-delete
violation contains {"policy": "production-delete", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.production.is
	not input.target.own
	not input.target.ended
	not _plan_itself
	_for_target
	message := sprintf("%s must not be deleted", [_subject])
}
