package mollyguard

# METADATA
# title: The guard itself is left alone
# description: |
#   Refuses, or tells of, whatever is taken from Mollyguard itself: its webhook
#   configuration, its definitions and roles, the log sink and the subscription that
#   it sees by, the access that it reads with. It is the first step of whoever wants
#   the second to go unseen.
# custom:
#   policy: guard-weakened
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#guard-weakened
violation contains {"policy": "guard-weakened", "severity": "critical", "message": message, "break_glass": {"approvals": 2}} if {
	input.target.own
	message := "mollyguard sees or guards less from now on"
}
