package mollyguard.issuance_test

import data.mollyguard.issuance

_is_too_long(stage, severity, seconds, config) if {
	some v in issuance.violation with input as {"stage": stage, "severity": severity, "request": {"duration_seconds": seconds}, "config": config}
	v.policy == "longest"
	v.break_glass == "never"
}

test_longest_is_four_hours if not _is_too_long("request", "high", 14400, {})

test_longest_is_not_more_than_four_hours if _is_too_long("request", "high", 14401, {})

test_longest_is_one_number_for_all if _is_too_long("request", "low", 601, {"max_duration_seconds": 600})

test_longest_may_be_more if not _is_too_long("request", "low", 20000, {"max_duration_seconds": 20000})

test_longest_is_by_severity if {
	config := {"max_duration_seconds": {"critical": 600}}
	_is_too_long("request", "critical", 601, config)
	not _is_too_long("request", "critical", 600, config)
	not _is_too_long("request", "high", 14400, config)
	_is_too_long("request", "high", 14401, config)
}

test_longest_holds_for_the_grant_and_its_use if {
	_is_too_long("issue", "high", 14401, {})
	_is_too_long("use", "high", 14401, {})
}

test_longest_plays_no_part_in_an_approval if not _is_too_long("approve", "high", 14401, {})
