package tfplan

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// plan is what Operations reads of a Document.
type plan interface {
	Head() Head
	Changes(ctx context.Context) iter.Seq2[*Change, error]
	State(ctx context.Context) iter.Seq2[*Resource, error]
}

// Operations maps a plan: first the plan as a whole, if it destroys anything, runs programs
// or a safeguard was left out when it was made, then each change that is judged, in the plan's order, with
// what lives in the containers that are destroyed. w.Head need not be set. After an error,
// which is yielded, nothing follows.
//
// It reads the changes twice and the state once, if containers go, and keeps what it
// counts of at most maxContainers of them; both once more if labels of namespaces count.
func Operations(ctx context.Context, d *Document, m *Mapper, w Whole) iter.Seq2[operation.Operation, error] {
	return operations(ctx, d, m, w)
}

func operations(ctx context.Context, p plan, m *Mapper, w Whole) iter.Seq2[operation.Operation, error] {
	return func(yield func(operation.Operation, error) bool) {
		w.Head = p.Head()
		contents, err := m.contents(ctx, p, &w)
		if err != nil {
			yield(operation.Operation{}, err)
			return
		}
		w.runs()
		if (w.Head.Destroys > 0 || len(w.Unsafe) > 0) && !yield(w.operation(), nil) {
			return
		}
		for c, err := range p.Changes(ctx) {
			if err != nil {
				yield(operation.Operation{}, err)
				return
			}
			if m.options.NamespaceLabelsCount && w.namespaces == nil && m.inNamespace(c) {
				if w.namespaces, err = m.namespaces(ctx, p, &w); err != nil {
					yield(operation.Operation{}, err)
					return
				}
			}
			op, judged, err := m.Map(c, &w)
			if err != nil {
				yield(operation.Operation{}, err)
				return
			}
			if !judged {
				continue
			}
			contents.complete(c, &op)
			if !yield(op, nil) {
				return
			}
		}
	}
}

// runs adds to what is unsafe that programs run.
func (w *Whole) runs() {
	if w.provisioned+w.Head.Externals > 0 && !slices.Contains(w.Unsafe, operation.Provisioners) {
		w.Unsafe = append(slices.Clone(w.Unsafe), operation.Provisioners)
	}
}

// operation is the plan as a whole: what it destroys, and which safeguards were left out
// when it was made.
func (w *Whole) operation() operation.Operation {
	op := operation.Operation{
		Surface: operation.Terraform, Phase: operation.Requested,
		Actor: w.Actor, Origin: w.Origin, Source: w.Source, Plan: w.plan(),
		Target: operation.Target{Reference: w.Plan, Resource: "plans", Within: w.Plan.Ref},
	}
	var verbs []operation.Verb
	if p := op.Plan; p.Destroys > 0 {
		change := fmt.Sprintf("removes %d resources, and how many are managed is not in the plan", p.Destroys)
		if p.Managed > 0 {
			change = fmt.Sprintf("removes %d %% (%d of %d) of what is managed", p.Share, p.Destroys, p.Managed)
		}
		verbs, op.Changes = append(verbs, operation.Delete), append(op.Changes, change)
	}
	if len(w.Unsafe) > 0 {
		verbs = append(verbs, operation.Unprotect)
	}
	for _, hazard := range w.Unsafe {
		op.Changes = append(op.Changes, hazard.Words())
	}
	switch n := w.provisioned; n {
	case 0:
	case 1:
		op.Changes = append(op.Changes, "1 resource runs provisioners")
	default:
		op.Changes = append(op.Changes, fmt.Sprintf("%d resources run provisioners", n))
	}
	switch n := w.Head.Externals; n {
	case 0:
	case 1:
		op.Changes = append(op.Changes, "1 data source runs a program (external)")
	default:
		op.Changes = append(op.Changes, fmt.Sprintf("%d data sources run programs (external)", n))
	}
	op.Verb, op.Also = verbs[0], append(op.Also, verbs[1:]...)
	return op
}
