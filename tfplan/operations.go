package tfplan

import (
	"context"
	"fmt"
	"iter"

	"github.com/mollyguard/mollyguard/operation"
)

// plan is what Operations reads of a Document.
type plan interface {
	Head() Head
	Changes(ctx context.Context) iter.Seq2[*Change, error]
	State(ctx context.Context) iter.Seq2[*Resource, error]
}

// Operations maps a plan: first the plan as a whole, if it destroys anything or something
// was left out when it was made, then each
// change that is judged, in the plan's order, with what lives in the containers that are
// destroyed. w.Head need not be set. After an error, which is yielded, nothing follows.
//
// It reads the changes twice and the state once, if containers go, and keeps what it
// counts of at most maxContainers of them.
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
		if (w.Head.Destroys > 0 || len(w.Unsafe) > 0) && !yield(w.operation(), nil) {
			return
		}
		for c, err := range p.Changes(ctx) {
			if err != nil {
				yield(operation.Operation{}, err)
				return
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

// operation is the plan as a whole: what it destroys, and what was left out when it was
// made.
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
		op.Changes = append(op.Changes, "made with less care than usual: "+string(hazard))
	}
	op.Verb, op.Also = verbs[0], append(op.Also, verbs[1:]...)
	return op
}
