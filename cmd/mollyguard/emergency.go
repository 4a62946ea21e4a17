package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// emergency tells people that nothing can be kept, a full disk above all. It is the one
// alert that does not go by way of the ledger, which is what does not work: each sink
// is tried once, and again when the trouble is over or has changed.
type emergency struct {
	sinks map[string]alert.Sink
	// trouble says why nothing can be kept, or nil.
	trouble func() error
	cluster string
	help    string
	now     func() time.Time
	log     *slog.Logger

	// since is when the trouble began, zero if there is none; told says that people know.
	since    time.Time
	told     bool
	revision int
}

const (
	// emergencyInterval is how often the emergency looks.
	emergencyInterval = 5 * time.Second
	// emergencyPatience is how long the ledger may be at a loss before people are told:
	// longer than a disk that is busy.
	emergencyPatience = 20 * time.Second
)

// run looks until ctx ends.
func (e *emergency) run(ctx context.Context) error {
	ticker := time.NewTicker(emergencyInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			e.look(ctx)
		}
	}
}

func (e *emergency) look(ctx context.Context) {
	err, now := e.trouble(), e.now()
	switch {
	case err == nil && e.told:
		e.tell(ctx, alert.Resolved, "What was read of the audit log is kept again; entries that waited are judged now.")
		e.since, e.told = time.Time{}, false
	case err == nil:
		e.since = time.Time{}
	case e.since.IsZero():
		e.since = now
	case !e.told && now.Sub(e.since) >= emergencyPatience:
		e.revision = 0
		e.tell(ctx, alert.Open, fmt.Sprintf("The ledger cannot be written: %s", operation.Printable(err.Error())),
			"Entries wait where they come from, and are not lost while that keeps them; alerts wait too. Make room on the disk, or see docs/audit-log.md.")
		e.told = true
	}
}

// tell tries each sink once. One that does not take it is in the log: there is nowhere
// to keep it.
func (e *emergency) tell(ctx context.Context, status alert.Status, text ...string) {
	e.revision++
	a := alert.Alert{
		ID: fmt.Sprintf("ledger-%d", e.since.Unix()), Revision: e.revision, Kind: alert.Blind, Status: status, Severity: operation.Critical,
		Title:   "Mollyguard in " + e.cluster + " cannot keep what it sees: nobody is told of anything until it can",
		Cluster: e.cluster, Opened: e.since.UTC(), Updated: e.now().UTC(), Text: text, Help: e.help,
	}
	for _, name := range slices.Sorted(maps.Keys(e.sinks)) {
		if err := try(ctx, e.sinks[name], a); err != nil && ctx.Err() == nil {
			e.log.Error("an emergency could not be told", "sink", name, "error", err)
		}
	}
}
