package mollyguard

# METADATA
# title: Configuration of production is not deleted or emptied
# description: |
#   Refuses to delete or to empty a Secret or ConfigMap that is not production itself
#   but that production pods mount or take their environment from. They fail at their
#   next start, which may be days later.
# custom:
#   policy: configuration-of-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#configuration-of-production
violation contains {"policy": "configuration-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb in {"delete", "empty"}
	input.target.group == ""
	input.target.resource in {"secrets", "configmaps"}
	not input.production.target
	found := _production_via({"mounted"})
	message := sprintf("production uses it: %s", [found])
}

_spoken_for contains "mounted" if {
	input.verb in {"delete", "empty"}
	input.target.group == ""
	input.target.resource in {"secrets", "configmaps"}
}
