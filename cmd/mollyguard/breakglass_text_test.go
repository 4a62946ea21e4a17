package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// atTheDesk is when the tests look: four in the morning in Berlin.
var atTheDesk = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func testClock() clock {
	return clock{now: func() time.Time { return atTheDesk }, zone: time.FixedZone("CET", 60*60)}
}

// testConsole writes into buffers, and its time passes at once.
func testConsole() (c console, out, talk *bytes.Buffer) {
	out, talk = &bytes.Buffer{}, &bytes.Buffer{}
	after := func(time.Duration) <-chan time.Time {
		now := make(chan time.Time, 1)
		now <- atTheDesk
		return now
	}
	return console{streams: streams{in: &bytes.Buffer{}, out: out, err: talk}, clock: testClock(), after: after}, out, talk
}

func alice() operation.Actor {
	return operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}}
}

func bob() operation.Actor {
	return operation.Actor{Identity: operation.Identity{Name: "bob@example.com", Kind: operation.Human}}
}

// pendingView is Alice's request, ten minutes after she made it.
func pendingView() breakglass.View {
	shop := operation.Reference{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop", UID: "uid-1"}
	web := operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Namespace: "shop", Name: "web"}
	return breakglass.View{
		Case: breakglass.Case{Request: &breakglass.Request{
			ID: "bg-k7m4-q9tx", Created: atTheDesk.Add(-10 * time.Minute), Requester: alice(), Subject: alice().Name,
			Scope: breakglass.Scope{
				Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete},
				Targets: []operation.Reference{shop, web}, Objects: 2,
			},
			Reason: "shop moved to prod-us", Ticket: "OPS-123", Duration: 90 * time.Minute,
		}},
		Standing: breakglass.Standing{
			State: breakglass.Pending, Why: "0 of 1 approvals", Needed: 1, Left: 2, Until: atTheDesk.Add(50 * time.Minute),
		},
	}
}

// activeView is the same, after Bob approved it and Alice deleted one of the two.
func activeView() breakglass.View {
	v := pendingView()
	v.Verdicts = []breakglass.Verdict{{
		Request: v.ID(), Kind: breakglass.Approve, By: bob(), At: atTheDesk.Add(-5 * time.Minute), Reason: "checked with shop", Door: breakglass.DoorAPI,
	}}
	v.Grant = &breakglass.Grant{
		ID: v.ID(), Issuer: "mollyguard/prod-eu", Subject: alice().Name, Scope: v.Request.Scope, Credential: "X509SHA256=ab",
		Approvers: []string{bob().Name}, NotBefore: atTheDesk.Add(-5 * time.Minute), Expires: atTheDesk.Add(25 * time.Minute),
	}
	v.Uses = []breakglass.Use{{
		Grant: v.ID(), Target: v.Request.Scope.Targets[0], Verb: operation.Delete, Actor: alice().Name, At: atTheDesk.Add(-time.Minute), State: breakglass.Confirmed,
	}}
	v.Standing = breakglass.Standing{
		State: breakglass.Active, Why: "approved by bob@example.com, 1 of 2 left", Approvers: []string{bob().Name}, Needed: 1, Left: 1, Until: v.Grant.Expires,
	}
	return v
}

// importedView is a grant that came as a token, which no server has looked at.
func importedView() breakglass.View {
	v := activeView()
	v.Request, v.Verdicts, v.Uses, v.Standing = nil, nil, nil, breakglass.Standing{Why: "the server has not looked at it yet"}
	v.Grant.ID, v.Grant.Subject, v.Grant.Credential = "bg-aaaa-bbbb", "system:serviceaccount:ops:cleaner", ""
	v.Grant.Reason, v.Grant.Ticket = "yearly\x1b[2J", "OPS-1"
	v.Grant.Scope.Audience, v.Grant.Scope.Targets = "", v.Grant.Scope.Targets[:1]
	return v
}

// revokedView is the active one for a machine, which Alice took back. The server
// counts no approvals of a case that was stopped.
func revokedView() breakglass.View {
	v := activeView()
	v.Request.Subject, v.Grant.Subject = "system:serviceaccount:ops:cleaner", "system:serviceaccount:ops:cleaner"
	v.Verdicts = append(v.Verdicts, breakglass.Verdict{
		Request: v.ID(), Kind: breakglass.Revoke, By: alice(), At: atTheDesk.Add(-time.Minute), Reason: "done", Door: breakglass.DoorAPI,
	})
	v.Standing = breakglass.Standing{
		State: breakglass.Revoked, Why: "revoked by alice@example.com at 2026-11-21T02:59:00Z: done (after 1 of 2 uses)", Needed: 1, Left: 1,
	}
	return v
}

