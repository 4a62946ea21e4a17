package mollyguard

# METADATA
# title: What owns production is not deleted
# description: |
#   Refuses to delete what is not production itself but owns production, at any depth:
#   the garbage collector takes it. A delete that leaves the dependents as orphans is
#   let through, and one of a Job or a pod that has ended for good and owns but pods.
# custom:
#   policy: owner-of-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#owner-of-production
violation contains {"policy": "owner-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.production.is
	_owner_is_not_spoken_for
	not _ended_with_its_pods
	owned := _production_via({"owned"})
	message := sprintf("production goes with it: %s", [owned])
}

# production-delete speaks for what is production itself, unless it has ended.
_owner_is_not_spoken_for if not input.production.target

_owner_is_not_spoken_for if input.target.ended

_ended_with_its_pods if {
	input.target.ended
	not _owns_more_than_pods
}

_owns_more_than_pods if {
	some dependents in input.dependents
	dependents.via == "owned"
	dependents.production > 0
	dependents.kind != "Pod"
}

_spoken_for contains "owned" if input.verb == "delete"
