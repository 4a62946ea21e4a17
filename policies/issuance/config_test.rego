package mollyguard.issuance_test

import data.mollyguard.issuance

_misunderstood(config) := {v.message |
	some v in issuance.violation with input as {"stage": "approve", "config": config}
	v.policy == "config"
	v.break_glass == "never"
}

test_config_may_be_empty if _misunderstood({}) == set()

test_config_may_say_everything if {
	_misunderstood({
		"approvals": {"severity": {"critical": 3}, "kinds": {"Namespace": 2}},
		"approver_groups": ["sre"],
		"max_duration_seconds": {"critical": 1800},
		"ticket_pattern": "INC-[0-9]+",
		"freeze": [{"from": "2026-12-24T00:00:00Z", "to": "2027-01-02T00:00:00.5+01:00", "reason": "holidays", "approvals": 3}],
		"own": {"any": ["thing"]},
	}) == set()
}

test_config_that_is_misspelt_refuses_everything if {
	_misunderstood({"approver_group": ["sre"]}) == {concat(" ", [
		"breakGlass.policies.config.approver_group is read by no policy:",
		"known are approvals, approver_groups, freeze, max_duration_seconds, own, ticket_pattern",
	])}
}

test_config_of_another_type_refuses_everything if {
	every key in ["approvals", "approver_groups", "max_duration_seconds", "ticket_pattern", "freeze"] {
		every value in [null, true, 1.5, ""] {
			count(_misunderstood({key: value})) == 1
		}
	}
}
