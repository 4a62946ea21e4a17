package mollyguard.issuance_test

import data.mollyguard.issuance

_approver_is_refused(question) if {
	some v in issuance.violation with input as question
	v.policy == "approvers"
	v.break_glass == "never"
}

_approval(approver, groups) := {"stage": "approve", "approver": approver, "config": {"approver_groups": groups}}

_bob := {"name": "bob", "kind": "human", "groups": ["dev", "sre"]}

test_approvers_of_a_group_approve if not _approver_is_refused(_approval(_bob, ["platform", "sre"]))

test_approvers_of_no_group_do_not if _approver_is_refused(_approval(_bob, ["platform"]))

test_approvers_without_any_group_do_not if _approver_is_refused(_approval({"name": "bob", "kind": "human", "groups": []}, ["platform"]))

test_approvers_who_are_not_named_do_not if _approver_is_refused(_approval(null, ["platform"]))

test_approvers_are_whoever_may_if_there_are_no_groups if not _approver_is_refused(_approval(_bob, []))

test_approvers_are_whoever_may_if_groups_are_not_set if not _approver_is_refused({"stage": "approve", "approver": _bob, "config": {}})

test_approvers_play_no_part_in_a_request if not _approver_is_refused({"stage": "request", "approver": null, "config": {"approver_groups": ["sre"]}})
