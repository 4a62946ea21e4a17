package certs

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// maxFileBytes caps every file that is read: 1 MiB, which is what a Secret or ConfigMap can hold, and four times the list of
// authorities that browsers trust.
const maxFileBytes = 1 << 20

// readFile reads a regular file of at most maxFileBytes. Errors name the path.
func readFile(path string) (data []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe could block for ever
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFileBytes)
	}
	return data, nil
}
