package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func TestDeadLettersAreListedAndTriedAgainWhileTheServerRunsAndAfterIt(t *testing.T) {
	receiver := newMoody(t)
	receiver.refuses.Store(true)
	w := newWatch(t)
	w.config.Alerts.Sinks = append(w.config.Alerts.Sinks, receiver.sink(t, "events"))
	w.start(t, serveOptions{auditOnly: true})
	w.happens(t, deletion(t, "shop"))
	eventually(t, "the alert is dead", func() bool { return len(w.dead(t)) == 1 })
	letters := w.dead(t)
	want := []alert.DeadLetter{{
		Sink: "events", Kind: alert.Violation, Severity: operation.High, Attempts: 1,
		Title: letters[0].Title, ID: "events/" + letters[0].Incident, Incident: letters[0].Incident,
	}}
	if diff := cmp.Diff(want, letters, cmpopts.IgnoreFields(alert.DeadLetter{}, "Queued", "Died", "Reason")); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if r := letters[0].Reason; !strings.Contains(r, "400 Bad Request") || strings.Contains(r, "hunter2") {
		t.Errorf("reason %q", r)
	}

	// What could not be read is there too.
	w.happens(t, `{"protoPayload":{"methodName":"google.container.v1.ClusterManager.DeleteCluster"`)
	w.happens(t, deletion(t, "after"))
	eventually(t, "the broken entry is among them", func() bool {
		for _, l := range w.dead(t) {
			if strings.HasPrefix(l.ID, "entry/") {
				return true
			}
		}
		return false
	})
	table := runs(t, "alert", "dead", "list", "--config", w.file)
	if lines := strings.Split(strings.TrimSpace(table.Out), "\n"); table.Code != 0 || len(lines) != 1+len(w.dead(t)) || !strings.HasPrefix(lines[0], "ID ") {
		t.Errorf("the table: %+v", table)
	}

	// None that is not there; and with one of those, none at all.
	unknown := runs(t, "alert", "dead", "retry", "--config", w.file, letters[0].ID, "events/nothing")
	if diff := cmp.Diff(ran{1, "", "mollyguard: error: retry dead letters: write the ledger: there is no dead letter events/nothing\n"}, unknown); diff != "" {
		t.Errorf("an unknown id (-want +got):\n%s", diff)
	}

	// The server tries again, once it is told to.
	receiver.refuses.Store(false)
	again := runs(t, "alert", "dead", "retry", "--config", w.file, letters[0].ID)
	if diff := cmp.Diff(ran{0, "", "mollyguard: 1 alert put back\n"}, again); diff != "" {
		t.Errorf("retry (-want +got):\n%s", diff)
	}
	eventually(t, "the alert is delivered", func() bool { return receiver.took.Load() > 0 })

	// An entry that still cannot be read is not lost by that.
	entry := func() (found alert.DeadLetter) {
		for _, l := range w.dead(t) {
			if strings.HasPrefix(l.ID, "entry/") {
				found = l
			}
		}
		return found
	}
	first := entry()
	want1 := ran{1, "", "mollyguard: " + first.ID + ": " + first.Reason + `
mollyguard: error: 1 log entry could not be read, as before
mollyguard: hint: mend the table (audit.mappings), start the server again, and try again
`}
	for _, id := range []string{first.ID, strings.TrimPrefix(first.ID, "entry/")} { // which is how the alert shows it
		if diff := cmp.Diff(want1, runs(t, "alert", "dead", "retry", "--config", w.file, id)); diff != "" {
			t.Errorf("retry of an entry (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(first, entry()); diff != "" {
		t.Errorf("the entry after it (-before +after):\n%s", diff)
	}

	// Without the server its file is read, and nobody is there to judge.
	before := w.dead(t)
	w.stop()
	if diff := cmp.Diff(before, w.dead(t)); diff != "" {
		t.Errorf("after the server (-with +without):\n%s", diff)
	}
	alone := runs(t, "alert", "dead", "retry", "--config", w.file, "--all")
	if alone.Code != 1 || !strings.HasSuffix(alone.Err, "log entries are judged again by the server that watches: start it, then try again\n") {
		t.Errorf("retry without a server: %+v", alone)
	}
	for _, l := range w.dead(t) {
		if !strings.HasPrefix(l.ID, "entry/") {
			t.Errorf("%s was not put back", l.ID)
		}
	}
	if entry().ID == "" {
		t.Error("the entry is lost")
	}
}

func TestWhatCameOfEntriesThatWereTriedAgainIsSaid(t *testing.T) {
	book, err := ledger.Open(filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	}()
	keys := []string{"001795272373/00000000000000000000000000000001", "001795272373/00000000000000000000000000000002"}
	err = book.Update(t.Context(), func(tx *ledger.Tx) error {
		for _, key := range keys {
			if err := tx.Put(ledger.TableUndecoded, key, []byte(`{"version":1,"source":"x","error":"broken"}`)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var handed [][]string
	letters := deadLetters{ledger: book, rejudge: func(ctx context.Context, keys []string) error { // it can read the first, after a while
		handed = append(handed, keys)
		time.AfterFunc(3*judgeInterval, func() {
			err := book.Update(ctx, func(tx *ledger.Tx) error { return tx.Delete(ledger.TableUndecoded, keys[0]) })
			if err != nil {
				t.Error(err)
			}
		})
		return nil
	}}
	got, err := letters.retry(t.Context(), []string{keys[1], "entry/" + keys[0], keys[0]})
	if err != nil {
		t.Fatal(err)
	}
	want := retried{Read: 1, Unread: []alert.DeadLetter{{ID: "entry/" + keys[1], Title: "a log entry of 0 bytes from x", Kind: alert.Blind, Reason: "broken"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what came of it (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{keys}, handed); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
}

func TestALedgerThatAnotherProcessHasIsNotWaitedFor(t *testing.T) {
	w := newWatch(t)
	book, err := ledger.Open(w.config.Ledger.Path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	}()
	want := ran{1, "", "mollyguard: error: open the ledger " + w.config.Ledger.Path + ": another process has it\n"}
	if diff := cmp.Diff(want, runs(t, "alert", "dead", "list", "--config", w.file)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatAServerThatDiedLeftIsNotAsked(t *testing.T) {
	w := newWatch(t)
	book, err := ledger.Open(w.config.Ledger.Path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
	leaveSocket(t, controlPath(w.config))
	if got := w.dead(t); len(got) != 0 {
		t.Errorf("dead letters: %v", got)
	}
	w.start(t, serveOptions{auditOnly: true}) // which replaces it
	if got := w.dead(t); len(got) != 0 {
		t.Errorf("dead letters: %v", got)
	}
	w.stop()
	if _, err := os.Lstat(controlPath(w.config)); !os.IsNotExist(err) {
		t.Errorf("the server leaves its socket: %v", err)
	}
}