// late is a case whose time ran out before anybody looked again.
func late(v breakglass.View) breakglass.View {
	v.Standing.Until = atTheDesk.Add(-35 * time.Second)
	return v
}

func TestAStateWhoseTimeHasRunOutIsNotShownAsItWas(t *testing.T) {
	enough := late(pendingView())
	enough.Standing.Approvers = []string{bob().Name}
	for _, tt := range []struct {
		name string
		view breakglass.View
		want string
	}{
		{"active", late(activeView()), "ending"},
		{"pending", late(pendingView()), "expired"},
		{"pending, with all approvals", enough, "pending"},
		{"active, with time left", activeView(), "active"},
		{"not looked at yet", importedView(), "-"},
	} {
		if got := testClock().state(tt.view.Standing); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestTheServersTimesAreShownInTheUsersZone(t *testing.T) {
	for text, want := range map[string]string{
		"denied by bob at 2026-11-21T03:00:00Z: not before 2026-11-22T23:30:00Z": "denied by bob at 2026-11-21 04:00:00 CET: not before 2026-11-23 00:30:00 CET",
		"at 2026-11-41T03:00:00Z": "at 2026-11-41T03:00:00Z",
		"0 of 1 approvals":        "0 of 1 approvals",
	} {
		if got := testClock().local(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func printed(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCasesAreATableAsKubectlPrintsThem(t *testing.T) {
	odd := pendingView()
	odd.Request.Requester.Name, odd.Request.Scope.Targets = "аlice@example.com", odd.Request.Scope.Targets[:1] // Cyrillic а
	odd.Request.Subject = odd.Request.Requester.Name
	got := printed(t, func(w io.Writer) error {
		return testClock().table(w, []breakglass.View{pendingView(), activeView(), importedView(), odd, revokedView(), {}})
	})
	want := `HANDLE         STATE     REQUESTER                                                 WHAT                               CLUSTER   UNTIL       AGE
bg-k7m4-q9tx   pending   alice@example.com                                         delete Namespace shop and 1 more   prod-eu   in 50 min   10m
bg-k7m4-q9tx   active    alice@example.com                                         delete Namespace shop and 1 more   prod-eu   in 25 min   10m
bg-aaaa-bbbb   -         system:serviceaccount:ops:cleaner                         delete Namespace shop              -         -           5m
bg-k7m4-q9tx   pending   "\u0430lice@example.com"                                  delete Namespace shop              prod-eu   in 50 min   10m
bg-k7m4-q9tx   revoked   alice@example.com for system:serviceaccount:ops:cleaner   delete Namespace shop and 1 more   prod-eu   -           10m
               -         -                                                         -                                  -         -           -
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestShowSaysAllAboutACase(t *testing.T) {
	for _, tt := range []struct {
		name string
		view breakglass.View
		want string
	}{
		{"pending", pendingView(), `handle     bg-k7m4-q9tx
state      pending
why        0 of 1 approvals
until      2026-11-21 04:50:00 CET (in 50 min)
approvals  0 of 1
requester  alice@example.com
verb       delete
targets    Namespace shop
           deployments shop/web (whatever has this name: no uid)
objects    2
cluster    prod-eu
reason     shop moved to prod-us
ticket     OPS-123
how long   1 h 30 min
asked      2026-11-21 03:50:00 CET (10 min ago)
`},
		{"active", activeView(), `handle     bg-k7m4-q9tx
state      active
why        approved by bob@example.com, 1 of 2 left
until      2026-11-21 04:25:00 CET (in 25 min)
approvals  1 of 1: bob@example.com
requester  alice@example.com
verb       delete
targets    Namespace shop
           deployments shop/web (whatever has this name: no uid)
objects    2
cluster    prod-eu
reason     shop moved to prod-us
ticket     OPS-123
how long   1 h 30 min
asked      2026-11-21 03:50:00 CET (10 min ago)
verdicts   approve by bob@example.com, 2026-11-21 03:55:00 CET (5 min ago): checked with shop
grant      from 2026-11-21 03:55:00 CET (5 min ago) to 2026-11-21 04:25:00 CET (in 25 min)
           issued by mollyguard/prod-eu, 1 of 2 objects left
           with the credential X509SHA256=ab only
uses       delete of Namespace shop by alice@example.com, 2026-11-21 03:59:00 CET (1 min ago): confirmed
`},
		{"imported", importedView(), `handle     bg-aaaa-bbbb
state      -
why        the server has not looked at it yet
requester  system:serviceaccount:ops:cleaner
verb       delete
targets    Namespace shop
objects    2
cluster    context prod (https://127.0.0.1)
reason     yearly\x1b[2J
ticket     OPS-1
grant      from 2026-11-21 03:55:00 CET (5 min ago) to 2026-11-21 04:25:00 CET (in 25 min)
           issued by mollyguard/prod-eu
`},
		{"revoked", revokedView(), `handle     bg-k7m4-q9tx
state      revoked
why        revoked by alice@example.com at 2026-11-21 03:59:00 CET: done (after 1 of 2 uses)
approvals  1 given: bob@example.com
requester  alice@example.com
for        system:serviceaccount:ops:cleaner
verb       delete
targets    Namespace shop
           deployments shop/web (whatever has this name: no uid)
objects    2
cluster    prod-eu
reason     shop moved to prod-us
ticket     OPS-123
how long   1 h 30 min
asked      2026-11-21 03:50:00 CET (10 min ago)
verdicts   approve by bob@example.com, 2026-11-21 03:55:00 CET (5 min ago): checked with shop
           revoke by alice@example.com, 2026-11-21 03:59:00 CET (1 min ago): done
grant      was issued by mollyguard/prod-eu, from 2026-11-21 03:55:00 CET to 2026-11-21 04:25:00 CET
           with the credential X509SHA256=ab only
uses       delete of Namespace shop by alice@example.com, 2026-11-21 03:59:00 CET (1 min ago): confirmed
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := printed(t, func(w io.Writer) error {
				return testClock().details(w, tt.view, "context prod (https://127.0.0.1)")
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimesAreShownByTheirDistance(t *testing.T) {
	for _, tt := range []struct {
		away time.Duration
		want string
	}{
		{0, "now"},
		{999 * time.Millisecond, "now"},
		{time.Second, "in 1 s"},
		{-59 * time.Second, "59 s ago"},
		{9*time.Minute + 30*time.Second, "in 9 min 30 s"},
		{12*time.Minute + 29*time.Second, "in 12 min"},
		{12*time.Minute + 30*time.Second, "in 13 min"},
		{30*time.Minute - 200*time.Millisecond, "in 30 min"},
		{time.Minute - 200*time.Millisecond, "in 1 min"},
		{10*time.Minute - 200*time.Millisecond, "in 10 min"},
		{time.Hour - 20*time.Second, "in 1 h"},
		{24*time.Hour - 10*time.Minute, "in 1 d"},
		{-(3*time.Hour + 5*time.Minute), "3 h 5 min ago"},
		{-3 * time.Hour, "3 h ago"},
		{25 * time.Hour, "in 1 d 1 h"},
		{-400 * 24 * time.Hour, "400 d ago"},
	} {
		if got := testClock().relative(atTheDesk.Add(tt.away)); got != tt.want {
			t.Errorf("%v away: got %q, want %q", tt.away, got, tt.want)
		}
	}
}

func TestATimeIsReadInTheUsersZone(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-11-21T03:00:00Z":      atTheDesk,
		"2026-11-21T05:00:00+02:00": atTheDesk,
		"2026-11-21 04:00":          atTheDesk,
	} {
		if got, err := testClock().parse(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "04:00", "tomorrow", "2026-11-21T03:00:00"} {
		if got, err := testClock().parse(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestNamesWithOtherCharactersAreShownQuoted(t *testing.T) {
	for name, want := range map[string]string{
		"alice@example.com": "alice@example.com",
		"a b":               "a b",
		"аlice":             `"\u0430lice"`,
		"a\x1b[2J":          `"a\x1b[2J"`,
		"a\x7f":             `"a\x7f"`,
		"\xff":              `"\xff"`,
	} {
		if got := shown(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}
