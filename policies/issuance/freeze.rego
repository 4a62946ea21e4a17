package mollyguard.issuance

# METADATA
# title: While things are frozen, nothing is granted
# description: |
#   Refuses requests, grants and uses inside a window of config.freeze, or asks for
#   as many approvals as the window says. A window is from its start up to, but not
#   including, its end.
# custom:
#   policy: freeze
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#freeze
violation contains {"policy": "freeze", "severity": "high", "message": message, "break_glass": "never"} if {
	some window in _open_windows
	not _is_count(object.get(window, "approvals", "never"))
	message := _frozen(window)
}

violation contains {"policy": "freeze", "severity": "high", "message": message, "break_glass": {"approvals": n}} if {
	some window in _open_windows
	n := object.get(window, "approvals", "never")
	_is_count(n)
	message := sprintf("%s: %d people have to approve", [_frozen(window), n])
}

_open_windows contains window if {
	input.stage in {"request", "issue", "use"}
	some window in object.get(input.config, "freeze", [])
	_is_time(window.from)
	_is_time(window.to)
	now := time.parse_rfc3339_ns(input.time)
	time.parse_rfc3339_ns(window.from) <= now
	now < time.parse_rfc3339_ns(window.to)
}

_frozen(window) := sprintf("frozen from %s to %s: %v", [window.from, window.to, object.get(window, "reason", "no reason given")])
