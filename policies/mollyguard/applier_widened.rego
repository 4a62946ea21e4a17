package mollyguard

# METADATA
# title: Who applies a plan is not given more rights by it
# description: |
#   Refuses a Terraform plan that gives more rights to the identity that applies it: the
#   next plan could do what this one may not, and nobody would have been asked.
# custom:
#   policy: applier-widened
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#applier-widened
violation contains {"policy": "applier-widened", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.target.widens != ""
	message := sprintf("the plan gives more rights to whoever applies it (%s)", [input.target.widens])
}
