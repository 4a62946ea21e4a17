package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// keptDecisions is a Recorder that keeps decisions, or fails.
type keptDecisions struct {
	ids []string
	err error
}

func (k *keptDecisions) Record(_ context.Context, d operation.Decision) error {
	if k.err == nil {
		k.ids = append(k.ids, d.ID)
	}
	return k.err
}

// anAlert is a decision that was made at a door, and is to be told.
func anAlert(id string) operation.Decision {
	return operation.Decision{
		ID: id, Time: atTheDesk, Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Outcome: operation.OutcomeAlert,
		Actor: alice().Identity, Target: target("k8s://prod-eu/core/namespaces/shop", "Namespace", "", "shop", "uid-1"),
		Violations: []operation.Violation{{Policy: "production-delete", Severity: operation.High, Enforcement: operation.EnforceAlert, Message: "m"}},
	}
}

func openTestAlerting(t *testing.T) (*alerting, *ledger.Ledger) {
	t.Helper()
	book, err := ledger.Open(filepath.Join(t.TempDir(), "l"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := controlled("l")
	a, err := assemble(t.Context(), c, parts{lookup: &given{}, recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	people, err := openAlerting(t.Context(), streams{out: &told{}}, c, book, a.engine, false, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return people, book
}

// queued is what waits for sinks.
func queued(t *testing.T, book *ledger.Ledger) []string {
	t.Helper()
	var keys []string
	err := book.View(t.Context(), func(tx *ledger.Tx) error {
		tx.Scan(ledger.TableQueue, "", "", func(key string, _ []byte) bool { keys = append(keys, key); return true })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestWhatWentThroughADoorIsToldOnceItIsRecorded(t *testing.T) {
	people, book := openTestAlerting(t)
	next := &keptDecisions{}
	r := telling{Recorder: next, to: func() *alerting { return people }}

	dry, afterwards, allowed, denied := anAlert("dry"), anAlert("afterwards"), anAlert("allowed"), anAlert("denied")
	dry.DryRun, afterwards.Phase, allowed.Outcome, denied.Outcome = true, operation.Finished, operation.OutcomeAllow, operation.OutcomeDeny
	for _, d := range []operation.Decision{dry, afterwards, allowed, denied} {
		if err := r.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if keys := queued(t, book); len(keys) > 0 {
		t.Errorf("told of what is not to be told: %v", keys)
	}

	for range 2 { // the same decision is one alert
		if err := r.Record(t.Context(), anAlert("through")); err != nil {
			t.Fatal(err)
		}
	}
	if keys := queued(t, book); len(keys) != 1 {
		t.Errorf("waiting: %v", keys)
	}
	if diff := cmp.Diff([]string{"dry", "afterwards", "allowed", "denied", "through", "through"}, next.ids); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}

	// What cannot be recorded is not told, and what cannot be told is an error.
	next.err = errors.New("disk full")
	if err := r.Record(t.Context(), anAlert("unrecorded")); !errors.Is(err, next.err) {
		t.Errorf("got %v", err)
	}
	if keys := queued(t, book); len(keys) != 1 {
		t.Errorf("waiting: %v", keys)
	}
	next.err = nil
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Record(t.Context(), anAlert("untold")); err == nil {
		t.Error("an alert that was lost is no error")
	}
}

func TestWithoutSinksNobodyIsTold(t *testing.T) {
	for name, to := range map[string]func() *alerting{"none": nil, "not there": func() *alerting { return nil }} {
		next := &keptDecisions{}
		if err := (telling{Recorder: next, to: to}).Record(t.Context(), anAlert("a")); err != nil || len(next.ids) != 1 {
			t.Errorf("%s: %v, %v", name, err, next.ids)
		}
	}
}

func TestOpenAlertingIsNilWithoutSinks(t *testing.T) {
	a, err := openAlerting(t.Context(), streams{}, config.Default(), nil, nil, false, nil, nil)
	if a != nil || err != nil {
		t.Errorf("got %v, %v", a, err)
	}
	a.close(&err)
	if err != nil {
		t.Error(err)
	}
}

// unanswered is the address of a port at which nobody answers.
func unanswered(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

func TestACopyThatDoesNotFitIsCountedAndHoldsNobodyUp(t *testing.T) {
	next := &keptDecisions{}
	c, err := newCopies(t.Context(), next, config.CloudLogging{Parent: "projects/prod-1", Endpoint: unanswered(t)}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.close(&err)
		if err != nil {
			t.Error(err)
		}
	}()
	uninteresting := anAlert("nothing")
	uninteresting.Outcome, uninteresting.Violations = operation.OutcomeAllow, nil
	if err := c.Record(t.Context(), uninteresting); err != nil || len(c.waiting) > 0 {
		t.Errorf("a decision that says nothing is copied: %v", err)
	}
	warned := uninteresting
	warned.Violations = anAlert("").Violations
	if err := c.Record(t.Context(), warned); err != nil || len(c.waiting) != 1 {
		t.Errorf("a violation that was lifted is not copied: %v", err)
	}
	for range maxCopies + 2 {
		if err := c.Record(t.Context(), anAlert("a")); err != nil {
			t.Fatal(err)
		}
	}
	if len(next.ids) != maxCopies+4 || len(c.waiting) != maxCopies {
		t.Errorf("%d recorded, %d waiting", len(next.ids), len(c.waiting))
	}
	if n := testutil.ToFloat64(c.unsent); n != 3 {
		t.Errorf("%v counted, want 3", n)
	}
	next.err = errors.New("disk full")
	if err := c.Record(t.Context(), anAlert("a")); !errors.Is(err, next.err) {
		t.Errorf("got %v", err)
	}
	if n := testutil.ToFloat64(c.unsent); n != 3 {
		t.Errorf("%v counted: what was not recorded is no copy", n)
	}
}

func TestABookGoesByTheConfiguration(t *testing.T) {
	c := controlled("l")
	c.Alerts.Sinks = append(c.Alerts.Sinks, config.AlertSink{Name: "night"})
	c.Alerts.Routes = []config.AlertRoute{{Kinds: []string{"blind"}, Sinks: []string{"night"}}, {Kinds: []string{"violation"}, Sinks: []string{"out"}}}
	a, err := assemble(t.Context(), c, parts{lookup: &given{}, recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	book, err := newBook(c, a.engine, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"night", "out"}, book.Sinks()); diff != "" {
		t.Errorf("sinks (-want +got):\n%s", diff)
	}
	l, err := ledger.Open(filepath.Join(t.TempDir(), "l"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var incidents []string
	err = l.Update(t.Context(), func(tx *ledger.Tx) error {
		first, err := book.TellDecision(tx, anAlert("a"))
		if err != nil {
			return err
		}
		second, err := book.TellTrouble(tx, alert.Trouble{Kind: alert.Gap, Source: "s", Since: atTheDesk, Text: "t"})
		incidents = []string{"night/" + second, "out/" + first}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(incidents, queued(t, l)); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
}
