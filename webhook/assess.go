package webhook

import (
	"context"
	"fmt"

	"github.com/mollyguard/mollyguard/operation"
)

// Assessor says what would deny an operation that nobody has asked for yet.
// *guard.Guard is one.
type Assessor interface {
	Assess(ctx context.Context, op operation.Operation) ([]operation.Violation, error)
}

// Assess completes an operation that somebody intends from what the cluster knows
// of its target, the way a review of it would be, and asks an Assessor. An error
// means that the policies could not be asked, or that the target is no object of
// this cluster.
func (r *Reviewer) Assess(ctx context.Context, assessor Assessor, actor operation.Actor, verb operation.Verb, target operation.Reference) ([]operation.Violation, error) {
	name, ok := operation.ParseKubernetesRef(target.Ref)
	if !ok || name.Cluster != r.mapper.cluster {
		return nil, fmt.Errorf("%s is not an object of %s", operation.Printable(target.Ref), r.mapper.cluster)
	}
	op := operation.Operation{
		Surface: operation.Kubernetes, Verb: verb, Phase: operation.Requested, Actor: actor,
		Target: operation.Target{
			Reference: operation.Reference{Ref: target.Ref, Kind: target.Kind, Namespace: name.Namespace, Name: name.Name, UID: target.UID},
			Group:     name.Group, Resource: name.Resource, Cluster: name.Cluster,
		},
	}
	r.mapper.intended(&op)
	r.complete(ctx, &op, needs{namespace: name.Namespace, object: true}, "")
	return assessor.Assess(ctx, op)
}
