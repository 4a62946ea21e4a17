package mollyguard

# METADATA
# title: Production is not cut off from its traffic
# description: |
#   Refuses to delete a Service or an Ingress that is not production itself but in front
#   of production pods, and to change it so that it leads nowhere.
# custom:
#   policy: traffic-to-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#traffic-to-production
violation contains {"policy": "traffic-to-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb in {"delete", "unprotect"}
	input.target.group in {"", "networking.k8s.io"}
	input.target.resource in {"services", "ingresses"}
	not input.production.target
	found := _production_via({"selected"})
	message := sprintf("production gets its traffic through it: %s", [found])
}

_spoken_for contains "selected" if {
	input.verb in {"delete", "unprotect"}
	input.target.group in {"", "networking.k8s.io"}
	input.target.resource in {"services", "ingresses"}
}
