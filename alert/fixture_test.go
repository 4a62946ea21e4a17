package alert_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

var night = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)

func open(t testing.TB, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func newLedger(t testing.TB) *ledger.Ledger {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "ledger.db"))
}

func newBook(t testing.TB, o alert.BookOptions) *alert.Book {
	t.Helper()
	if o.Sinks == nil {
		o.Sinks = []string{"pager", "chat"}
	}
	if o.Now == nil {
		o.Now = func() time.Time { return night.Add(time.Second) }
	}
	b, err := alert.NewBook(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func update(t testing.TB, l *ledger.Ledger, do func(tx *ledger.Tx) error) {
	t.Helper()
	if err := l.Update(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

// tell tells decisions, and returns the ids of their incidents.
func tell(t testing.TB, l *ledger.Ledger, b *alert.Book, decisions ...operation.Decision) (ids []string) {
	t.Helper()
	update(t, l, func(tx *ledger.Tx) error {
		for _, d := range decisions {
			id, err := b.TellDecision(tx, d)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

func get(t testing.TB, l *ledger.Ledger, b *alert.Book, id string) alert.Alert {
	t.Helper()
	var a alert.Alert
	err := l.View(t.Context(), func(tx *ledger.Tx) (err error) {
		var ok bool
		if a, ok, err = b.Alert(tx, id); err == nil && !ok {
			err = fmt.Errorf("there is no incident %q", id)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// keys returns the keys of a table.
func keys(t testing.TB, l *ledger.Ledger, table ledger.Table) (found []string) {
	t.Helper()
	err := l.View(t.Context(), func(tx *ledger.Tx) error {
		tx.Scan(table, "", "", func(key string, _ []byte) bool { found = append(found, key); return true })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// cluster is the decision on the incident that the project is built against.
func cluster(id string) operation.Decision {
	return operation.Decision{
		ID: id, Time: night, Surface: operation.GCP, Verb: operation.Delete, Phase: operation.Finished, Outcome: operation.OutcomeAlert,
		Actor:   operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "console"},
		Target:  operation.Reference{Ref: "gcp://container.googleapis.com/projects/prod-1/locations/us-central1/clusters/prod-eu", Kind: "Cluster", Name: "prod-eu"},
		Project: "prod-1", Location: "us-central1",
		Production: operation.Production{Is: true, Because: []string{"label env=production"}},
		Dependents: []operation.Dependents{{Kind: "Node", Via: operation.Contained, Count: 50, Production: 50, Names: []string{"node-1"}}},
		Violations: []operation.Violation{{Policy: "production-delete", Severity: operation.Critical, Enforcement: operation.EnforceAlert, Message: "a production cluster"}},
		Unknown:    []string{"labels unknown"},
		Source:     operation.Source{UID: "u1", Link: "https://console.cloud.google.com/logs/query;query=x"},
	}
}

func with(d operation.Decision, change func(d *operation.Decision)) operation.Decision {
	change(&d)
	return d
}
