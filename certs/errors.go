package certs

import (
	"errors"
	"fmt"
)

// ErrConflict is what [Store].Save returns (wrapped) when the store has changed since it was loaded: load it again.
var ErrConflict = errors.New("somebody else has changed it meanwhile")

// CorruptError says that stored state is ours but cannot be read. It may be replaced.
type CorruptError struct {
	Store string // such as `secret "mollyguard/mollyguard-certs"`
	Field string // such as "ca.crt"
	Err   error
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: field %q is damaged: %v", e.Store, e.Field, e.Err)
}

// Unwrap returns what is wrong with the field.
func (e *CorruptError) Unwrap() error { return e.Err }

// ForeignError says that what is stored was not written by this version of this program. It must not be replaced.
type ForeignError struct {
	Store  string
	Reason string // what is there and what to do about it
}

// Error implements error.
func (e *ForeignError) Error() string { return fmt.Sprintf("%s: %s", e.Store, e.Reason) }
