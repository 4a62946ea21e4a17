package webhook

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// Assessor says what would deny an operation that nobody has asked for yet.
// *guard.Guard is one.
type Assessor interface {
	Assess(ctx context.Context, op operation.Operation) ([]operation.Violation, error)
}

// Assess completes an operation that somebody intends from what the cluster knows
// of its target and of what depends on it, the way a review of it would be, and asks an
// Assessor. An error means that the policies could not be asked, or that the target is no
// object of this cluster.
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
	r.foresee(ctx, &op)
	return assessor.Assess(ctx, op)
}

// foresee adds what depends on the target of an operation that somebody intends. It makes
// the request up from the object as it is now.
func (r *Reviewer) foresee(ctx context.Context, op *operation.Operation) {
	target := op.Target
	intended := request{
		resource: groupResource{group: target.Group, resource: target.Resource},
		kind:     target.Kind, name: target.Name, namespace: target.Namespace, operation: "UPDATE",
	}
	if op.Verb == operation.Delete {
		intended.operation = "DELETE"
	}
	if destructive(op) && (r.dependents != nil && slices.Contains(telling, intended.resource.full()) || mayStandForOthers(target.Group)) {
		text, err := r.lookup.Whole(ctx, ObjectKey{Group: target.Group, Resource: target.Resource, Namespace: target.Namespace, Name: target.Name})
		if err == nil {
			intended.oldObject, err = scanObject(text)
		}
		if err != nil {
			op.Unknown = append(op.Unknown, fmt.Sprintf("what depends on it (%v)", err))
		}
	}
	if destructive(op) {
		op.Unknown = append(op.Unknown, intended.relations(&index.Question{})...)
		op.Dependents = r.mapper.behind(&intended)
	}
	r.depend(op, &intended)
}

// mayStandForOthers reports whether objects of an API group may say that something in
// the cloud goes with them. Kubernetes' own don't.
func mayStandForOthers(group string) bool {
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}

// scanObject scans an object that was not in a review.
func scanObject(text []byte) (object, error) {
	s := scanner{dec: jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true)), body: text}
	var o object
	if err := s.object(&o); err != nil {
		return object{}, fmt.Errorf("read object: %w", describeJSON(err))
	}
	return o, nil
}
