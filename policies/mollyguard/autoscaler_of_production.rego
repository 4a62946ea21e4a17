package mollyguard

# METADATA
# title: Autoscalers do not scale production to zero
# description: |
#   Refuses to change an autoscaler of production so that it scales it to zero, or
#   guards it less.
# custom:
#   policy: autoscaler-of-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#autoscaler-of-production
violation contains {"policy": "autoscaler-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb in {"scale-to-zero", "unprotect"}
	input.target.group in {"autoscaling", "keda.sh"}
	input.target.resource in {"horizontalpodautoscalers", "scaledobjects", "scaledjobs"}
	scaled := _production_via({"scaled"})
	message := sprintf("it scales production: %s", [scaled])
}

_spoken_for contains "scaled" if {
	input.verb in {"scale-to-zero", "unprotect"}
	input.target.group in {"autoscaling", "keda.sh"}
	input.target.resource in {"horizontalpodautoscalers", "scaledobjects", "scaledjobs"}
}
