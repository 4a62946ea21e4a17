package storetest

import (
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
)

func (s *suite) prune() {
	ctx := s.Context()
	cutoff := s.base.Add(24 * time.Hour)
	whole := func(i int) breakglass.Case {
		return breakglass.Case{
			Request: s.request(i, "alice@example.com"), Verdicts: []breakglass.Verdict{s.verdict(i, breakglass.Approve, "bob")},
			Grant: s.grant(i, "alice@example.com"), Uses: []breakglass.Use{s.use(i, 0), s.use(i, 1)},
		}
	}
	old, oldImported := whole(1), breakglass.Case{Grant: s.imported(2, "alice@example.com")}
	oldVerdict := breakglass.Case{Verdicts: []breakglass.Verdict{s.verdict(3, breakglass.Revoke, "bob")}}
	oldUse := breakglass.Case{Uses: []breakglass.Use{s.use(4, 0)}}
	usedSince, unexpired := whole(5), breakglass.Case{Grant: s.imported(6, "alice@example.com")}
	usedSince.Uses[1].At = cutoff // which is not before it
	unexpired.Grant.Expires = cutoff.Add(time.Hour)
	all := []breakglass.Case{old, oldImported, oldVerdict, oldUse, usedSince, unexpired}
	s.keep(all...)
	for _, c := range all {
		if c.ID() != "" {
			_, err := s.store().SetStanding(ctx, c.ID(), breakglass.Standing{State: breakglass.Used})
			s.must(err)
		}
	}

	remove := func(before time.Time, want int) {
		s.Helper()
		if removed, err := s.store().Prune(ctx, before); err != nil || removed != want {
			s.Errorf("removed %d before %v, %v; want %d", removed, before, err, want)
		}
	}
	remove(s.base.Add(-24*time.Hour), 0)
	for _, c := range all {
		s.same(c)
	}
	remove(cutoff, 4)
	remove(cutoff, 0)
	for _, c := range []breakglass.Case{old, oldImported, oldVerdict, oldUse} {
		for _, store := range s.stores {
			_, err := store.Case(ctx, idOf(c))
			s.want(breakglass.ErrNotFound, err, "case "+idOf(c))
		}
	}
	s.same(usedSince)
	s.same(unexpired)
	if cases, err := s.store().CasesOf(ctx, "alice@example.com"); err != nil || len(cases) != 2 {
		s.Errorf("cases of the subject: got %v, %v", idsOf(cases), err)
	}
	if cases, err := s.store().Cases(ctx, 10); err != nil || len(cases) != 2 {
		s.Errorf("all cases: got %v, %v", idsOf(cases), err)
	}

	// Nothing was left behind of what was removed: the same keys are free.
	s.keep(old)
	s.same(old)
	if changed, err := s.store().SetStanding(ctx, old.ID(), breakglass.Standing{State: breakglass.Used}); err != nil || !changed {
		s.Errorf("the standing of a new case: got %v, %v", changed, err)
	}
}
