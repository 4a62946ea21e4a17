package mollyguard

# METADATA
# title: One actor does not take down production at large
# description: |
#   Refuses to delete or weaken more production objects within a while than the
#   configuration allows one actor, whatever namespaces they are in. A script that runs
#   in the wrong cluster is stopped before it is through. Evictions that a
#   PodDisruptionBudget covers go on.
# custom:
#   policy: mass-change
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#mass-change
violation contains {"policy": "mass-change", "severity": "critical", "message": message, "break_glass": {"approvals": 2}} if {
	input.recent.limit > 0
	input.recent.count > input.recent.limit
	input.production.is
	input.verb != "update"
	not _covered_eviction
	message := sprintf("%d production objects in %d namespaces or projects, deleted or weakened by the same actor within %d seconds: more than %d are too many", [
		input.recent.count,
		input.recent.namespaces,
		input.recent.seconds,
		input.recent.limit,
	])
}
