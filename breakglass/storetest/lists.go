package storetest

import (
	"slices"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
)

func (s *suite) orderWithinACase() {
	c := breakglass.Case{Request: s.request(1, "alice@example.com")}
	for _, v := range []struct {
		name    string
		minutes int
	}{{"dave", 2}, {"bob", 3}, {"carol", 2}, {"erin", 1}} {
		verdict := s.verdict(1, breakglass.Approve, v.name)
		verdict.At = s.base.Add(time.Duration(v.minutes) * time.Minute)
		c.Verdicts = append(c.Verdicts, verdict)
	}
	// More than nine, for a store that sorts numbers as texts; the last first.
	for slot := range 12 {
		c.Uses = append(c.Uses, s.use(1, slot))
	}
	slices.Reverse(c.Uses)
	s.keep(c)
	slices.Reverse(c.Uses)
	s.same(c)
	if s.serverTimes { // the order is the store's own: same has checked it
		return
	}
	got, err := s.store().Case(s.Context(), handle(1))
	s.must(err)
	var names []string
	for _, v := range got.Verdicts {
		names = append(names, v.By.Name)
	}
	if diff := gocmp.Diff([]string{"erin", "carol", "dave", "bob"}, names); diff != "" {
		s.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// requests keeps requests that were made so many hours into the story, with
// handles from 1.
func (s *suite) requests(subject string, hours ...int) {
	s.Helper()
	for i, hour := range hours {
		r := s.request(1+i, subject)
		r.Created = s.base.Add(time.Duration(hour) * time.Hour)
		s.keep(breakglass.Case{Request: r})
	}
}

func created(a, b breakglass.Case) int { return a.Request.Created.Compare(b.Request.Created) }

func (s *suite) casesOfASubject() {
	s.requests("deployer", 2, 0, 1, 4, 3)
	s.keep(
		breakglass.Case{Request: s.request(6, "deployer2")},
		breakglass.Case{Grant: s.grant(1, "deployer")},
		// Somebody else's, though deployer approved it.
		breakglass.Case{
			Request: s.request(7, "other"), Verdicts: []breakglass.Verdict{s.verdict(7, breakglass.Approve, "deployer")},
		},
	)
	cases, err := s.store().CasesOf(s.Context(), "deployer")
	s.must(err)
	if !slices.IsSortedFunc(cases, created) {
		s.Errorf("not oldest first: %v", idsOf(cases))
	}
	got, want := idsOf(cases), []string{handle(2), handle(3), handle(1), handle(5), handle(4)}
	if s.serverTimes {
		slices.Sort(got)
		slices.Sort(want)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		s.Errorf("cases (-want +got):\n%s", diff)
	}
	// Who asked is not who may use it.
	if cases, err = s.store().CasesOf(s.Context(), s.request(1, "x").Requester.Name); err != nil || len(cases) > 0 {
		s.Errorf("cases of the requester: got %v, %v", idsOf(cases), err)
	}
	s.keep(breakglass.Case{Grant: s.imported(8, "elsewhere")})
	if cases, err = s.store().CasesOf(s.Context(), "elsewhere"); err != nil || len(cases) != 1 || !cases[0].Grant.Imported() {
		s.Errorf("cases of an imported grant's subject: got %v, %v", idsOf(cases), err)
	}
}

func (s *suite) allCases() {
	s.requests("deployer", 2, 0, 1, 4, 3)
	// A case is as old as its request, whatever clock its verdicts are from.
	s.keep(breakglass.Case{Verdicts: []breakglass.Verdict{s.verdict(4, breakglass.Approve, "bob")}})
	cases, err := s.store().Cases(s.Context(), 10)
	s.must(err)
	newest := func(a, b breakglass.Case) int { return created(b, a) }
	if !slices.IsSortedFunc(cases, newest) {
		s.Errorf("not newest first: %v", idsOf(cases))
	}
	got, want := idsOf(cases), []string{handle(4), handle(5), handle(1), handle(3), handle(2)}
	if s.serverTimes {
		slices.Sort(got)
		slices.Sort(want)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		s.Errorf("cases (-want +got):\n%s", diff)
	}
	for limit := 1; limit <= len(cases); limit++ {
		some, err := s.store().Cases(s.Context(), limit)
		s.must(err)
		if len(some) != limit || !slices.IsSortedFunc(some, newest) || created(some[limit-1], cases[limit-1]) != 0 {
			s.Errorf("the newest %d: got %v", limit, idsOf(some))
		}
	}

	// A case is whatever there is under a handle.
	s.keep(
		breakglass.Case{Grant: s.imported(6, "elsewhere")},
		breakglass.Case{Verdicts: []breakglass.Verdict{s.verdict(7, breakglass.Revoke, "bob")}},
		breakglass.Case{Uses: []breakglass.Use{s.use(8, 0)}},
	)
	if cases, err = s.store().Cases(s.Context(), 10); err != nil || len(cases) != 8 {
		s.Errorf("cases without a request: got %v, %v", idsOf(cases), err)
	}
}

func (s *suite) standings() {
	c := breakglass.Case{Request: s.request(1, "alice@example.com"), Grant: s.grant(1, "alice@example.com")}
	imported := breakglass.Case{Grant: s.imported(2, "alice@example.com")}
	s.keep(c, imported)
	for _, id := range []string{handle(1), handle(2)} {
		standing := breakglass.Standing{State: breakglass.Pending, Why: "0 of 1 approvals", Needed: 1, Until: s.base.Add(time.Hour), Left: 2}
		set := func(want bool, what string) {
			s.Helper()
			if changed, err := s.store().SetStanding(s.Context(), id, standing); err != nil || changed != want {
				s.Errorf("%s, %s: got %v, %v, want %v", id, what, changed, err, want)
			}
		}
		set(true, "the first")
		set(false, "the same again")
		standing.Why, standing.Left, standing.Approvers, standing.Until = "1 of 2 approvals", 1, []string{"bob"}, time.Time{}
		set(false, "another reason for the same state")
		standing.State = breakglass.Expired
		set(true, "another state")
		set(false, "that state again")
		standing.State = breakglass.Pending
		set(true, "the first state again")
	}
	s.same(c) // a standing is no part of it
	s.same(imported)
}
