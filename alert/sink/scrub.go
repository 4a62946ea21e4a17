package sink

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// maxQuoted is how much of what the other side says is repeated, in bytes: a line or
// two.
const maxQuoted = 300

// minPart is from how many bytes on a part of a secret URL is a secret too: shorter
// ones are words such as services, v2 or a port.
const minPart = 6

const redacted = "[redacted]"

// scrubber takes secrets out of texts.
type scrubber struct{ secrets []string }

// newScrubber knows texts that are secret, and each part of them but public ones:
// errors hold them taken apart, escaped, or put together into the URL of an API.
func newScrubber(public []string, secrets ...operation.Secret) scrubber {
	var s scrubber
	for _, secret := range secrets {
		text := secret.Reveal()
		s.add(text)
		s.add(base64.StdEncoding.EncodeToString([]byte(text)))
		unescaped, err := url.PathUnescape(text)
		if err != nil {
			unescaped = text // not escaped, then
		}
		for _, form := range []string{text, unescaped} {
			for _, part := range strings.FieldsFunc(form, isDelimiter) {
				if len(part) >= minPart && !slices.Contains(public, part) {
					s.add(part)
				}
			}
		}
	}
	// The longest first, so that no rest of one is left by a part of it.
	slices.SortFunc(s.secrets, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	s.secrets = slices.Compact(s.secrets)
	return s
}

func (s *scrubber) add(secret string) {
	if secret != "" {
		s.secrets = append(s.secrets, secret, url.QueryEscape(secret), url.PathEscape(secret))
	}
}

func isDelimiter(r rune) bool { return strings.ContainsRune("/:@?&=#+-, ", r) }

// anyURL finds URLs, of which only the scheme and the host are shown.
var anyURL = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/@"']*@)?([^\s/?#"']*)[^\s"']*`)

// clean returns a text from outside without secrets, printable, and of a line or two.
func (s scrubber) clean(text string) string {
	for _, secret := range s.secrets {
		text = replaceFold(text, secret)
	}
	text = anyURL.ReplaceAllString(text, "${1}${2}")
	return operation.Clip(operation.Printable(strings.Join(strings.Fields(text), " ")), maxQuoted)
}

// replaceFold redacts each occurrence of a secret in any case: hosts are lowered.
func replaceFold(text, secret string) string {
	return regexp.MustCompile(`(?i)`+regexp.QuoteMeta(secret)).ReplaceAllLiteralString(text, redacted)
}
