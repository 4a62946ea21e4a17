package mollyguard.issuance

# METADATA
# title: There is a ticket
# description: |
#   Refuses requests whose ticket does not match config.ticket_pattern, a regular
#   expression that has to match all of it. Without a pattern, none is needed.
# custom:
#   policy: ticket
#   severity: low
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#ticket
violation contains {"policy": "ticket", "severity": "low", "message": message, "break_glass": "never"} if {
	input.stage in {"request", "issue", "use"}
	"ticket_pattern" in object.keys(input.config)
	not _ticket_matches
	message := sprintf("a ticket that matches %v is needed, not %q", [object.get(input.config, "ticket_pattern", ""), input.request.ticket])
}

_ticket_matches if {
	pattern := object.get(input.config, "ticket_pattern", "")
	_is_pattern(pattern)
	regex.match(_anchored(pattern), input.request.ticket)
}
