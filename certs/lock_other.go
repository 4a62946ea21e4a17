//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package certs

import (
	"errors"
	"os"
)

// lock has no implementation here: the program serves webhooks on Unix only, and elsewhere is a command-line client.
func lock(path string) (unlock func() error, err error) {
	return nil, &os.PathError{Op: "lock", Path: path, Err: errors.ErrUnsupported}
}
