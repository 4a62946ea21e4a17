package auditlog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// Decider judges operations and records the decisions. *guard.Guard is one. It is
// called concurrently.
type Decider interface {
	Decide(ctx context.Context, op operation.Operation) operation.Decision
}

// Recorder keeps decisions. When Record returns nil the decision is where it will be
// found. *ledger.Log is one.
type Recorder interface {
	Record(ctx context.Context, d operation.Decision) error
}

// Marks says what labels tell about production.
type Marks func(labels map[string]string) (production, told bool)

// Judging makes operations of readings ready to be judged. It may be used concurrently.
type Judging struct {
	// Inventory may be nil: then no labels are known.
	Inventory Inventory
	// Marks is required.
	Marks Marks
}

// Complete adds what the inventory knows to a reading's operation. What cannot be
// learnt is told in Operation.Unknown.
func (j Judging) Complete(ctx context.Context, r *Reading) {
	op := &r.Operation
	ref := op.Target.Ref
	if r.Parent != "" {
		ref = r.Parent
	}
	var a Asset
	var known bool
	var err error
	if j.Inventory != nil && ref != "" {
		a, known, err = j.Inventory.Find(ctx, ref, op.Target.Project, op.Time)
	}
	op.Target.Labels, op.Target.Tags = a.Labels, a.Tags
	op.Target.ProjectLabels, op.Target.Ancestors = a.ProjectLabels, a.Ancestors
	j.former(op, a)
	switch {
	case err != nil:
		op.Unknown = append(op.Unknown, fmt.Sprintf("its labels could not be found out: %v", err))
	case !known:
		op.Unknown = append(op.Unknown, "its labels are not known")
	case r.Parent != "" && !j.told(a):
		// The labels of what is in the parent are in no log.
		op.Unknown = append(op.Unknown, "its own labels are not known, and the cluster's say nothing")
	}
	j.relabel(r, known && err == nil)
	j.dependents(ctx, op)
}

// told reports whether labels or tags say of what kind the resource is.
func (j Judging) told(a Asset) bool {
	return slices.ContainsFunc([]map[string]string{a.Labels, a.Tags, a.ProjectLabels}, func(labels map[string]string) bool {
		_, told := j.Marks(labels)
		return told
	})
}

// former goes by the labels that a resource had until a short time ago, if they made
// it production and those that it has now do not: taking the label off first is the
// oldest way round a guard.
func (j Judging) former(op *operation.Operation, a Asset) {
	if now, _ := j.Marks(a.Labels); now {
		return
	}
	for _, labels := range a.Former {
		if was, _ := j.Marks(labels); was {
			op.Target.Labels = labels
			op.Changes = append(op.Changes, "until shortly before it had "+lost(labels, a.Labels))
			return
		}
	}
}

// relabel makes a call that takes the production label away what it is. Of what is not
// known it may have.
func (j Judging) relabel(r *Reading, known bool) {
	op := &r.Operation
	if r.NewLabels == nil {
		return
	}
	before, _ := j.Marks(op.Target.Labels)
	after, _ := j.Marks(r.NewLabels)
	if after || op.Verb != operation.Update {
		return
	}
	switch {
	case before:
		op.Verb = operation.Unprotect
		op.Changes = append(op.Changes, lost(op.Target.Labels, r.NewLabels)+" removed")
	case !known:
		op.Verb = operation.Unprotect
		op.Changes = append(op.Changes, "labels set that say nothing of production, over such as are not known")
	}
}

// maxNamed is how many of the dependents of a kind are named.
const maxNamed = 5

// dependents adds what goes with a resource that is deleted. Not to know is no reason to
// hold the alert up.
func (j Judging) dependents(ctx context.Context, op *operation.Operation) {
	family, ok := j.Inventory.(Family)
	if !ok || op.Surface != operation.GCP || op.Verb != operation.Delete && op.Verb != operation.Replace {
		return
	}
	byKind := map[string]*operation.Dependents{}
	more, err := family.Below(ctx, op.Target.Ref, op.Time, func(c Child) {
		d := byKind[c.Kind]
		if d == nil {
			d = &operation.Dependents{Kind: c.Kind, Via: operation.Contained}
			byKind[c.Kind] = d
		}
		d.Count++
		if production, _ := j.Marks(c.Labels); production {
			d.Production++
		}
		if len(d.Names) < maxNamed {
			d.Names = append(d.Names, c.Name)
		}
	})
	if err != nil {
		op.Changes = append(op.Changes, fmt.Sprintf("what goes with it could not be counted: %v", err))
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		slices.Sort(byKind[kind].Names)
		op.Dependents = append(op.Dependents, *byKind[kind])
	}
	if more {
		op.Changes = append(op.Changes, "more goes with it than was counted")
	}
}

// lost names the labels of before that after has not.
func lost(before, after map[string]string) string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if value, ok := after[key]; !ok || value != before[key] {
			names = append(names, key+"="+before[key])
		}
	}
	return "label " + strings.Join(names, ",")
}

// Ended is the decision on an operation of which the end was read: that on its start,
// with how it ended.
func Ended(start operation.Decision, end Reading) operation.Decision {
	d := start
	d.ID, d.Time, d.Phase, d.Source = end.Operation.DecisionID, end.Operation.Time, end.Operation.Phase, end.Operation.Source
	d.Changes = slices.Concat(start.Changes, end.Operation.Changes)
	return d
}
