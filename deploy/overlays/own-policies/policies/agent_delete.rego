package mollyguard

# METADATA
# title: Agents delete nothing
# description: |
#   Refuses deletions by AI and other autonomous agents, production or not. Who is
#   an agent says agents in the configuration.
#   Where nothing is production the API server goes on without an answer, so this
#   holds there only as long as a replica answers.
# custom:
#   policy: agent-delete
#   severity: medium
violation contains {"policy": "agent-delete", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	input.actor.kind == "agent"
	message := "agents must not delete anything"
}
