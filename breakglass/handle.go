package breakglass

import (
	"fmt"
	"io"
	"regexp"
)

// handleAlphabet is Crockford's base 32 (https://www.crockford.com/base32.html)
// in lower case: no i, l, o or u, so that a handle can be read out on the phone.
const handleAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// handleForm is also a DNS label, which names of Kubernetes objects have to be.
var handleForm = regexp.MustCompile(`^bg-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`)

// NewHandle returns a handle such as bg-k7m4-q9tx: the name of a request and of
// the grant that it becomes. It is short because people type it. Forty random
// bits are no secret and need not be: knowing a handle opens nothing, and a store
// refuses the second of two equal ones.
func NewHandle(entropy io.Reader) (string, error) {
	var random [8]byte
	if _, err := io.ReadFull(entropy, random[:]); err != nil {
		return "", fmt.Errorf("make a handle: %w", err)
	}
	text := make([]byte, 0, len("bg-xxxx-xxxx"))
	text = append(text, "bg-"...)
	for i, b := range random {
		if i == 4 {
			text = append(text, '-')
		}
		text = append(text, handleAlphabet[b%32])
	}
	return string(text), nil
}

// IsHandle reports whether a text has the form of a handle.
func IsHandle(text string) bool { return handleForm.MatchString(text) }
