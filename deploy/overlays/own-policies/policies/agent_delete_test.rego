package mollyguard_test

import data.mollyguard

test_agent_delete_fires_on_agents if {
	some v in mollyguard.violation with input as {"verb": "delete", "actor": {"kind": "agent"}, "production": {"is": false}}
	v.policy == "agent-delete"
	v.severity == "medium"
	v.message != ""
}

test_agent_delete_leaves_people_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "actor": {"kind": "human"}, "production": {"is": true}}
	not "agent-delete" in policies
}

test_agent_delete_leaves_updates_by_agents_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "actor": {"kind": "agent"}, "production": {"is": false}}
	not "agent-delete" in policies
}
