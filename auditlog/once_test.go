package auditlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAnEntryThatComesTwiceIsJudgedOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		watch func(w *world, entry []byte)
	}{
		{"in one batch", func(w *world, entry []byte) {
			w.watch(&tape{entries: [][]byte{entry, entry, entry}})
		}},
		{"in two batches", func(w *world, entry []byte) {
			w.watch(&tape{entries: [][]byte{entry, entry}, before: func(int) { synctest.Wait() }})
		}},
		{"by two sources", func(w *world, entry []byte) {
			w.watch(&queue{entries: [][]byte{entry}}, &tape{entries: [][]byte{entry}})
		}},
		{"after a restart", func(w *world, entry []byte) {
			w.watch(&tape{entries: [][]byte{entry}})
			sleep(time.Hour)
			w.watch(&queue{entries: [][]byte{entry}})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				tt.watch(w, deletion("main"))
				if diff := cmp.Diff([]string{"violation alice@example.com delete main finished"}, w.told()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				if ids := w.recorder.ids(); len(ids) != 1 {
					t.Errorf("%d decisions: %q", len(ids), ids)
				}
				if a := w.alerts()[0]; a.Count != 1 || a.Revision != 1 || a.Operations[0].Decision != w.recorder.ids()[0] {
					t.Errorf("the incident: %+v", a)
				}
			})
		})
	}
}

// cut is a Decider after which the watcher dies.
type cut struct {
	auditlog.Decider
	die context.CancelFunc
}

// Decide implements auditlog.Decider.
func (c cut) Decide(ctx context.Context, op operation.Operation) operation.Decision {
	d := c.Decider.Decide(ctx, op)
	c.die()
	return d
}

func TestAfterACrashBetweenDecisionAndCommitTheDecisionIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := &queue{entries: [][]byte{deletion("main")}}
		o := w.options(source)
		ctx, die := context.WithCancel(t.Context())
		o.Decider = cut{o.Decider, die}
		if err := w.watcher(o).Run(ctx); err != nil {
			t.Fatal(err)
		}
		if told := w.told(); told != nil || source.acked != nil {
			t.Fatalf("before the commit: told %q, acknowledged %v", told, source.acked)
		}
		sleep(time.Hour)
		w.watch(source)
		ids := w.recorder.ids()
		if len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("decided %q, want the same twice", ids)
		}
		if diff := cmp.Diff([]string{"violation alice@example.com delete main finished"}, w.told()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if a := w.alerts()[0]; a.Operations[0].Decision != ids[0] {
			t.Errorf("told of decision %s, recorded %s", a.Operations[0].Decision, ids[0])
		}
		if diff := cmp.Diff([]int{0}, source.acked); diff != "" {
			t.Errorf("acknowledged (-want +got):\n%s", diff)
		}
	})
}

func TestAnEntryIsAcknowledgedWhenTheLedgerHasWhatPeopleAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var atAck [][]string
		source := &queue{entries: [][]byte{deletion("a"), unreadable(1), deletion("b")}}
		source.acks = func(int) {
			atAck = append(atAck, append(w.told(), w.keys(ledger.TableSeen)...))
		}
		woken := 0
		o := w.options(source)
		o.Wake = func() { woken++ }
		w.watchWith(o)
		all := append(w.told(), w.keys(ledger.TableSeen)...)
		if len(atAck) != 3 || len(all) != 5 || woken == 0 {
			t.Fatalf("%d acknowledged, kept %q, woken %d times", len(atAck), all, woken)
		}
		for i, name := range []string{
			"violation alice@example.com delete a finished", "blind", "violation alice@example.com delete b finished",
		} {
			if !slices.ContainsFunc(atAck[i], func(line string) bool { return line == name || name == "blind" && line[:5] == name }) {
				t.Errorf("when entry %d was acknowledged the ledger had %q only", i, atAck[i])
			}
		}
	})
}

// book fails when it is told to.
type book struct {
	auditlog.Book
	fails func(d operation.Decision) error
}

// TellDecision implements auditlog.Book.
func (b book) TellDecision(tx *ledger.Tx, d operation.Decision) (string, error) {
	id, err := b.Book.TellDecision(tx, d)
	if err == nil {
		err = b.fails(d)
	}
	return id, err
}

