package main

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
)

// starts is a source that notes where it is told to begin, and ends.
type starts struct{ positions []string }

func (*starts) Name() string { return "starts" }

func (s *starts) Run(_ context.Context, position string, _ auditlog.Hand, _ auditlog.Report) error {
	s.positions = append(s.positions, position)
	return nil
}

func TestASourceForOneGoesOnFromWhereItGotWheneverItLeads(t *testing.T) {
	source := &starts{}
	term := 0
	a := &alone{
		Source: source,
		position: func(context.Context, string) (string, error) {
			term++
			return []string{"", "first", "later"}[term-1], nil
		},
		lead: func(others func(bool), do func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				for range 3 { // the lease is lost, and won again
					if err := do(ctx); err != nil {
						return err
					}
				}
				return nil
			}
		},
	}
	if err := a.Run(t.Context(), "as of the start of the process", nil, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "first", "later"}, source.positions); diff != "" {
		t.Errorf("it began at (-want +got):\n%s", diff)
	}
}

func TestASourceIsIdleOnlyWhileAnotherReplicaIsKnownToRead(t *testing.T) {
	var tell func(bool)
	a := &alone{Source: &starts{}, lead: func(others func(bool), _ func(context.Context) error) func(context.Context) error {
		tell = others
		return func(context.Context) error { return nil } // it never leads: it may not even look
	}}
	if err := a.Run(t.Context(), "", nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		other, want bool
	}{{false, false}, {true, true}, {false, false}} {
		tell(step.other)
		if got := a.Idle(); got != step.want {
			t.Errorf("another holds the lease: %t; idle %t", step.other, got)
		}
	}
}
