package mollyguard

# METADATA
# title: Nobody borrows an identity that is let through
# description: |
#   Refuses to hand out a token or certificate of an identity that Mollyguard lets
#   through, or the right to impersonate it: whoever has it is asked nothing any more.
# custom:
#   policy: guard-impersonated
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#guard-impersonated
violation contains {"policy": "guard-impersonated", "severity": "critical", "message": message, "break_glass": {"approvals": 2}} if {
	input.target.passes != ""
	message := sprintf("it gives somebody the use of an identity that mollyguard lets through (exemption %s)", [input.target.passes])
}
