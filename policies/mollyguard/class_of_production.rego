package mollyguard

# METADATA
# title: A class that production names is not deleted
# description: |
#   Warns of deleting or weakening a StorageClass or PriorityClass that production
#   names. What runs goes on; what is created from then on does not.
# custom:
#   policy: class-of-production
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#class-of-production
violation contains {"policy": "class-of-production", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb in {"delete", "unprotect"}
	input.target.group in {"storage.k8s.io", "scheduling.k8s.io"}
	input.target.resource in {"storageclasses", "priorityclasses"}
	found := _production_via({"uses"})
	message := sprintf("production names it as its class: %s", [found])
}

_spoken_for contains "uses" if {
	input.verb in {"delete", "unprotect"}
	input.target.group in {"storage.k8s.io", "scheduling.k8s.io"}
	input.target.resource in {"storageclasses", "priorityclasses"}
}
