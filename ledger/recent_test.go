package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

type recorderFunc func(operation.Decision) error

func (f recorderFunc) Record(_ context.Context, d operation.Decision) error { return f(d) }

func refusal(id string) operation.Decision {
	return operation.Decision{ID: id, Outcome: operation.OutcomeDeny, Target: operation.Reference{Name: "web"}}
}

func TestTheLastRefusalsAreRememberedAndHandedOn(t *testing.T) {
	recorded := 0
	recent := ledger.NewRecent(recorderFunc(func(operation.Decision) error { recorded++; return nil }))
	allowed := refusal("allowed")
	allowed.Outcome = operation.OutcomeAllow
	nameless := refusal("nameless")
	nameless.Target.Name = ""
	for _, d := range []operation.Decision{allowed, nameless} {
		if err := recent.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1500 {
		if err := recent.Record(t.Context(), refusal(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]bool{"allowed": false, "nameless": false, "0": false, "499": false, "500": true, "1499": true} {
		if d, ok := recent.Recent(id); ok != want || ok && d.ID != id {
			t.Errorf("%s: remembered %t as %q, want %t", id, ok, d.ID, want)
		}
	}
	if recorded != 1502 {
		t.Errorf("%d handed on", recorded)
	}
}

func TestARecordThatFailsIsAnErrorThoughItIsRemembered(t *testing.T) {
	full := errors.New("disk full")
	recent := ledger.NewRecent(recorderFunc(func(operation.Decision) error { return full }))
	if err := recent.Record(t.Context(), refusal("a")); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}
