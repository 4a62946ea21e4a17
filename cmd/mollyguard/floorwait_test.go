package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

const floorRef = "k8s://prod-eu/core/namespaces/shop"

// lateFloor is a Floor that knows of a grant from some look on.
type lateFloor struct {
	client.Reader
	from  int // 0 is never
	ref   string
	err   error
	looks int
}

func (f *lateFloor) Get(ctx context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	if f.looks++; f.err != nil {
		return f.err
	}
	if f.from > 0 && f.looks >= f.from {
		o.(*v1alpha1.Floor).Spec.Grants = []v1alpha1.FloorGrant{{Grant: "bg-k7m4-q9tx", Ref: f.ref}}
	}
	return ctx.Err()
}

// sameDecision decides the same.
type sameDecision struct{ decision operation.Decision }

func (a sameDecision) Decide(context.Context, operation.Operation) operation.Decision {
	return a.decision
}

func (a sameDecision) Undecidable(context.Context, operation.Operation, error) operation.Decision {
	return a.decision
}

func TestNothingGoesThroughByAGrantBeforeTheFloorKnowsOfIt(t *testing.T) {
	granted := operation.Decision{ID: "01J", Outcome: operation.OutcomeAllow, Grant: "bg-k7m4-q9tx"}
	deletion := operation.Operation{Verb: operation.Delete, Target: operation.Target{Reference: operation.Reference{Ref: floorRef}}}
	with := func(change func(op *operation.Operation)) operation.Operation {
		op := deletion
		change(&op)
		return op
	}
	denied, none := granted, granted
	denied.Outcome, none.Grant = operation.OutcomeDeny, ""
	const often = -1 // the last look and the end of patience are at the same time
	notFound := apierrors.NewNotFound(schema.GroupResource{Resource: "floors"}, "mollyguard")
	for _, tt := range []struct {
		name     string
		floor    lateFloor
		op       operation.Operation
		decision operation.Decision
		looks    int
		waited   time.Duration
		warns    bool
	}{
		{"it knows", lateFloor{from: 1, ref: floorRef}, deletion, granted, 1, 0, false},
		{"it learns", lateFloor{from: 4, ref: floorRef}, deletion, granted, 4, 3*floorPoll + floorSeen, false},
		{"it never learns", lateFloor{}, deletion, granted, often, floorPatience, true},
		{"it knows of another object", lateFloor{from: 1, ref: floorRef + "-2"}, deletion, granted, often, floorPatience, true},
		{"it knows of our namespace", lateFloor{from: 1, ref: "ours"}, with(func(op *operation.Operation) { op.Target.Within = "ours" }), granted, 1, 0, false},
		{"there is none", lateFloor{err: notFound}, deletion, granted, 1, 0, false},
		{"it cannot be read", lateFloor{err: errors.New("no answer")}, deletion, granted, 1, 0, true},
		{"a dry run", lateFloor{}, with(func(op *operation.Operation) { op.DryRun = true }), granted, 0, 0, false},
		{"what the floor leaves alone", lateFloor{}, with(func(op *operation.Operation) { op.Verb = operation.Evict }), granted, 0, 0, false},
		{"what is refused", lateFloor{}, deletion, denied, 0, 0, false},
		{"what needs no grant", lateFloor{}, deletion, none, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				w := &floorWait{Decider: sameDecision{tt.decision}, floors: &tt.floor, name: "mollyguard", log: slog.New(slog.NewTextHandler(&log, nil))}
				start := time.Now()
				d := w.Decide(t.Context(), tt.op)
				if d.ID != tt.decision.ID || d.Outcome != tt.decision.Outcome {
					t.Errorf("the decision is %+v", d)
				}
				if waited := time.Since(start); tt.looks != often && tt.floor.looks != tt.looks || waited != tt.waited || strings.Contains(log.String(), "level=WARN") != tt.warns {
					t.Errorf("%d looks in %v, want %d in %v; it says %q", tt.floor.looks, waited, tt.looks, tt.waited, &log)
				}
			})
		})
	}
}

func TestTheWaitForTheFloorLeavesTimeToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &floorWait{
			Decider: sameDecision{operation.Decision{Outcome: operation.OutcomeAllow, Grant: "bg-k7m4-q9tx"}}, floors: &lateFloor{}, log: slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		w.Decide(ctx, operation.Operation{Verb: operation.Delete})
		if waited := time.Since(start); waited != 2*time.Second-floorMargin {
			t.Errorf("it waited %v", waited)
		}
	})
}
