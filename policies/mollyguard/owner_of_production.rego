package mollyguard

# METADATA
# title: What owns production is not deleted
# description: |
#   Refuses to delete what is not production itself but owns production, at any depth:
#   the garbage collector takes it. A delete that leaves the dependents as orphans is
#   let through, and one of a Job or a pod that has ended for good.
# custom:
#   policy: owner-of-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#owner-of-production
violation contains {"policy": "owner-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.production.is
	not input.production.target
	not input.target.ended
	owned := _production_via({"owned"})
	message := sprintf("production goes with it: %s", [owned])
}

_spoken_for contains "owned" if input.verb == "delete"
