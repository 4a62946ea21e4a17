package mollyguard.issuance

# METADATA
# title: The configuration of issuing policy is understood
# description: |
#   Refuses everything while breakGlass.policies.config holds what the embedded
#   policies do not understand: a limit that is written in a way that nobody reads
#   is no limit. canary_config.json says so at the start already.
# custom:
#   policy: config
#   severity: critical
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#config
violation contains {"policy": "config", "severity": "critical", "message": message, "break_glass": "never"} if {
	some problem in _problems
	message := concat(".", ["breakGlass.policies.config", problem])
}

_problems contains _unknown(key, _keys) if {
	some key in object.keys(input.config)
	not key in _keys
}

_problems contains "approvals is not a map" if not is_object(object.get(input.config, "approvals", {}))

_problems contains sprintf("approvals.%s", [_unknown(key, {"severity", "kinds"})]) if {
	some key in object.keys(_map(["approvals"]))
	not key in {"severity", "kinds"}
}

_problems contains sprintf("approvals.%s is not a map", [by]) if {
	some by in ["severity", "kinds"]
	not is_object(object.get(input.config, ["approvals", by], {}))
}

_problems contains sprintf("approvals.severity.%s", [_unknown(severity, _severities)]) if {
	some severity in object.keys(_map(["approvals", "severity"]))
	not severity in _severities
}

_problems contains sprintf("approvals.%s.%s is not %s", [by, name, _a_count]) if {
	some by in ["severity", "kinds"]
	some name, n in _map(["approvals", by])
	not _is_count(n)
}

_problems contains "approver_groups is not a list" if not is_array(object.get(input.config, "approver_groups", []))

_problems contains sprintf("approver_groups[%d] is not the name of a group", [i]) if {
	some i, group in _list("approver_groups")
	not _is_name(group)
}

_problems contains "max_duration_seconds is neither a whole number of at least 60 nor a map of those by severity" if {
	limit := object.get(input.config, "max_duration_seconds", {})
	not is_object(limit)
	not _is_seconds(limit)
}

_problems contains sprintf("max_duration_seconds.%s", [_unknown(severity, _severities)]) if {
	some severity in object.keys(_map(["max_duration_seconds"]))
	not severity in _severities
}

_problems contains sprintf("max_duration_seconds.%s is not a whole number of at least 60", [severity]) if {
	some severity, seconds in _map(["max_duration_seconds"])
	not _is_seconds(seconds)
}

_problems contains "ticket_pattern is not a regular expression" if not _is_pattern(object.get(input.config, "ticket_pattern", "none"))

_problems contains "freeze is not a list" if not is_array(object.get(input.config, "freeze", []))

_problems contains sprintf("freeze[%d] is not a map", [i]) if {
	some i, window in _list("freeze")
	not is_object(window)
}

_problems contains sprintf("freeze[%d].%s", [i, _unknown(key, _window_keys)]) if {
	some i, window in _list("freeze")
	is_object(window)
	some key in object.keys(window)
	not key in _window_keys
}

_problems contains sprintf("freeze[%d].%s is not a time such as 2026-12-24T00:00:00Z", [i, key]) if {
	some i, window in _list("freeze")
	is_object(window)
	some key in ["from", "to"]
	not _is_time(object.get(window, key, ""))
}

# A time of that form which no calendar has is an error of the evaluation, here
# already: nothing is granted, and nothing starts.
_problems contains sprintf("freeze[%d] ends before it begins", [i]) if {
	some i, window in _list("freeze")
	_is_time(window.from)
	_is_time(window.to)
	time.parse_rfc3339_ns(window.from) >= time.parse_rfc3339_ns(window.to)
}

_problems contains sprintf("freeze[%d].reason is not a text", [i]) if {
	some i, window in _list("freeze")
	is_object(window)
	not is_string(object.get(window, "reason", ""))
}

_problems contains sprintf("freeze[%d].approvals is not %s", [i, _a_count]) if {
	some i, window in _list("freeze")
	is_object(window)
	not _is_count(object.get(window, "approvals", 1))
}

_keys := {"approvals", "approver_groups", "max_duration_seconds", "ticket_pattern", "freeze", "own"}

_window_keys := {"from", "to", "reason", "approvals"}

_severities := {"low", "medium", "high", "critical"}

_unknown(key, known) := sprintf("%s is read by no policy: known are %s", [key, concat(", ", known)])

# _map is a map of the configuration, empty if there is none or it is none.
_map(path) := value if {
	value := object.get(input.config, path, {})
	is_object(value)
} else := {}

_list(key) := value if {
	value := object.get(input.config, key, [])
	is_array(value)
} else := []

_a_count := "a whole number from 1 to 100"

_is_count(n) if {
	is_number(n)
	n >= 1
	n <= 100
	floor(n) == n
}

# A grant lasts for a minute at least.
_is_seconds(n) if {
	is_number(n)
	n >= 60
	floor(n) == n
}

_is_name(name) if {
	is_string(name)
	trim_space(name) == name
	name != ""
}

_is_time(text) if {
	is_string(text)
	regex.match(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$`, text)
}

# Valid by itself, since "a)|(b" is valid only between the anchors, and between
# the anchors, since "\Qa" is valid only by itself.
_is_pattern(pattern) if {
	is_string(pattern)
	pattern != ""
	regex.is_valid(pattern)
	regex.is_valid(_anchored(pattern))
}

_anchored(pattern) := concat("", ["^(?:", pattern, ")$"])
