package auditlog_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/ledger"
)

func TestWhatIsOldIsRemovedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		day := 24 * time.Hour
		w.watch(&queue{entries: [][]byte{deletion("old", starts("1")), unreadable(1), deletion("future", at(time.Now().Add(20*time.Hour)))}})
		w.put(ledger.TableOperations, map[string][]byte{"damaged": []byte("{")})
		incidents := w.keys(ledger.TableIncidents) // which are alert.Book's
		watcher := w.watcher(w.options(&tape{}))
		began := time.Now()
		for _, tt := range []struct {
			age              time.Duration
			seen, operations int
		}{
			{0, 2, 1}, {8*day - time.Hour, 2, 1}, {8*day + time.Second, 1, 1}, {9 * day, 0, 1}, {30*day - time.Hour, 0, 1}, {30*day + time.Hour, 0, 0},
		} {
			time.Sleep(tt.age - time.Since(began))
			if err := watcher.Prune(t.Context()); err != nil {
				t.Error(err)
			}
			want := map[ledger.Table]int{ledger.TableSeen: tt.seen, ledger.TableOperations: tt.operations, ledger.TableUndecoded: 1}
			got := map[ledger.Table]int{}
			for table := range want {
				got[table] = len(w.keys(table))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", tt.age, diff)
			}
		}
		if diff := cmp.Diff(incidents, w.keys(ledger.TableIncidents)); diff != "" {
			t.Errorf("incidents (-want +got):\n%s", diff)
		}
	})
}

func TestWhatIsOldIsRemovedEachHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, end := w.begin(w.options(newBeats(true)))
		defer end()
		for range 3 {
			w.put(ledger.TableSeen, map[string][]byte{"000000000000/a": {1}})
			sleep(time.Hour)
			if keys := w.keys(ledger.TableSeen); keys != nil {
				t.Errorf("%q is left", keys)
			}
		}
	})
}

func TestHoweverMuchIsOldAllOfItIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		seen, operations := map[string][]byte{}, map[string][]byte{}
		for i := range 25_000 {
			seen[fmt.Sprintf("%012d/%d", i, i)] = []byte{1}
			operations[fmt.Sprint(i)] = []byte(`{"version":1,"at":"1999-01-01T00:00:00Z"}`)
		}
		w.put(ledger.TableSeen, seen)
		w.put(ledger.TableOperations, operations)
		if err := w.watcher(w.options(&tape{})).Prune(t.Context()); err != nil {
			t.Error(err)
		}
		if n, m := len(w.keys(ledger.TableSeen)), len(w.keys(ledger.TableOperations)); n != 0 || m != 0 {
			t.Errorf("%d and %d are left", n, m)
		}
	})
}
