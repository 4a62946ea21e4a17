package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mollyguard/mollyguard/breakglass"
)

// racers is how many goroutines want the same thing, over all handles.
const racers = 50

// race lets all racers do one thing at the same time and returns who succeeded:
// one of them. All others must get the loser's error.
func (s *suite) race(loser error, do func(ctx context.Context, store breakglass.Store, racer int) error) (winner int) {
	s.Helper()
	errs := make([]error, racers)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range racers {
		store := s.store()
		group.Go(func() {
			<-start
			errs[i] = do(s.Context(), store, i)
		})
	}
	close(start)
	group.Wait()
	winner = -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			s.Errorf("racers %d and %d both succeeded", winner, i)
		case !errors.Is(err, loser):
			s.Errorf("racer %d: got %v, want %v", i, err, loser)
		}
	}
	if winner < 0 {
		s.Fatal("nobody succeeded")
	}
	return winner
}

func (s *suite) oneOfManyCreates() {
	want := breakglass.Case{Request: s.request(1, "alice@example.com"), Grant: s.grant(1, "alice@example.com")}
	tell := func(racer int) string { return fmt.Sprintf("racer %d", racer) } // their records apart

	winner := s.race(breakglass.ErrExists, func(ctx context.Context, store breakglass.Store, racer int) error {
		r := *want.Request
		r.Reason = tell(racer)
		return store.CreateRequest(ctx, r)
	})
	want.Request.Reason = tell(winner)

	v := s.verdict(1, breakglass.Approve, "bob@example.com")
	winner = s.race(breakglass.ErrExists, func(ctx context.Context, store breakglass.Store, racer int) error {
		v := v
		v.Reason = tell(racer)
		return store.CreateVerdict(ctx, v)
	})
	v.Reason = tell(winner)
	want.Verdicts = []breakglass.Verdict{v}

	winner = s.race(breakglass.ErrExists, func(ctx context.Context, store breakglass.Store, racer int) error {
		g := *want.Grant
		g.Reason = tell(racer)
		return store.CreateGrant(ctx, g)
	})
	want.Grant.Reason = tell(winner)

	for slot := range 2 {
		u := s.use(1, slot)
		winner = s.race(breakglass.ErrExists, func(ctx context.Context, store breakglass.Store, racer int) error {
			u := u
			u.Actor = tell(racer)
			return store.CreateUse(ctx, u)
		})
		u.Actor = tell(winner)
		want.Uses = append(want.Uses, u)
	}
	s.same(want)
}

func (s *suite) oneOfManyChanges() {
	want := breakglass.Case{Grant: s.grant(1, "alice@example.com"), Uses: []breakglass.Use{s.use(1, 0)}}
	s.keep(want)
	to := func(racer int) breakglass.UseState {
		return []breakglass.UseState{breakglass.Confirmed, breakglass.Released}[racer%2]
	}
	winner := s.race(breakglass.ErrConflict, func(ctx context.Context, store breakglass.Store, racer int) error {
		return store.SetUseState(ctx, handle(1), 0, breakglass.Reserved, to(racer))
	})
	want.Uses[0].State = to(winner)
	s.same(want)
}
