package ledger_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/ledger"
)

func appendTo(t *testing.T, l *ledger.Ledger, kind, dedup, data string) {
	t.Helper()
	if err := l.Append(t.Context(), kind, dedup, json.RawMessage(data)); err != nil {
		t.Fatal(err)
	}
}

func wantPending(t *testing.T, l *ledger.Ledger, limit int, want ...ledger.Entry) {
	t.Helper()
	got, err := l.Pending(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
}

func entry(id uint64, kind, dedup, data string) ledger.Entry {
	return ledger.Entry{ID: id, Kind: kind, Dedup: dedup, Data: json.RawMessage(data)}
}

func TestWhatIsPutIntoTheOutboxWaitsUntilItIsAcknowledged(t *testing.T) {
	path := newPath(t)
	l := open(t, path)
	wantPending(t, l, 10)
	appendTo(t, l, "a", "1", `{"x":1}`)
	appendTo(t, l, "b", "2", `"two"`)
	appendTo(t, l, "a", "3", `3`)
	all := []ledger.Entry{entry(1, "a", "1", `{"x":1}`), entry(2, "b", "2", `"two"`), entry(3, "a", "3", `3`)}
	wantPending(t, l, 10, all...)
	wantPending(t, l, 2, all[:2]...)
	wantPending(t, l, 0)

	closeLedger(t, l)
	l = open(t, path)
	wantPending(t, l, 10, all...)

	for range 2 { // the second does nothing
		if err := l.Ack(t.Context(), 2); err != nil {
			t.Error(err)
		}
	}
	wantPending(t, l, 10, all[0], all[2])
	appendTo(t, l, "a", "4", `4`)
	wantPending(t, l, 10, all[0], all[2], entry(4, "a", "4", `4`))
	for _, id := range []uint64{1, 3, 4, 99} {
		if err := l.Ack(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	closeLedger(t, l)
	l = open(t, path)
	wantPending(t, l, 10)
	appendTo(t, l, "a", "1", `1`)
	wantPending(t, l, 10, entry(5, "a", "1", `1`)) // no number is used twice
}

func TestWhatSaysTheSameIsOneEntryWhileItWaits(t *testing.T) {
	l := open(t, newPath(t))
	appendTo(t, l, "a", "1", `"first"`)
	appendTo(t, l, "a", "1", `"again"`)
	appendTo(t, l, "b", "1", `"another kind"`)
	wantPending(t, l, 10, entry(1, "a", "1", `"first"`), entry(2, "b", "1", `"another kind"`))
	if err := l.Ack(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, "a", "1", `"anew"`)
	wantPending(t, l, 10, entry(2, "b", "1", `"another kind"`), entry(3, "a", "1", `"anew"`))
}

func TestConcurrentEntriesAreAllKept(t *testing.T) {
	const writers, each = 8, 10
	l := open(t, newPath(t))
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				for _, dedup := range []string{fmt.Sprintf("%d-%d", w, i), "shared"} {
					if err := l.Append(t.Context(), "test", dedup, json.RawMessage(`1`)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	got, err := l.Pending(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for i, e := range got {
		keys[e.Dedup] = true
		if i > 0 && e.ID <= got[i-1].ID {
			t.Errorf("entry %d comes after %d", e.ID, got[i-1].ID)
		}
	}
	if want := writers*each + 1; len(got) != want || len(keys) != want {
		t.Errorf("%d entries with %d keys, want %d", len(got), len(keys), want)
	}
}

func TestAnEntryThatIsNoneIsAnError(t *testing.T) {
	l := open(t, newPath(t))
	for _, tt := range []struct{ kind, dedup, data, want string }{
		{"", "1", `1`, "put  1 into the outbox: without kind or deduplication key"},
		{"a", "", `1`, "put a  into the outbox: without kind or deduplication key"},
		{"a", "1", `{`, "put a 1 into the outbox: json: error calling MarshalJSON for type json.RawMessage: unexpected end of JSON input"},
	} {
		if err := l.Append(t.Context(), tt.kind, tt.dedup, json.RawMessage(tt.data)); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	wantPending(t, l, 10)
}
