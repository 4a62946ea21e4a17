package mollyguard.issuance_test

import data.mollyguard.issuance

_machine_is_refused(question) if {
	some v in issuance.violation with input as object.union({"config": {}}, question)
	v.policy == "machines"
	v.break_glass == "never"
}

test_machines_do_not_approve if {
	every kind in ["service", "controller", "agent", ""] {
		_machine_is_refused({"stage": "approve", "approver": {"name": "x", "kind": kind}})
	}
}

test_machines_that_are_taken_for_people_do_not_approve if {
	_machine_is_refused({"stage": "approve", "approver": {"name": "system:serviceaccount:ci:deployer", "kind": "human"}})
}

test_machines_are_what_nobody_names if _machine_is_refused({"stage": "approve", "approver": null})

test_machines_are_not_people if not _machine_is_refused({"stage": "approve", "approver": {"name": "bob", "kind": "human"}})

test_machines_that_have_approved_open_nothing if {
	every stage in ["approve", "issue", "use"] {
		_machine_is_refused({"stage": stage, "approvers": [{"name": "bob", "kind": "human"}, {"name": "ci", "kind": "service"}]})
	}
}

test_machines_may_ask if {
	not _machine_is_refused({"stage": "request", "approver": null, "approvers": [], "request": {"requester": {"name": "ci", "kind": "service"}}})
}
