package mollyguard.issuance_test

import data.mollyguard.issuance

_approvals(severity, config, target) := {v.break_glass.approvals |
	some v in issuance.violation with input as {"stage": "issue", "severity": severity, "request": {"targets": [target]}, "config": {"approvals": config}}
	v.policy == "approvals"
}

_pod := {"kind": "Pod", "ref": "k8s://prod/core/pods/shop/web"}

test_approvals_are_two_for_what_is_critical if _approvals("critical", {}, _pod) == {2}

test_approvals_are_one_for_the_rest if _approvals("high", {}, _pod) == set()

test_approvals_are_as_configured_for_a_severity if _approvals("high", {"severity": {"high": 3}}, _pod) == {3}

test_approvals_of_another_severity_leave_critical_as_it_is if _approvals("critical", {"severity": {"high": 3}}, _pod) == {2}

test_approvals_may_be_one_for_what_is_critical if _approvals("critical", {"severity": {"critical": 1}}, _pod) == set()

test_approvals_are_as_configured_for_a_kind if _approvals("low", {"kinds": {"Pod": 4}}, _pod) == {4}

test_approvals_of_a_kind_are_not_for_another if _approvals("low", {"kinds": {"Namespace": 4}}, _pod) == set()

test_approvals_go_by_the_reference_whatever_kind_is_written if {
	every kind, resource in {"Namespace": "namespaces", "Ingress": "ingresses", "NetworkPolicy": "networkpolicies", "pods": "pods"} {
		ref := sprintf("k8s://prod/any/%s/shop", [resource])
		_approvals("low", {"kinds": {kind: 4}}, {"kind": "X", "ref": ref}) == {4}
	}
}

test_approvals_do_not_go_by_the_name_of_an_object if {
	_approvals("low", {"kinds": {"Service": 4}}, {"kind": "Pod", "ref": "k8s://prod/core/pods/shop/service"}) == set()
}
