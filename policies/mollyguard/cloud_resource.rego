package mollyguard

# METADATA
# title: The cloud resource behind an object is not deleted
# description: |
#   Refuses to delete an object that stands for a resource in the cloud (Config
#   Connector, Crossplane), if it is production: the controller deletes the resource
#   with it, unless the object says abandon or orphan.
# custom:
#   policy: cloud-resource
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#cloud-resource
violation contains {"policy": "cloud-resource", "severity": "critical", "message": message, "break_glass": {"approvals": 2}} if {
	input.verb == "delete"
	input.production.is
	some dependents in input.dependents
	dependents.via == "backs"
	message := "the resource in the cloud goes with it"
}

_spoken_for contains "backs" if input.verb == "delete"
