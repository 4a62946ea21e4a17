package main

import (
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
)

func TestAVerdictEndsWithWhatHasComeOfIt(t *testing.T) {
	view := func(s breakglass.Standing) breakglass.View {
		v := pendingView()
		v.Standing = s
		return v
	}
	soon, tomorrow := atTheDesk.Add(41*time.Minute), atTheDesk.Add(25*time.Hour)
	for _, tt := range []struct {
		name string
		kind breakglass.VerdictKind
		s    breakglass.Standing
		want string
	}{
		{"the last approval", breakglass.Approve, breakglass.Standing{State: breakglass.Active, Until: soon, Left: 1}, "approved: alice@example.com can do it until 04:41 CET, once"},
		{"for several objects", breakglass.Approve, breakglass.Standing{State: breakglass.Active, Until: tomorrow, Left: 2}, "approved: alice@example.com can do it until 2026-11-22 05:00 CET, 2 times"},
		{"for later", breakglass.Approve, breakglass.Standing{State: breakglass.Scheduled, Until: soon, Left: 1}, "approved: alice@example.com can do it from 04:41 CET on, once"},
		{"one of two", breakglass.Approve, breakglass.Standing{State: breakglass.Pending, Why: "1 of 2 approvals", Approvers: []string{"bob"}, Needed: 2}, "1 of 2 approvals, one more approval is needed"},
		{"one of three", breakglass.Approve, breakglass.Standing{State: breakglass.Pending, Why: "1 of 3 approvals", Approvers: []string{"bob"}, Needed: 3}, "1 of 3 approvals, 2 more approvals are needed"},
		{"all, and no grant yet", breakglass.Approve, breakglass.Standing{State: breakglass.Pending, Why: "approved, the grant is being issued", Approvers: []string{"bob"}, Needed: 1}, "pending: approved, the grant is being issued"},
		{"an approval that does not count", breakglass.Approve, breakglass.Standing{State: breakglass.Void, Why: "bob may not approve"}, "void: bob may not approve"},
		{"a denial", breakglass.Deny, breakglass.Standing{State: breakglass.Denied}, "denied: nobody can do anything with bg-k7m4-q9tx any more"},
		{"a denial of what was revoked", breakglass.Deny, breakglass.Standing{State: breakglass.Revoked}, "revoked: nobody can do anything with bg-k7m4-q9tx any more"},
		{"nobody has looked", breakglass.Revoke, breakglass.Standing{}, "bg-k7m4-q9tx: the server has not looked at it yet: show says what has come of it"},
	} {
		c, _, _ := testConsole()
		if got := c.judged(view(tt.s), tt.kind); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
