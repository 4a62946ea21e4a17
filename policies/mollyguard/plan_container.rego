package mollyguard

# METADATA
# title: What holds others is not destroyed by a plan
# description: |
#   Refuses a Terraform plan that deletes or replaces a cluster, project, network,
#   database, bucket or key ring, production or not: what is in it goes along, and the
#   plan shows only what the same state has of it. Of production speak production-delete
#   and production-replace.
# custom:
#   policy: plan-container
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#plan-container
violation contains {"policy": "plan-container", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	input.surface == "terraform"
	input.verb in {"delete", "replace"}
	input.target.container
	not input.production.is
	message := "whatever is in it goes with it, also what the plan does not show"
}
