package operation

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that must not be shown: a token as somebody presents it.
// However it is printed, encoded or logged, it reads [redacted]; Reveal is the
// one way to the text, and easy to search for.
type Secret struct{ text string }

const redacted = "[redacted]"

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

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
