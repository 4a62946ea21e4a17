// Package sink holds the ways to people: each sink implements alert.Sink for one
// service, in one file.
//
// Sinks keep nothing on disk and start nothing in the background: what waits, when to
// try again and what is dead is the Deliverer's. A sink says of an attempt whether the
// other side has the alert, and believes only an answer that looks like the other
// side's: a captive portal answers 200 as well.
//
// Secrets are read at each attempt, so that rotating one needs no restart, and are in
// no error and no log, however the other side or a library quotes them.
package sink

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/mollyguard/mollyguard/operation"
)

// Credential returns a secret as it is now. It is called at each attempt to send, by
// one goroutine at a time. Its errors must not hold the secret.
type Credential func() (operation.Secret, error)

// maxSecret is how large the file of a secret may be, in bytes: 64 KiB, which is more
// than any header or URL that would be accepted elsewhere.
const maxSecret = 64 << 10

// FromFile reads a secret from a file each time it is called: one line, without the
// white space around it. A file that is missing, empty, larger than 64 KiB, or has
// more than one line is an error that names the path. The result may be called
// concurrently.
func FromFile(path string) Credential {
	return func() (operation.Secret, error) {
		text, err := readSecret(path)
		if err != nil {
			return operation.Secret{}, fmt.Errorf("read secret %q: %w", path, err)
		}
		return operation.NewSecret(text), nil
	}
}

// Fixed always returns the same secret.
func Fixed(secret operation.Secret) Credential {
	return func() (operation.Secret, error) { return secret, nil }
}

func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", errors.Unwrap(err) // the path is said once
	}
	defer file.Close() // only read
	data, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch text := strings.TrimSpace(string(data)); {
	case err != nil:
		return "", errors.Unwrap(err)
	case len(data) > maxSecret:
		return "", fmt.Errorf("more than %d bytes", maxSecret)
	case text == "":
		return "", errors.New("the file is empty")
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", errors.New("more than one line, or control characters")
	default:
		return text, nil
	}
}
