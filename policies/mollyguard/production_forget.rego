package mollyguard

# METADATA
# title: Production is not forgotten
# description: |
#   Refuses to drop production from Terraform's state, target or what depends on it: it
#   goes on, and from then on nobody's plan shows what is done to it, and nobody's plan
#   keeps it as it is meant to be.
# custom:
#   policy: production-forget
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-forget
violation contains {"policy": "production-forget", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "forget"
	input.production.is
	message := "production must not be dropped from the state: nothing would manage it any more"
}
