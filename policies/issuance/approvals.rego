package mollyguard.issuance

# METADATA
# title: What is worse takes more people
# description: |
#   Asks for as many approvals as config.approvals says for the severity or the
#   kind of target, whichever is more: two for what is critical, else one.
# custom:
#   policy: approvals
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#approvals
violation contains {"policy": "approvals", "severity": "high", "message": message, "break_glass": {"approvals": n}} if {
	n := object.union({"critical": 2}, _map(["approvals", "severity"]))[input.severity]
	_is_count(n)
	n > 1
	message := sprintf("%d people have to approve what is %s", [n, input.severity])
}

violation contains {"policy": "approvals", "severity": "high", "message": message, "break_glass": {"approvals": n}} if {
	some kind, n in _map(["approvals", "kinds"])
	_is_count(n)
	n > 1
	some target in input.request.targets
	_is_kind(target, lower(kind))
	message := sprintf("%d people have to approve what is done to a %s", [n, kind])
}

_is_kind(target, kind) if lower(target.kind) == kind

# What a grant opens is in the reference; the kind beside it is what somebody
# wrote. k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME has the resource, which is
# the kind in lower case and in the plural. The name is left out.
_is_kind(target, kind) if {
	parts := split(target.ref, "/")
	some part in array.slice(parts, 0, count(parts) - 1)
	part in {kind, concat("", [kind, "s"]), concat("", [kind, "es"]), concat("", [trim_suffix(kind, "y"), "ies"])}
}
