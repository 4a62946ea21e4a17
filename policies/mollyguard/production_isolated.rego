package mollyguard

# METADATA
# title: Production is not isolated by a network policy
# description: |
#   Warns of changing a network policy so that it cuts production off. Network policies
#   change often, and whether a change is meant is hard to tell from outside, so it only
#   warns by default. Whatever else is taken from one is left to production-unprotect.
# custom:
#   policy: production-isolated
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-isolated
violation contains {"policy": "production-isolated", "severity": "medium", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "unprotect"
	input.production.is
	_isolates
	message := "the network policy would cut production off"
}

_spoken_for contains "selected" if _isolates

# All that changes is traffic: a label or a finalizer that goes with it is not for this
# policy. The words are those of the webhook.
_isolates if {
	input.verb == "unprotect"
	input.target.group == "networking.k8s.io"
	input.target.resource == "networkpolicies"
	count(input.changes) > 0
	every change in input.changes {
		startswith(change, "no traffic ")
	}
}
