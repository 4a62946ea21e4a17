package mapping

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

var (
	// handles have the form of a grant's handle (breakglass.IsHandle).
	handles = regexp.MustCompile(`\bbg-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}\b`)
	// tokens are signed tokens in compact form (RFC 7515 section 7.1): the header is an
	// object, so it begins with {" in base64url. What was cut off is still no one's
	// business.
	tokens = regexp.MustCompile(`eyJ[0-9A-Za-z_-]{5,}(?:\.[0-9A-Za-z_-]*){0,4}`)
)

// maxPresented is how many handles and tokens one reason may present.
const maxPresented = 8

// maxReason is how much of a reason is looked through: headers are not longer
// (https://cloud.google.com/load-balancing/docs/quotas#https-lb-header-limits).
const maxReason = 64 << 10

// presented finds the tokens and handles in a reason, each once.
func presented(reason string) []operation.Secret {
	reason = reason[:min(len(reason), maxReason)]
	found := tokens.FindAllString(reason, maxPresented)
	// A token's own text may look like a handle.
	found = append(found, handles.FindAllString(tokens.ReplaceAllString(reason, " "), maxPresented)...)
	var list []operation.Secret
	for _, text := range found {
		secret := operation.NewSecret(strings.TrimRight(text, ".")) // a sentence may end there
		if !slices.ContainsFunc(list, secret.Equal) && len(list) < maxPresented {
			list = append(list, secret)
		}
	}
	return list
}

// withoutTokens is an entry as it came, less the tokens that somebody gave as a reason.
func withoutTokens(data []byte) []byte {
	if !tokens.Match(data) {
		return data
	}
	return tokens.ReplaceAllLiteral(data, []byte("[redacted]"))
}

// redact takes tokens out of a text.
func redact(text string) string {
	if !tokens.MatchString(text) { // as good as always, and replacing nothing makes a copy
		return text
	}
	return tokens.ReplaceAllString(text, "[redacted]")
}
