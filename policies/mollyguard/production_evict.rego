package mollyguard

# METADATA
# title: Production pods are not evicted
# description: |
#   Refuses to evict a production pod by hand, unless a controller replaces it and a
#   PodDisruptionBudget covers it: then Kubernetes itself refuses what is too much.
#   An eviction deletes the pod without a DELETE review, so it has to be judged
#   where it is asked for.
# custom:
#   policy: production-evict
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-evict
violation contains {"policy": "production-evict", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "evict"
	input.production.is
	not _covered_eviction
	message := "production pods must not be evicted"
}

_covered_eviction if {
	input.verb == "evict"
	input.covered
}
