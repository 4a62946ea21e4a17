package mollyguard

# METADATA
# title: A node with production on it is not deleted
# description: |
#   Refuses to delete a node on which production pods run that no PodDisruptionBudget
#   covers. Draining it first is the way: an eviction waits for what it must. Deletions
#   of nodes are judged only if the configuration says so (kubernetes.nodes).
# custom:
#   policy: node-of-production
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#node-of-production
violation contains {"policy": "node-of-production", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.target.group == ""
	input.target.resource == "nodes"
	found := _production_via({"scheduled"})
	message := sprintf("production runs on it that no PodDisruptionBudget covers: %s", [found])
}

_spoken_for contains "scheduled" if {
	input.verb == "delete"
	input.target.group == ""
	input.target.resource == "nodes"
}
