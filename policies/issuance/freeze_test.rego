package mollyguard.issuance_test

import data.mollyguard.issuance

_freezes(stage, at, window) := {v.break_glass |
	some v in issuance.violation with input as {"stage": stage, "time": at, "config": {"freeze": [window]}}
	v.policy == "freeze"
}

_window := {"from": "2026-12-20T00:00:00+01:00", "to": "2027-01-02T00:00:00Z"}

test_freeze_begins_when_it_begins if {
	_freezes("request", "2026-12-19T22:59:59Z", _window) == set()
	_freezes("request", "2026-12-19T23:00:00Z", _window) == {"never"}
}

test_freeze_ends_when_it_ends if {
	_freezes("request", "2027-01-01T23:59:59.999Z", _window) == {"never"}
	_freezes("request", "2027-01-02T00:00:00Z", _window) == set()
}

test_freeze_holds_for_the_grant_and_its_use if {
	_freezes("issue", "2026-12-24T00:00:00Z", _window) == {"never"}
	_freezes("use", "2026-12-24T00:00:00Z", _window) == {"never"}
}

test_freeze_plays_no_part_in_an_approval if _freezes("approve", "2026-12-24T00:00:00Z", _window) == set()

test_freeze_may_ask_for_more_people if {
	window := object.union(_window, {"approvals": 3})
	_freezes("use", "2026-12-24T00:00:00Z", window) == {{"approvals": 3}}
}

test_freeze_is_not_lifted_by_what_is_no_number_of_people if {
	every approvals in ["3", 0, -1, 1.5, 1000, null] {
		window := object.union(_window, {"approvals": approvals})
		_freezes("use", "2026-12-24T00:00:00Z", window) == {"never"}
	}
}

test_freeze_says_why if {
	window := object.union(_window, {"reason": "holidays"})
	some v in issuance.violation with input as {"stage": "use", "time": "2026-12-24T00:00:00Z", "config": {"freeze": [window]}}
	v.message == "frozen from 2026-12-20T00:00:00+01:00 to 2027-01-02T00:00:00Z: holidays"
}
