package alert_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// absurd is a decision with as much in it as there can be, of what JSON makes most of: a
// control character becomes six.
func absurd(i int) operation.Decision {
	huge := strings.Repeat("\x01", 64<<10)
	list := make([]string, 100)
	for n := range list {
		list[n] = huge
	}
	d := operation.Decision{
		ID: fmt.Sprint(i) + huge, Time: night, Surface: operation.Surface(huge), Verb: operation.Verb(fmt.Sprint(i) + huge), Phase: operation.Phase(huge),
		Outcome: operation.Outcome(huge), Actor: operation.Identity{Name: huge, Kind: operation.ActorKind(huge), Via: huge}, Project: huge, Location: huge,
		Target: operation.Reference{Ref: huge, Kind: fmt.Sprint(i) + huge, Namespace: huge, Name: huge, UID: huge},
		Origin: operation.Origin{IP: huge, UserAgent: huge, Delegation: list, Reason: huge}, Production: operation.Production{Is: true, Because: list},
		Changes: list, Unknown: list, Grant: huge, GrantRefused: list, Exempt: huge, Mediation: operation.Mediation(huge), Error: huge,
		Source: operation.Source{UID: huge, Log: huge, Link: huge[:4<<10]},
	}
	for range list {
		d.Violations = append(d.Violations, operation.Violation{
			Policy: huge, Message: huge, Severity: operation.Severity(huge), Enforcement: operation.Enforcement(huge),
		})
		d.Dependents = append(d.Dependents, operation.Dependents{Kind: huge, Via: operation.Via(huge), Count: 1 << 62, Production: 1 << 62, Names: list})
		d.Also = append(d.Also, operation.Verb(huge))
	}
	return d
}

func TestWhateverADecisionHoldsTheLedgerTakesIt(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	var decisions []operation.Decision
	for i := range 130 { // more kinds than are counted, in each state
		d := absurd(i)
		d.Phase = []operation.Phase{d.Phase, operation.Finished, operation.Failed, operation.Refused}[i%4]
		decisions = append(decisions, d)
	}
	ids := tell(t, l, b, decisions...)
	for i, d := range decisions {
		d.Phase = operation.Failed
		update(t, l, func(tx *ledger.Tx) error { return b.UpdateOperation(tx, ids[i], d) })
	}
	for _, id := range ids {
		if a := get(t, l, b, id); len(a.Title) > 300 || len(a.Operations) != alert.MaxOperations {
			t.Errorf("%s: %d operations, title %q", id, len(a.Operations), a.Title)
		}
	}
}

func TestWhateverATroubleOrACaseHoldsTheLedgerTakesIt(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	huge := strings.Repeat("\x01", 1<<20)
	for _, over := range []bool{false, true, false} {
		trouble(t, l, b, alert.Trouble{Kind: alert.TroubleKind(huge), Source: huge, Text: huge, Over: over})
		trouble(t, l, b, alert.Trouble{Kind: alert.Undecodable, Source: huge, Text: huge, Over: over})
	}
	for i := range 30 {
		targets := []operation.Reference{{Ref: huge, Kind: huge, Namespace: huge, Name: huge, UID: huge}, {}}
		update(t, l, func(tx *ledger.Tx) error {
			return b.TellEvent(tx, breakglass.Event{
				ID: fmt.Sprint(i) + huge, Time: night, Event: breakglass.EventKind(huge), Grant: huge, Verbs: []operation.Verb{operation.Verb(huge)},
				Actor: operation.Identity{Name: huge, Kind: operation.ActorKind(huge), Via: huge}, Targets: targets, Text: huge,
			})
		})
	}
}

func TestATimeThatJSONDoesNotKnowIsToldAsTheNearestThatItDoes(t *testing.T) {
	west, east := time.FixedZone("", -3600), time.FixedZone("", 3600)
	for _, at := range []time.Time{time.Date(9999, 12, 31, 23, 30, 0, 0, west), time.Date(0, 1, 1, 0, 30, 0, 0, east), time.Unix(1<<60, 0), {}} {
		l, b := newLedger(t), newBook(t, alert.BookOptions{})
		started := with(cluster("01A"), func(d *operation.Decision) { d.Time, d.Phase = at, operation.Started })
		id := tell(t, l, b, started)[0]
		update(t, l, func(tx *ledger.Tx) error {
			return b.UpdateOperation(tx, id, with(started, func(d *operation.Decision) { d.Phase = operation.Finished }))
		})
		if a := get(t, l, b, id); a.Count != 1 || a.Revision != 2 {
			t.Errorf("got %+v", a)
		}
		trouble(t, l, b, alert.Trouble{Kind: alert.Gap, Source: "s", Since: at})
		update(t, l, func(tx *ledger.Tx) error {
			return b.TellEvent(tx, breakglass.Event{ID: "1", Time: at, Event: breakglass.EventUsed, Grant: "bg-k7m4-q9tx"})
		})
	}
}
