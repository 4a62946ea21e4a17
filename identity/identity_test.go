package identity_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// answering is an Authenticator with one answer.
type answering struct {
	actor operation.Actor
	err   error
	asked int
}

func (a *answering) Authenticate(context.Context, operation.Secret) (operation.Actor, error) {
	a.asked++
	return a.actor, a.err
}

func person(name string, groups ...string) operation.Actor {
	return operation.Actor{Identity: operation.Identity{Name: name, Kind: operation.Human}, Groups: groups}
}

func TestFirstTakesTheFirstYesAndTellsAnswersFromFailures(t *testing.T) {
	errDown := errors.New("the issuer is down")
	foreign := &identity.Rejection{Reason: "not mine", Foreign: true}
	expired := &identity.Rejection{Reason: "expired"}
	for _, tt := range []struct {
		name   string
		bearer string
		list   []*answering
		want   operation.Actor
		err    string
		answer bool // whether err is a Rejection
	}{
		{"the first yes counts", "t", []*answering{{err: foreign}, {actor: person("alice")}, {actor: person("bob")}}, person("alice"), "", false},
		{"one that cannot tell does not keep the next from being asked", "t", []*answering{{err: errDown}, {actor: person("alice")}}, person("alice"), "", false},
		{"no yes and one that cannot tell is no answer", "t", []*answering{{err: errDown}, {err: expired}}, operation.Actor{}, "the issuer is down", false},
		{"the reason is of whom the token is for", "t", []*answering{{err: foreign}, {err: expired}, {err: foreign}}, operation.Actor{}, "expired", true},
		{"a token for nobody is of no known kind", "t", []*answering{{err: foreign}}, operation.Actor{}, "the token is of no kind that is accepted here", true},
		{"no token", "", []*answering{{actor: person("alice")}}, operation.Actor{}, "no token was presented", true},
		{"a token of 17 KiB", strings.Repeat("x", 17<<10), []*answering{{actor: person("alice")}}, operation.Actor{}, "the token is longer than 16 KiB", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var list []identity.Authenticator
			for _, one := range tt.list {
				list = append(list, one)
			}
			got, err := identity.First(list...).Authenticate(t.Context(), operation.NewSecret(tt.bearer))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
			if text(err) != tt.err {
				t.Errorf("error %q, want %q", text(err), tt.err)
			}
			var rejection *identity.Rejection
			if errors.As(err, &rejection) != tt.answer {
				t.Errorf("error %#v: is it an answer? want %v", err, tt.answer)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAYesIsRememberedForTenSecondsAndANoIsNot(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	behind := &answering{err: &identity.Rejection{Reason: "unknown"}}
	cached := identity.NewCached(behind, func() time.Time { return now })
	ask := func(bearer string) (operation.Actor, error) {
		return cached.Authenticate(t.Context(), operation.NewSecret(bearer))
	}
	for range 2 {
		if _, err := ask("a"); err == nil {
			t.Fatal("a token that is not good was taken")
		}
	}
	if behind.asked != 2 {
		t.Errorf("a refusal was remembered: %d questions, want 2", behind.asked)
	}
	behind.actor, behind.err = person("alice", "sre"), nil
	for range 3 {
		got, err := ask("a")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(person("alice", "sre"), got); diff != "" {
			t.Errorf("actor (-want +got):\n%s", diff)
		}
		got.Groups[0] = "changed by the caller"
	}
	if behind.asked != 3 {
		t.Errorf("%d questions, want 3", behind.asked)
	}
	behind.actor = person("bob")
	if got, _ := ask("another token"); got.Name != "bob" {
		t.Errorf("another token is %s's, want bob's", got.Name)
	}
	now = now.Add(10 * time.Second)
	behind.err = &identity.Rejection{Reason: "revoked"}
	if _, err := ask("a"); err == nil {
		t.Error("a token is good after ten seconds, and it was revoked")
	}
}

func TestTheCacheStopsGrowing(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	behind := &answering{actor: person("alice")}
	cached := identity.NewCached(behind, func() time.Time { return now })
	ask := func(i int) {
		if _, err := cached.Authenticate(t.Context(), operation.NewSecret(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	const limit = 1024
	for i := range limit + 1 {
		ask(i)
	}
	before := behind.asked
	ask(limit)
	if behind.asked != before+1 {
		t.Error("more was remembered than there is room for")
	}
	now = now.Add(time.Minute) // what was remembered makes room
	ask(limit)
	before = behind.asked
	ask(limit)
	if behind.asked != before {
		t.Error("nothing is remembered any more once the cache was full")
	}
}

func TestWhatIsLoggedAboutATokenNeverQuotesIt(t *testing.T) {
	bearer := operation.NewSecret("header.payload.signature")
	for in, want := range map[string]string{
		"malformed: header.payload.signature": "",
		"cannot decode payload":               "",
		"the key is not known":                "the key is not known",
		"two\nlines":                          `two\nlines`,
	} {
		if got := identity.Detail(in, bearer); got != want {
			t.Errorf("Detail(%q) = %q, want %q", in, got, want)
		}
	}
}
