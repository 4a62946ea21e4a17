package sink

import (
	"errors"
	"slices"

	"github.com/mollyguard/mollyguard/alert"
)

// slackError is what a method answers instead of doing it.
type slackError struct{ method, code string }

// Error implements error.
func (e *slackError) Error() string {
	text := e.method + " answered " + e.code
	switch e.code {
	case "not_in_channel":
		text += ": invite the bot to the channel"
	case "missing_scope":
		text += ": the bot needs the scope chat:write"
	}
	return text
}

// gone reports whether the message that was to be changed cannot be
// (https://docs.slack.dev/reference/methods/chat.update#errors).
func (e *slackError) gone() bool {
	return slices.Contains([]string{"message_not_found", "cant_update_message", "edit_window_closed"}, e.code)
}

// slackRefuses reports whether a word of Slack's says that this message will not be taken
// there (https://docs.slack.dev/reference/methods/chat.postMessage#errors and, of
// webhooks, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
// Others may pass: a limit, trouble at Slack's, a token that is being rotated.
func slackRefuses(word string) bool {
	return slices.Contains([]string{
		"action_prohibited", "as_user_not_supported", "cannot_reply_to_message", "channel_is_archived", "channel_not_found",
		"ekm_access_denied", "invalid_arguments", "invalid_blocks", "invalid_blocks_format", "invalid_payload",
		"is_archived", "missing_scope", "missing_text_or_fallback_or_attachments", "msg_blocks_too_long", "msg_too_long",
		"no_permission", "no_permission_to_channel", "no_service", "no_service_id", "no_team", "no_text", "not_in_channel",
		"posting_to_general_channel_denied", "restricted_action", "restricted_action_read_only_channel",
		"team_disabled", "too_many_attachments", "user_not_found",
	}, word)
}

// asSinkError turns what a method said into what alert.Sink wants.
func asSinkError(err error) error {
	if problem, ok := errors.AsType[*slackError](err); ok && slackRefuses(problem.code) {
		return &alert.Rejected{Reason: problem.Error()}
	}
	return err
}
