package mollyguard

# METADATA
# title: Production is not destroyed past its guard
# description: |
#   Tells of what destroyed production in a cluster that a webhook of ours guards,
#   without a decision of it: the webhook was not called, or did not answer and the
#   API server went on.
# custom:
#   policy: production-unmediated
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-unmediated
violation contains {"policy": "production-unmediated", "severity": "critical", "message": message, "break_glass": "never"} if {
	input.mediation in {"unmediated", "failed-open"}
	input.production.is
	input.verb != "update"
	message := _past_the_guard[input.mediation]
}

_past_the_guard := {
	"unmediated": "production was destroyed without asking mollyguard's webhook: is its configuration still there?",
	"failed-open": "production was destroyed while mollyguard's webhook did not answer",
}
