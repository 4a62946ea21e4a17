package operation

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that must not be shown: a token as somebody presents it.
// However it is printed, encoded or logged, it reads [redacted]; Reveal is the
// one way to the text, and easy to search for.
type Secret struct {
	// text is behind a pointer because fmt shows what a struct holds for %p,
	// whatever methods it has.
	text *string
}

const redacted = "[redacted]"

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text; of the zero Secret, the empty one.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Equal reports whether two secrets are the same text, in a time that does not
// depend on where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// Format implements fmt.Formatter, for every verb: %d of a struct would else show
// what is in it.
func (Secret) Format(f fmt.State, _ rune) {
	// An error of the writer is fmt's to report.
	_, _ = io.WriteString(f, redacted)
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
