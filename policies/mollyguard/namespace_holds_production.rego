package mollyguard

# METADATA
# title: A namespace that holds production is not deleted
# description: |
#   Refuses to delete a namespace that is not production itself but has production in
#   it. The namespace controller deletes what is in it, and nobody is asked about that
#   again.
# custom:
#   policy: namespace-holds-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#namespace-holds-production
violation contains {"policy": "namespace-holds-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.target.group == ""
	input.target.resource == "namespaces"
	not input.production.target
	held := _production_via({"contained"})
	message := sprintf("the namespace holds production: %s", [held])
}

_spoken_for contains "contained" if {
	input.verb == "delete"
	input.target.group == ""
	input.target.resource == "namespaces"
}
