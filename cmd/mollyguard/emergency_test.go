package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// inbox is a sink that keeps what it is sent, or fails.
type inbox struct {
	sent []alert.Alert
	err  error
}

func (m *inbox) Send(_ context.Context, a alert.Alert) error {
	m.sent = append(m.sent, a)
	return m.err
}

func TestPeopleAreToldWithoutTheLedgerThatItCannotBeWritten(t *testing.T) {
	start := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	now := start
	full := errors.New("no space left on device")
	var trouble error
	good, broken := &inbox{}, &inbox{err: errors.New("down")}
	e := &emergency{
		sinks: map[string]alert.Sink{"good": good, "broken": broken}, trouble: func() error { return trouble },
		cluster: "prod-eu", help: "#oncall", now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler),
	}
	for _, step := range []struct {
		after time.Duration
		err   error
	}{
		{0, nil},
		{5 * time.Second, full},
		{10 * time.Second, full}, // a busy disk
		{15 * time.Second, nil},
		{20 * time.Second, full},
		{40 * time.Second, full}, // told
		{45 * time.Second, full},
		{50 * time.Second, nil}, // over
		{55 * time.Second, nil},
	} {
		now, trouble = start.Add(step.after), step.err
		e.look(t.Context())
	}
	open := alert.Alert{
		ID: "ledger-1795230020", Revision: 1, Kind: alert.Blind, Status: alert.Open, Severity: operation.Critical,
		Title:   "Mollyguard in prod-eu cannot keep what it sees: nobody is told of anything until it can",
		Cluster: "prod-eu", Opened: start.Add(20 * time.Second), Updated: start.Add(40 * time.Second), Help: "#oncall",
		Text: []string{
			"The ledger cannot be written: no space left on device",
			"Entries wait where they come from, and are not lost while that keeps them; alerts wait too. Make room on the disk, or see docs/audit-log.md.",
		},
	}
	over := open
	over.Revision, over.Status, over.Updated = 2, alert.Resolved, start.Add(50*time.Second)
	over.Text = []string{"What was read of the audit log is kept again; entries that waited are judged now."}
	for name, sink := range map[string]*inbox{"good": good, "broken": broken} {
		if diff := cmp.Diff([]alert.Alert{open, over}, sink.sent); diff != "" {
			t.Errorf("%s was told (-want +got):\n%s", name, diff)
		}
	}
}
