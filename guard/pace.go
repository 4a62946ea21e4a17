package guard

import (
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// Pace counts what each actor does to production. *pace.Book is one. It is called
// concurrently.
type Pace interface {
	// Look returns what the actor has done lately, as if the operation were counted too.
	Look(op *operation.Operation) operation.Recent
	// Count counts an operation that goes through.
	Count(op *operation.Operation)
}

// look fills in what the actor has done lately, of an operation that would count.
func (g *Guard) look(op *operation.Operation) {
	if g.pace != nil && paced(op) {
		op.Recent = g.pace.Look(op)
	}
}

// intend is look for an operation that is intended as often as Recent.Count says.
func (g *Guard) intend(op *operation.Operation) {
	more := max(op.Recent.Count-1, 0)
	op.Recent = operation.Recent{}
	if g.look(op); op.Recent.Limit > 0 {
		op.Recent.Count += more
	}
}

// count counts what goes through. It is done before the decision is recorded: that takes
// the time of a disk, in which others would look and not find it. What is refused then,
// because it could not be recorded, was counted all the same. Looking and counting are not
// one step: what one actor has under way at the same moment can all go through, since none
// of it is counted yet for the rest. To hold a place from look to count would make each
// operation wait for the judgement of the one before. What an exemption lets
// through is not counted: nobody would be stopped by it, but by its count what the same
// actor does besides.
func (g *Guard) count(op *operation.Operation, d operation.Decision) {
	if g.pace != nil && paced(op) && !op.DryRun && !d.Refused() && d.Exempt == "" {
		g.pace.Count(op)
	}
}

// paced reports whether an operation is one of those that are counted: something
// destructive that is about to be done to production in a cluster, by somebody other than
// the cluster's own controllers. An eviction that Kubernetes itself sees to is none: a
// drain would use up what its actor may do. Neither is a deletion of what has ended, or a
// network policy: whoever sets up namespaces makes many.
//
// What somebody does as somebody else counts as that one's: the API server shows nobody
// else.
func paced(op *operation.Operation) bool {
	if op.Verb == operation.Evict && op.Covered || op.Target.Ended || op.Target.Group == "networking.k8s.io" && op.Target.Resource == "networkpolicies" {
		return false
	}
	destroys := func(v operation.Verb) bool { return v != operation.Update }
	return op.Surface == operation.Kubernetes && op.Phase == operation.Requested && op.Production.Is &&
		op.Actor.Kind != operation.Controller && (destroys(op.Verb) || slices.ContainsFunc(op.Also, destroys))
}
