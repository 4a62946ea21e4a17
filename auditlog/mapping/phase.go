package mapping

import (
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// Codes of google.rpc.Code (https://cloud.google.com/tasks/docs/reference/rpc/google.rpc#code).
const (
	ok               = 0
	unknownError     = 2
	notFound         = 5
	alreadyExists    = 6
	permissionDenied = 7
	aborted          = 10
	unauthenticated  = 16
)

// phase says how far an operation has come.
func (e *entry) phase() operation.Phase {
	switch {
	case e.status == permissionDenied || e.status == unauthenticated:
		return operation.Refused
	case e.notGranted():
		return operation.Refused
	case e.status != ok:
		return operation.Failed
	case e.long.ID != "" && !e.long.Last:
		return operation.Started
	}
	return operation.Finished
}

// notGranted reports whether rights were asked for and none was given: granted is left
// out where it is false. Some services ask for more than they need, so that one right
// which is missing says nothing; and what went on was granted whatever the entry says.
func (e *entry) notGranted() bool {
	if len(e.authorizations) == 0 || slices.Contains(e.authorizations, true) {
		return false
	}
	return e.status != ok || e.long.ID == "" && !e.hasAnswer
}
