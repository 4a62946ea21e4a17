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
	case e.status != ok && e.long.ID == "" && slices.Contains(inDoubt, e.status):
		return operation.Started
	case e.status != ok:
		return operation.Failed
	case e.long.ID != "" && !e.long.Last:
		return operation.Started
	}
	return operation.Finished
}

// inDoubt are codes of calls of which the caller did not hear the end: cancelled,
// unknown, deadline exceeded, internal, unavailable, data loss. The work may have been done.
var inDoubt = []int64{1, 2, 4, 13, 14, 15}

// notGranted reports whether rights were asked for and none was given: granted is left
// out where it is false. Some services ask for more than they need, so that one right
// which is missing says nothing; and what did not fail was granted whatever the entry
// says.
func (e *entry) notGranted() bool {
	return e.status != ok && len(e.authorizations) > 0 && !slices.Contains(e.authorizations, true)
}
