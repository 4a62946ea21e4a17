package breakglass_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

var withoutIDs = cmpopts.IgnoreFields(breakglass.Event{}, "ID")

func TestEveryStepOfACaseIsToldOnce(t *testing.T) {
	ctx := t.Context()
	gone := false
	o := newOffice(t, func(options *breakglass.DeskOptions) {
		options.Fate = func(context.Context, breakglass.Use) (bool, error) { return gone, nil }
	})
	o.rules = approvals(2)
	p := proposal(web)
	p.Decision = "01KAK0Z5T2N3W0QF1T3Q6V7X8Z"
	id := o.ask(p)
	refused := func(err error) {
		t.Helper()
		if err == nil {
			t.Fatal("let through")
		}
	}
	_, err := o.Judge(ctx, person(alice), id, breakglass.Approve, "")
	refused(err)
	o.judge(bob, id, breakglass.Approve)
	o.judge(bob, id, breakglass.Approve) // says nothing new
	o.judge(carol, id, breakglass.Approve)
	token, err := o.Token(ctx, person(alice), id)
	o.must(err)
	_, err = o.Token(ctx, person(carol), id)
	refused(err)
	stolen := presenting(web, token)
	stolen.Actor = person(carol)
	o.same(id, "the token presented is not good: the token is somebody else's", o.try(stolen))
	o.same(id, passed, o.try(deletion(web)))
	o.same(id, passed, o.try(deletion(web))) // the same use
	o.clock.add(3 * time.Minute)
	o.must(o.Sweep(ctx))
	o.must(o.Sweep(ctx)) // finds nothing new
	gone = true
	o.same(id, passed, o.try(deletion(web)))
	o.clock.add(3 * time.Minute)
	o.must(o.Sweep(ctx))
	o.judge(alice, id, breakglass.Revoke)
	forgotten := o.ask(proposal(web))
	o.clock.add(2 * time.Hour)
	o.must(o.Sweep(ctx))
	o.must(o.Sweep(ctx))
	denied := o.ask(proposal(web))
	o.judge(bob, denied, breakglass.Deny)

	const decision = "01KAK0Z5T2N3W0QF1T3Q6V7X8Y" // of try
	event := func(after time.Duration, kind breakglass.EventKind, grant, who, text string) breakglass.Event {
		e := breakglass.Event{
			Time: opening.Add(after), Event: kind, Grant: grant, Actor: person(who).Identity,
			Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{web}, Text: text,
		}
		switch kind {
		case breakglass.EventUsed, breakglass.EventConfirmed, breakglass.EventReleased:
			e.Decision = decision
		}
		return e
	}
	only := func(e breakglass.Event, name string) breakglass.Event {
		e.Actor = operation.Identity{Name: name}
		return e
	}
	requested := event(0, breakglass.EventRequested, id, alice, "the old shop goes (OPS-7)")
	requested.Decision = p.Decision
	tokenRefused := event(0, breakglass.EventTokenRefused, "", carol, "the token is somebody else's")
	tokenRefused.Verbs, tokenRefused.Targets = []operation.Verb{}, []operation.Reference{}
	want := []breakglass.Event{
		requested,
		event(0, breakglass.EventRefused, id, alice, "nobody approves their own request"),
		event(0, breakglass.EventApproved, id, bob, "seen it"),
		event(0, breakglass.EventApproved, id, carol, "seen it"),
		event(0, breakglass.EventIssued, id, alice, "for alice@example.com until 2026-11-21T03:30:00Z, approved by bob@example.com, carol@example.com"),
		event(0, breakglass.EventTokenIssued, id, alice, "signed by mollyguard/prod-eu"),
		event(0, breakglass.EventRefused, id, carol, id+" is somebody else's"),
		tokenRefused,
		event(0, breakglass.EventUsed, id, alice, "use 1 of 1"),
		only(event(3*time.Minute, breakglass.EventReleased, id, "", "the object is still there: somebody else refused"), alice),
		event(3*time.Minute, breakglass.EventUsed, id, alice, "use 1 of 1"),
		only(event(6*time.Minute, breakglass.EventConfirmed, id, "", "done"), alice),
		event(6*time.Minute, breakglass.EventRevoked, id, alice, "seen it"),
		event(6*time.Minute, breakglass.EventRequested, forgotten, alice, "the old shop goes (OPS-7)"),
		only(event(126*time.Minute, breakglass.EventExpired, forgotten, "", "not approved by 2026-11-21T04:06:00Z"), ""),
		event(126*time.Minute, breakglass.EventRequested, denied, alice, "the old shop goes (OPS-7)"),
		event(126*time.Minute, breakglass.EventDenied, denied, bob, "seen it"),
	}
	if diff := cmp.Diff(want, o.notes.events, withoutIDs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, e := range o.notes.events {
		if seen[e.ID] || len(e.ID) != 26 {
			t.Errorf("id %q of %s", e.ID, e.Event)
		}
		seen[e.ID] = true
	}
}

func TestAnImportIsToldOnceAndEveryRefusalOfATokenIs(t *testing.T) {
	hub, here := twoOffices(t, nil)
	id, token := hub.token(proposal(web))
	for range 2 {
		_, err := here.Import(t.Context(), person(alice), token)
		here.must(err)
	}
	_, err := here.Import(t.Context(), person(carol), token)
	here.same(id, "the token is somebody else's", outcome(err))
	here.try(presenting(deployment("api", "u-7"), operation.NewSecret("garbage")))

	refused := func(who, text string) breakglass.Event {
		return breakglass.Event{
			Time: opening, Event: breakglass.EventTokenRefused, Actor: person(who).Identity,
			Verbs: []operation.Verb{}, Targets: []operation.Reference{}, Text: text,
		}
	}
	want := []breakglass.Event{
		{
			Time: opening, Event: breakglass.EventImported, Grant: id, Actor: person(alice).Identity,
			Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{web}, Text: "issued by hub",
		},
		refused(carol, "the token is somebody else's"),
		refused(alice, "it is not of the form header.payload.signature in base64url"),
	}
	if diff := cmp.Diff(want, here.notes.events, withoutIDs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestNothingThatIsToldHasTheToken(t *testing.T) {
	ctx := t.Context()
	hub, here := twoOffices(t, nil)
	id, token := hub.token(proposal(web))
	var said []any
	say := func(things ...any) { said = append(said, things...) }

	_, err := here.CheckToken(ctx, person(carol), token)
	say(err)
	_, err = here.CheckToken(ctx, person(alice), operation.NewSecret(token.Reveal()+"A"))
	say(err)
	view, err := here.Import(ctx, person(alice), token)
	say(view, err)
	say(here.Find(ctx, presenting(web, token), operation.High))
	say(here.try(presenting(web, token)), here.try(presenting(deployment("web", "u-2"), token)))
	here.store.fail["CreateUse"] = errDown
	here.clock.add(2 * time.Minute)
	say(here.try(presenting(web, token)))
	say(here.Token(ctx, person(alice), id))
	say(here.Judge(ctx, person(bob), id, breakglass.Revoke, ""))
	say(here.try(presenting(web, token)))
	say(here.View(ctx, id))
	say(here.List(ctx))
	say(hub.View(ctx, id))
	for _, e := range append(here.notes.events, hub.notes.events...) {
		say(e)
	}

	signature := token.Reveal()[strings.LastIndex(token.Reveal(), ".")+1:]
	for _, thing := range said {
		text, _ := json.Marshal(thing) // a function cannot be, which is as well
		all := fmt.Sprintf("%s\n%v\n%+v\n%#v\n%s", text, thing, thing, thing, thing)
		if strings.Contains(all, signature) || strings.Contains(all, token.Reveal()) {
			t.Errorf("it is in: %v", thing)
		}
	}
}
