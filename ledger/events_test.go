package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func event(id string) breakglass.Event {
	return breakglass.Event{
		ID: id, Time: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC), Event: breakglass.EventApproved, Grant: "bg-k7m4-q9tx",
		Actor: operation.Identity{Name: "bob@example.com", Kind: operation.Human}, Verbs: []operation.Verb{operation.Delete},
		Targets: []operation.Reference{{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop"}},
		Text:    "a line break\nand \x1b[2Jan escape",
	}
}

// eventLine is event("1") as a line of the log.
const eventLine = `{"id":"1","time":"2026-11-21T03:12:47Z","event":"approved","grant":"bg-k7m4-q9tx",` +
	`"actor":{"name":"bob@example.com","kind":"human","via":""},"verbs":["delete"],` +
	`"targets":[{"ref":"k8s://prod-eu/core/namespaces/shop","kind":"Namespace","namespace":"","name":"shop","uid":""}],` +
	`"decision":"","text":"a line break\nand \u001b[2Jan escape"}`

func TestALogHasDecisionsAndEventsALineEach(t *testing.T) {
	var written bytes.Buffer
	log := ledger.NewLog(&written)
	record(t, log, decision("0"))
	if err := log.Note(t.Context(), event("1")); err != nil {
		t.Fatal(err)
	}
	record(t, log, decision("2"))
	lines := strings.Split(written.String(), "\n")
	if len(lines) != 4 || lines[3] != "" {
		t.Fatalf("got %q", lines)
	}
	if diff := cmp.Diff(eventLine, lines[1]); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	for i, want := range []breakglass.EventKind{"", breakglass.EventApproved, ""} { // which tells them apart
		var line struct{ Event breakglass.EventKind }
		if err := json.Unmarshal([]byte(lines[i]), &line); err != nil || line.Event != want {
			t.Errorf("line %d: got %q, %v, want %q", i, line.Event, err, want)
		}
	}
}

// sameEvent is the deduplication key of event("1"), however often it is told.
const sameEvent = "af27498e18de237a8ad07cbd4745d54bb3ca3e36bfb125fba554976b99a3bb87"

func TestAnEventIsInTheLogAndInTheOutbox(t *testing.T) {
	var written bytes.Buffer
	l := open(t, newPath(t))
	events := ledger.Events{Log: ledger.NewLog(&written), Outbox: l}
	for range 2 { // told again, it is one alert
		if err := events.Note(t.Context(), event("1")); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(strings.Repeat(eventLine+"\n", 2), written.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	wantPending(t, l, 10, entry(1, ledger.KindBreakGlass, sameEvent, eventLine))
}

func TestAnEventThatIsNotInBothIsAnErrorAndTriedInBoth(t *testing.T) {
	l := open(t, newPath(t))
	err := ledger.Events{Log: ledger.NewLog(&full{}), Outbox: l}.Note(t.Context(), event("1"))
	if !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	wantPending(t, l, 10, entry(1, ledger.KindBreakGlass, sameEvent, eventLine))

	closeLedger(t, l)
	var written bytes.Buffer
	err = ledger.Events{Log: ledger.NewLog(&written), Outbox: l}.Note(t.Context(), event("1"))
	if want := "put break-glass " + sameEvent + " into the outbox: database not open"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if diff := cmp.Diff(eventLine+"\n", written.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
