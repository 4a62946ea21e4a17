package auditlog_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
)

// illiterate is a Mapper that cannot read what it should.
type illiterate struct{ auditlog.Mapper }

// Map implements auditlog.Mapper.
func (illiterate) Map([]byte) (auditlog.Reading, error) {
	return auditlog.Reading{}, fmt.Errorf("no table knows\x1b[2J %s", strings.Repeat("<", 5000))
}

// undecoded lists what could not be read.
func (w *world) undecoded() (keys []string, entries []auditlog.Undecoded) {
	w.Helper()
	keys, entries, err := auditlog.ListUndecoded(w.Context(), w.ledger)
	if err != nil {
		w.Fatal(err)
	}
	return keys, entries
}

func TestAnEntryThatCannotBeReadIsKeptAndTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		entry []byte
		why   string
	}{
		{"no JSON", []byte("\x00\xff delete"), "byte 0"},
		{"cut off", deletion("main")[:200], "ends in the middle"},
		{"a time that is none", unreadable(1), `timestamp is no time in RFC 3339: "yesterday"`},
		{"no time at all", deletion("main", func(e tree) { delete(e, "timestamp"); delete(e, "receiveTimestamp") }), "timestamp and receiveTimestamp are both missing"},
		{"an entry of a megabyte", deletion("main", func(e tree) { e["textPayload"] = strings.Repeat("x", 1<<20) }), "bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				source := &queue{entries: [][]byte{deletion("before"), tt.entry, deletion("after")}}
				counted := newCounts()
				o := w.options(source)
				o.Registerer = counted
				w.watchWith(o)
				keys, entries := w.undecoded()
				if len(keys) != 1 || !strings.Contains(entries[0].Error, tt.why) {
					t.Fatalf("kept %+v", entries)
				}
				want := auditlog.Undecoded{Version: 1, At: time.Now().UTC(), Source: "queue", Error: entries[0].Error, Length: len(tt.entry)}
				if diff := cmp.Diff(want, entries[0]); diff != "" {
					t.Errorf("kept (-want +got):\n%s", diff)
				}
				told := w.told()
				if len(told) != 3 || !strings.HasPrefix(told[0], "blind 1× open: an entry cannot be read: ") || !strings.Contains(told[0], keys[0]) {
					t.Errorf("told %q", told)
				}
				if n := counted.by(t, "mollyguard_audit_entries_undecoded_total", "source"); n["queue"] != 1 {
					t.Errorf("counted %v", n)
				}
				if len(source.acked) != 3 {
					t.Errorf("acknowledged %v", source.acked)
				}
			})
		})
	}
}

func TestWhyAnEntryCannotBeReadIsToldWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.options(&queue{entries: [][]byte{deletion("main")}})
		o.Mapper = illiterate{w.mapper}
		w.watchWith(o)
		keys, entries := w.undecoded()
		told := w.told()[0]
		if len(entries[0].Error) > 1<<10 || len(told) > 2<<10 || strings.Contains(told, "\x1b") || !strings.Contains(told, keys[0]) {
			t.Errorf("kept %d bytes, told %d: %s", len(entries[0].Error), len(told), told)
		}
	})
}

func TestAnEntryThatCannotBeReadAndComesTwiceIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		entry := unreadable(1)
		w.watch(&queue{entries: [][]byte{entry, entry}})
		time.Sleep(time.Hour)
		w.watch(&queue{entries: [][]byte{entry}})
		keys, entries := w.undecoded()
		if told := w.told(); len(told) != 1 || !strings.HasPrefix(told[0], "blind 1×") || len(keys) != 1 || time.Since(entries[0].At) != time.Hour {
			t.Errorf("told %q, kept %+v", told, entries)
		}
	})
}

func TestWhatCouldNotBeReadIsJudgedWhenItCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		again := deletion("again")
		o := w.options(&queue{entries: [][]byte{deletion("main"), again, made(cluster("GetCluster", "x")), unreadable(1)}})
		o.Mapper = illiterate{w.mapper}
		w.watchWith(o)
		w.watch(&queue{entries: [][]byte{again}}) // which another replica could read
		keys, _ := w.undecoded()
		if len(keys) != 3 {
			t.Fatalf("kept %q", keys)
		}
		time.Sleep(time.Minute)
		alerts := w.alerts()

		watcher, end := w.begin(w.options(&queue{name: "other", entries: [][]byte{ends9(t)}}))
		defer end()
		if err := watcher.Rejudge(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		sleep(time.Second)
		left, entries := w.undecoded()
		if len(left) != 1 || !strings.Contains(entries[0].Error, "RFC 3339") || time.Since(entries[0].At) < time.Minute {
			t.Errorf("left %q: %+v", left, entries)
		}
		told := w.told()
		want := []string{"violation alice@example.com delete again finished", "violation alice@example.com delete main finished"}
		if diff := cmp.Diff(want, told[len(told)-2:]); diff != "" || len(w.alerts()) != len(alerts) {
			t.Errorf("told %q", told)
		}
	})
}

// ends9 is an entry that keeps a queue, and so the watcher, running: an end that comes
// again for a minute.
func ends9(t *testing.T) []byte {
	t.Helper()
	return deletion("nine", ends("9"))
}

func TestWhatIsNotKeptWholeIsNotJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		huge := bytes.Repeat([]byte("{"), 300<<10)
		whole := bytes.Repeat([]byte("{"), 256<<10)
		o := w.options(&queue{entries: [][]byte{huge, whole}})
		watcher := w.watcher(o)
		if err := watcher.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		keys, entries := w.undecoded()
		for i, key := range keys {
			err := w.watcher(o).Rejudge(t.Context(), []string{key})
			if want := entries[i].Length > 256<<10; (err != nil) != want || want && !strings.Contains(err.Error(), "262144 of its 307200 bytes are kept") {
				t.Errorf("an entry of %d bytes: %v", entries[i].Length, err)
			}
		}
		if err := w.watcher(o).Rejudge(t.Context(), []string{"000/\x1b"}); err == nil || err.Error() != `read the ledger: there is no entry 000/\x1b` {
			t.Errorf("one that is not there: %v", err)
		}
		if err := watcher.Rejudge(t.Context(), keys[:0]); err != nil {
			t.Error(err)
		}
	})
}

func TestAtMostAThousandUnreadableEntriesAreKeptTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := &tape{}
		for i := range 1100 {
			source.entries = append(source.entries, unreadable(i))
		}
		source.before = func(i int) { time.Sleep(time.Second) }
		w.watch(source)
		keys, entries := w.undecoded()
		if len(keys) != 1000 || time.Since(entries[0].At) > 1000*time.Second {
			t.Errorf("%d are kept, the oldest since %v", len(keys), time.Since(entries[0].At))
		}
	})
}

func TestARecordOfAnEntryThatIsDamagedIsListed(t *testing.T) {
	w := newWorld(t)
	w.put(ledger.TableUndecoded, map[string][]byte{"000000000000/a": []byte("{"), "000000000000/b": []byte(`{"version":9,"source":"x"}`)})
	_, entries := w.undecoded()
	want := []auditlog.Undecoded{
		{Error: "read what is kept of an entry: unexpected end of JSON input"},
		{Error: "read what is kept of an entry: it is of version 9, not 1"},
	}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if err := w.watcher(w.options(&tape{})).Rejudge(context.Background(), []string{"000000000000/a"}); err == nil {
		t.Error("it is judged")
	}
}
