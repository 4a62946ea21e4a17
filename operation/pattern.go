package operation

import (
	"errors"
	"fmt"
	"regexp"
)

// ParsePattern compiles a pattern that matches whole strings
// (https://pkg.go.dev/regexp/syntax). The empty one is an error: it would only match the
// empty name.
func ParsePattern(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, errors.New("empty pattern: it would only match the empty name")
	}
	// Compiled alone first, so that "a)|(b" is not mended by the anchors.
	if _, err := regexp.Compile(text); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return regexp.Compile("^(?:" + text + ")$")
}
