package webhook

import (
	"cmp"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// depend adds what goes with the target of an operation, or fails without it, to what
// the review itself said.
func (r *Reviewer) depend(op *operation.Operation, reviewed *request) {
	if r.dependents == nil || !destructive(op) {
		return
	}
	q := r.mapper.question(reviewed)
	if !slices.ContainsFunc(op.Verbs(), func(v operation.Verb) bool { return takesAlong(v, q) }) {
		return
	}
	q.UID = cmp.Or(q.UID, op.Target.UID) // looked up, where the review does not carry the object
	answer := r.dependents.Lost(q)
	op.Dependents = append(op.Dependents, answer.Dependents...)
	op.Volumes = append(op.Volumes, answer.Volumes...)
	op.Covered = answer.Covered
	op.Unknown = append(op.Unknown, answer.Unknown...)
}

// takesAlong says whether a verb can hurt others than its target. Nobody but an
// autoscaler takes others along to zero.
func takesAlong(v operation.Verb, q index.Question) bool {
	return v != operation.Update && (v != operation.ScaleToZero || q.Scales != nil)
}
