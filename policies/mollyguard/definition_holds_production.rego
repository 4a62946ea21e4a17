package mollyguard

# METADATA
# title: The kind of production objects is not taken away
# description: |
#   Refuses to delete a custom resource definition or an API service, or to stop serving
#   a version of it, while there are production objects of the kind. They go straight
#   from storage, without any request that could be refused, whether or not the
#   definition itself is production.
# custom:
#   policy: definition-holds-production
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#definition-holds-production
violation contains {"policy": "definition-holds-production", "severity": "critical", "message": message, "break_glass": {"approvals": 2}} if {
	input.verb in {"delete", "unprotect"}
	input.target.group in {"apiextensions.k8s.io", "apiregistration.k8s.io"}
	input.target.resource in {"customresourcedefinitions", "apiservices"}
	held := _production_via({"instance"})
	message := sprintf(_definition_message[input.verb], [held])
}

_spoken_for contains "instance" if {
	input.verb in {"delete", "unprotect"}
	input.target.group in {"apiextensions.k8s.io", "apiregistration.k8s.io"}
	input.target.resource in {"customresourcedefinitions", "apiservices"}
}

_definition_message := {
	"delete": "objects of production vanish with it, and nobody is asked about them: %s",
	"unprotect": "objects of production are reached through it: %s",
}
