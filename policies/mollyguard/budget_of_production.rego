package mollyguard

# METADATA
# title: The disruption budget of production stays
# description: |
#   Refuses to delete a PodDisruptionBudget that is not production itself but covers
#   production pods, and to loosen it to nothing: the next drain may take all of them at
#   once.
# custom:
#   policy: budget-of-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#budget-of-production
violation contains {"policy": "budget-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb in {"delete", "unprotect"}
	input.target.group == "policy"
	input.target.resource == "poddisruptionbudgets"
	not input.production.target
	found := _production_via({"selected"})
	message := sprintf("production loses its protection from disruptions: %s", [found])
}

_spoken_for contains "selected" if {
	input.verb in {"delete", "unprotect"}
	input.target.group == "policy"
	input.target.resource == "poddisruptionbudgets"
}