func TestNothingIsAcknowledgedWhileTheLedgerCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var disk fault
		source := &queue{entries: [][]byte{deletion("a"), boring(1), deletion("b"), unreadable(1)}}
		o := w.options(source)
		o.Book = book{w.book, func(operation.Decision) error { return disk.err() }}
		o.Silence = 5 * time.Minute
		watcher, end := w.begin(o)
		defer end()
		sleep(time.Hour)
		if err := watcher.Ready(); !errors.Is(err, errBroken) {
			t.Errorf("ready: %v", err)
		}
		if diff := cmp.Diff([]int{1}, source.acked); diff != "" || w.told() != nil {
			t.Errorf("acknowledged but for what nobody cares about (-want +got):\n%s\ntold %q", diff, w.told())
		}
		disk.mended.Store(true)
		sleep(time.Minute)
		if err := watcher.Ready(); err != nil {
			t.Errorf("ready: %v", err)
		}
		slices.Sort(source.acked)
		if diff := cmp.Diff([]int{0, 1, 2, 3}, source.acked); diff != "" {
			t.Errorf("acknowledged (-want +got):\n%s", diff)
		}
		// That nothing came meanwhile is no silence of the source.
		if told := w.told(); len(told) != 3 || !strings.HasPrefix(told[0], "blind 1× open: an entry cannot be read") {
			t.Errorf("told %q", told)
		}
		if ids := w.recorder.ids(); len(ids) != 2 {
			t.Errorf("decided %q", ids)
		}
	})
}

func TestADiskThatIsFullKeepsEntriesWaitingUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openWorld(t, ledger.Options{Temporary: true, MaxBytes: 2 << 20})
		w.put(ledger.TableAssets, map[string][]byte{"a large file": make([]byte, 1<<20)})
		source := &queue{}
		for i := range 600 {
			source.entries = append(source.entries, deletion(fmt.Sprint(i)))
		}
		watcher, end := w.begin(w.options(source))
		defer end()
		sleep(30 * time.Second)
		seen := len(w.keys(ledger.TableSeen))
		if err := watcher.Ready(); err == nil || !strings.Contains(err.Error(), "maximum size") || seen == 600 || len(source.acked) != seen {
			t.Errorf("on a full disk: ready %v, %d kept, %d acknowledged", err, seen, len(source.acked))
		}
		w.remove(ledger.TableAssets, "a large file")
		sleep(time.Minute)
		if watcher.Ready() != nil || len(source.acked) != 600 {
			t.Errorf("with room: ready %v, %d acknowledged", watcher.Ready(), len(source.acked))
		}
		if alerts := w.alerts(); len(alerts) != 1 || alerts[0].Count != 600 {
			t.Errorf("told %d incidents", len(alerts))
		}
	})
}

func TestWhatCannotBeRecordedIsUndecidedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.recorder.fails = func(operation.Decision) error { return errors.New("read-only file system") }
		source := &queue{entries: [][]byte{deletion("main")}}
		w.watch(source)
		a := w.alerts()
		if len(a) != 1 || a[0].Operations[0].Outcome != operation.OutcomeUndecided || a[0].Operations[0].Error != "record the decision: read-only file system" {
			t.Errorf("told %+v", a)
		}
		if len(source.acked) != 1 {
			t.Errorf("acknowledged %v", source.acked)
		}
	})
}

func TestTheEndOfAnOperationWaitsUntilItCanBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var disk fault
		w.recorder.fails = func(d operation.Decision) error {
			if d.Phase == operation.Finished {
				return disk.err()
			}
			return nil
		}
		source := &queue{entries: [][]byte{deletion("main", starts("1")), deletion("main", ends("1"))}}
		watcher, end := w.begin(w.options(source))
		defer end()
		sleep(time.Minute)
		if err := watcher.Ready(); !errors.Is(err, errBroken) {
			t.Errorf("ready: %v", err)
		}
		disk.mended.Store(true)
		sleep(time.Minute)
		if diff := cmp.Diff([]string{"violation alice@example.com delete main finished"}, w.told()); diff != "" || watcher.Ready() != nil {
			t.Errorf("ready: %v, told (-want +got):\n%s", watcher.Ready(), diff)
		}
	})
}
