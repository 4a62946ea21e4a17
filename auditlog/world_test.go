package auditlog_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/auditlog/mapping"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// world is all that a watcher works with: the real ledger, mapper, guard and book. Its
// clock is that of the bubble (testing/synctest) that the test is in.
type world struct {
	testing.TB
	ledger    *ledger.Ledger
	book      *alert.Book
	mapper    *mapping.Mapper
	recorder  *recorder
	inventory shelf
}

// heartbeatLog is the log that heartbeats are in.
const heartbeatLog = "mollyguard-heartbeat"

func newWorld(t testing.TB) *world { return openWorld(t, ledger.Options{Temporary: true}) }

func openWorld(t testing.TB, o ledger.Options) *world {
	t.Helper()
	w := &world{TB: t, recorder: &recorder{}, inventory: shelf{}}
	var err error
	if w.ledger, err = ledger.Open(filepath.Join(t.TempDir(), "ledger.db"), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.book, err = alert.NewBook(alert.BookOptions{Sinks: []string{"people"}}); err != nil {
		t.Fatal(err)
	}
	w.mapper, err = mapping.New(mapping.Options{
		HeartbeatLog: heartbeatLog, Clusters: []mapping.Cluster{{Project: "p", Location: "l", Name: "guarded", Guarded: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// guard judges: production must not lose anything.
func (w *world) guard(recorder guard.Recorder) *guard.Guard {
	w.Helper()
	g, err := guard.New(guard.Options{
		Evaluator: strict{}, Recorder: recorder, Entropy: rand.Reader,
		Production: guard.ProductionRules{Selectors: []string{"env=production"}},
	})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// strict has a violation for whatever production loses.
type strict struct{}

// Evaluate implements guard.Evaluator.
func (strict) Evaluate(_ context.Context, op *operation.Operation, _ *operation.Grant) ([]operation.Violation, error) {
	if !op.Production.Is || op.Verb == operation.Update {
		return nil, nil
	}
	return []operation.Violation{{Policy: "production-delete", Severity: operation.High, Message: "production is lost"}}, nil
}

func marks(labels map[string]string) (production, told bool) {
	env, told := labels["env"]
	return env == "production", told
}

// options make a watcher of the world.
func (w *world) options(sources ...auditlog.Source) auditlog.Options {
	return auditlog.Options{
		Sources: sources, Mapper: w.mapper, Judging: auditlog.Judging{Inventory: w.inventory, Marks: marks},
		Decider: w.guard(w.recorder), Recorder: w.recorder, Book: w.book, Ledger: w.ledger,
	}
}

// watch runs a watcher until its sources have ended.
func (w *world) watch(sources ...auditlog.Source) { w.watchWith(w.options(sources...)) }

func (w *world) watchWith(o auditlog.Options) {
	w.Helper()
	if err := w.watcher(o).Run(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) watcher(o auditlog.Options) *auditlog.Watcher {
	w.Helper()
	watcher, err := auditlog.New(o)
	if err != nil {
		w.Fatal(err)
	}
	return watcher
}

// begin runs a watcher until end is called.
func (w *world) begin(o auditlog.Options) (watcher *auditlog.Watcher, end func()) {
	w.Helper()
	watcher = w.watcher(o)
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- watcher.Run(ctx) }()
	return watcher, func() {
		w.Helper()
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	}
}

// alerts are all incidents, oldest first.
func (w *world) alerts() (alerts []alert.Alert) {
	w.Helper()
	err := w.ledger.View(context.Background(), func(tx *ledger.Tx) error {
		for _, id := range keysIn(tx, ledger.TableIncidents) {
			if strings.Contains(id, "/") { // what belongs to an incident
				continue
			}
			a, ok, err := w.book.Alert(tx, id)
			if !ok || err != nil {
				return errors.Join(err, fmt.Errorf("no incident %s", id))
			}
			alerts = append(alerts, a)
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	slices.SortStableFunc(alerts, func(a, b alert.Alert) int { return a.Opened.Compare(b.Opened) })
	return alerts
}

// told is what people are told, a line for each operation or trouble, sorted: kind,
// actor, verb, name, phase, how often.
func (w *world) told() (lines []string) {
	w.Helper()
	for _, a := range w.alerts() {
		if a.Kind == alert.Blind {
			lines = append(lines, fmt.Sprintf("blind %d× %s: %s", max(a.Count, 1), a.Status, a.Text[0]))
		}
		for _, o := range a.Operations {
			lines = append(lines, strings.Join(strings.Fields(fmt.Sprint(a.Kind, " ", a.Actor.Name, " ", o.Verb, " ", o.Target.Name, " ", o.Phase)), " "))
		}
	}
	slices.Sort(lines)
	return lines
}

func (w *world) keys(table ledger.Table) (keys []string) {
	w.Helper()
	err := w.ledger.View(context.Background(), func(tx *ledger.Tx) error {
		keys = keysIn(tx, table)
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return keys
}

func keysIn(tx *ledger.Tx, table ledger.Table) (keys []string) {
	tx.Scan(table, "", "", func(key string, _ []byte) bool { keys = append(keys, key); return true })
	return keys
}

func (w *world) put(table ledger.Table, values map[string][]byte) {
	w.Helper()
	err := w.ledger.Update(context.Background(), func(tx *ledger.Tx) error {
		for key, value := range values {
			if err := tx.Put(table, key, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) remove(table ledger.Table, key string) {
	w.Helper()
	if err := w.ledger.Update(context.Background(), func(tx *ledger.Tx) error { return tx.Delete(table, key) }); err != nil {
		w.Fatal(err)
	}
}

// fault is an error that can be mended.
type fault struct{ mended atomic.Bool }

var errBroken = errors.New("no space left on device")

func (f *fault) err() error {
	if f.mended.Load() {
		return nil
	}
	return errBroken
}

// sleep lets time pass, and all that is due happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// recorder is the decision log.
type recorder struct {
	lock      sync.Mutex
	decisions []operation.Decision
	// fails says which decisions cannot be recorded.
	fails func(d operation.Decision) error
}

// Record implements auditlog.Recorder and guard.Recorder.
func (r *recorder) Record(_ context.Context, d operation.Decision) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.fails != nil {
		if err := r.fails(d); err != nil {
			return err
		}
	}
	r.decisions = append(r.decisions, d)
	return nil
}

// ids are those of what was recorded, in order.
func (r *recorder) ids() (ids []string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, d := range r.decisions {
		ids = append(ids, d.ID)
	}
	return ids
}

// shelf is an inventory: assets by canonical name. What is not on it is production all
// the same, as its labels are not known.
type shelf map[string]auditlog.Asset

// Find implements auditlog.Inventory.
func (s shelf) Find(_ context.Context, ref, _ string, _ time.Time) (auditlog.Asset, bool, error) {
	a, ok := s[ref]
	return a, ok, nil
}
