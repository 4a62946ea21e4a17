package mollyguard.issuance

# METADATA
# title: No grant lasts longer than it should
# description: |
#   Refuses grants that could be used for longer than config.max_duration_seconds,
#   which is one number or one for each severity: four hours if it is not set.
# custom:
#   policy: longest
#   severity: medium
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#longest
violation contains {"policy": "longest", "severity": "medium", "message": message, "break_glass": "never"} if {
	input.stage in {"request", "issue", "use"}
	input.request.duration_seconds > _longest
	message := sprintf("it is for %d seconds; %d are the most for what is %s", [input.request.duration_seconds, _longest, input.severity])
}

# Four hours.
default _longest := 14400

_longest := seconds if {
	seconds := object.get(input.config, "max_duration_seconds", {})
	_is_seconds(seconds)
}

_longest := seconds if {
	seconds := object.get(input.config, ["max_duration_seconds", input.severity], {})
	_is_seconds(seconds)
}
