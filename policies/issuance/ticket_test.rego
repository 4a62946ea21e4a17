package mollyguard.issuance_test

import data.mollyguard.issuance

_ticket_is_refused(stage, ticket, config) if {
	some v in issuance.violation with input as {"stage": stage, "request": {"ticket": ticket}, "config": config}
	v.policy == "ticket"
	v.break_glass == "never"
}

_pattern := {"ticket_pattern": "INC-[0-9]+|CHG-[0-9]+"}

test_ticket_that_matches_is_taken if not _ticket_is_refused("request", "CHG-12", _pattern)

test_ticket_that_is_missing_is_refused if _ticket_is_refused("request", "", _pattern)

test_ticket_has_to_match_from_the_beginning if _ticket_is_refused("request", "not INC-1", _pattern)

test_ticket_has_to_match_to_the_end if _ticket_is_refused("request", "INC-1 or so", _pattern)

test_ticket_on_a_second_line_does_not_match if _ticket_is_refused("request", "none\nINC-1", {"ticket_pattern": "(?m)INC-1"})

test_ticket_is_asked_for_by_the_grant_and_its_use if {
	_ticket_is_refused("issue", "", _pattern)
	_ticket_is_refused("use", "", _pattern)
}

test_ticket_plays_no_part_in_an_approval if not _ticket_is_refused("approve", "", _pattern)

test_ticket_is_not_needed_without_a_pattern if not _ticket_is_refused("request", "", {})

test_ticket_never_matches_what_is_no_pattern if {
	every pattern in ["(", "INC-1)|(b", "\\QINC-1", "", 1, null, ["INC-1"]] {
		_ticket_is_refused("request", "INC-1", {"ticket_pattern": pattern})
	}
}
