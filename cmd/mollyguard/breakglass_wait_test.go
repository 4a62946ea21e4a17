package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
)

// script is a desk whose case is looked at one step after the other; the last
// step stays.
type script struct {
	remoteDesk
	steps []step
}

type step struct {
	state breakglass.State
	why   string
	err   error
}

func (s *script) View(context.Context, string) (breakglass.View, error) {
	now := s.steps[0]
	if len(s.steps) > 1 {
		s.steps = s.steps[1:]
	}
	v := pendingView()
	v.Standing.State, v.Standing.Why = now.state, now.why
	return v, now.err
}

func exitOf(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitAllowed
	case errors.As(err, &exit):
		return exit.code
	}
	return exitUndecided
}

func TestWaitingEndsWhenSomethingIsDecided(t *testing.T) {
	pending := step{state: breakglass.Pending, why: "0 of 1 approvals"}
	down := step{err: errors.New("connection refused")}
	for _, tt := range []struct {
		name  string
		steps []step
		code  int
		err   string
		talk  string
	}{
		{
			"approved", []step{pending, pending, {state: breakglass.Active}}, exitAllowed, "",
			"mollyguard: waiting for bg-k7m4-q9tx: 0 of 1 approvals, until 04:50 CET\n",
		},
		{"approved for later", []step{{state: breakglass.Scheduled}}, exitAllowed, "", ""},
		{"used already", []step{{state: breakglass.Used}}, exitAllowed, "", ""},
		{"denied", []step{{state: breakglass.Denied, why: "denied by bob at 2026-11-21T03:00:00Z"}}, exitDenied, "bg-k7m4-q9tx is denied: denied by bob at 2026-11-21 04:00:00 CET", ""},
		{"revoked", []step{{state: breakglass.Revoked, why: "revoked by bob"}}, exitDenied, "bg-k7m4-q9tx is revoked: revoked by bob", ""},
		{"expired", []step{{state: breakglass.Expired, why: "not approved"}}, exitDenied, "bg-k7m4-q9tx is expired: not approved", ""},
		{
			"void is not the end", []step{{state: breakglass.Void, why: "1 of 2 approvals count"}, {state: breakglass.Active}}, exitAllowed, "",
			"mollyguard: waiting for bg-k7m4-q9tx: 1 of 2 approvals count, until 04:50 CET\n",
		},
		{
			"an outage passes", []step{pending, down, down, {state: breakglass.Active}}, exitAllowed, "",
			"mollyguard: waiting for bg-k7m4-q9tx: 0 of 1 approvals, until 04:50 CET\nmollyguard: bg-k7m4-q9tx cannot be looked at (connection refused), trying again\n",
		},
		{
			"an outage stays", []step{down}, exitUndecided, "bg-k7m4-q9tx cannot be looked at: connection refused",
			"mollyguard: bg-k7m4-q9tx cannot be looked at (connection refused), trying again\n",
		},
		{"gone", []step{{err: breakglass.ErrNotFound}}, exitUndecided, "there is nothing under bg-k7m4-q9tx", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, talk := testConsole()
			_, err := c.wait(t.Context(), &script{steps: tt.steps}, "bg-k7m4-q9tx", "show --wait")
			if code := exitOf(err); code != tt.code || err != nil && err.Error() != tt.err {
				t.Errorf("exit code %d, %v; want %d, %s", code, err, tt.code, tt.err)
			}
			if diff := cmp.Diff(tt.talk, talk.String()); diff != "" {
				t.Errorf("talk (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWaitingCanBeInterruptedAndTheRequestStays(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _, talk := testConsole()
	c.terminal = true
	c.after = func(time.Duration) <-chan time.Time {
		cancel()
		return nil
	}
	_, err := c.wait(ctx, &script{steps: []step{{state: breakglass.Pending}}}, "bg-k7m4-q9tx", "mollyguard break-glass show --wait bg-k7m4-q9tx")
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitUndecided || !strings.Contains(exit.Error(), "bg-k7m4-q9tx stays") || !strings.Contains(exit.hint, "show --wait bg-k7m4-q9tx") {
		t.Errorf("got %+v", err)
	}
	if !strings.HasSuffix(talk.String(), eraseLine) {
		t.Errorf("the progress line is left over: %q", talk)
	}
}

func TestQuestionsBecomeRarer(t *testing.T) {
	var got []time.Duration
	c, _, _ := testConsole()
	after := c.after
	c.after = func(d time.Duration) <-chan time.Time {
		got = append(got, d)
		return after(d)
	}
	pending := step{state: breakglass.Pending}
	if _, err := c.wait(t.Context(), &script{steps: []step{pending, pending, pending, pending, pending, pending, {state: breakglass.Active}}}, "bg-k7m4-q9tx", ""); err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{2 * time.Second, 3 * time.Second, 4500 * time.Millisecond, 6750 * time.Millisecond, 10 * time.Second, 10 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}
