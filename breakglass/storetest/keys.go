package storetest

import (
	"github.com/mollyguard/mollyguard/breakglass"
)

func (s *suite) keysAreTaken() {
	ctx := s.Context()
	want := breakglass.Case{
		Request: s.request(1, "alice@example.com"), Verdicts: []breakglass.Verdict{s.verdict(1, breakglass.Approve, "bob@example.com")},
		Grant: s.grant(1, "alice@example.com"), Uses: []breakglass.Use{s.use(1, 0)},
	}
	s.keep(want)

	// Each is another record of the same key.
	r, v, g, u := *s.request(1, "mallory"), want.Verdicts[0], *s.imported(1, "mallory"), s.use(1, 0)
	v.Reason, u.Actor = "other", "mallory"
	for range s.stores { // store takes them in turn
		s.want(breakglass.ErrExists, s.store().CreateRequest(ctx, r), "the request again")
		s.want(breakglass.ErrExists, s.store().CreateVerdict(ctx, v), "the verdict again")
		s.want(breakglass.ErrExists, s.store().CreateGrant(ctx, g), "the grant again")
		s.want(breakglass.ErrExists, s.store().CreateUse(ctx, u), "the use again")
	}
	s.same(want) // and not what came second

	// A key is all of its parts.
	more := breakglass.Case{
		Verdicts: []breakglass.Verdict{
			s.verdict(1, breakglass.Approve, "carol@example.com"), // another name
			s.verdict(1, breakglass.Revoke, "bob@example.com"),    // another kind
		},
		Uses: []breakglass.Use{s.use(1, 1)}, // another slot
	}
	other := breakglass.Case{ // another request
		Request: s.request(2, "alice@example.com"), Verdicts: []breakglass.Verdict{s.verdict(2, breakglass.Approve, "bob@example.com")},
		Grant: s.grant(2, "alice@example.com"), Uses: []breakglass.Use{s.use(2, 0)},
	}
	s.keep(more, other)
	want.Verdicts, want.Uses = append(want.Verdicts, more.Verdicts...), append(want.Uses, more.Uses...)
	s.same(want)
	s.same(other)
}

func (s *suite) useStates() {
	ctx := s.Context()
	c := breakglass.Case{Grant: s.grant(1, "alice@example.com"), Uses: []breakglass.Use{s.use(1, 0), s.use(1, 1), s.use(1, 2)}}
	s.keep(c)
	s.must(s.store().SetUseState(ctx, handle(1), 0, breakglass.Reserved, breakglass.Confirmed))
	s.must(s.store().SetUseState(ctx, handle(1), 1, breakglass.Reserved, breakglass.Released))
	c.Uses[0].State, c.Uses[1].State = breakglass.Confirmed, breakglass.Released
	s.same(c)
	for range s.stores {
		s.want(breakglass.ErrConflict, s.store().SetUseState(ctx, handle(1), 0, breakglass.Reserved, breakglass.Released), "a use that is confirmed")
		s.want(breakglass.ErrConflict, s.store().SetUseState(ctx, handle(1), 1, breakglass.Reserved, breakglass.Confirmed), "a use that is released")
		s.want(breakglass.ErrNotFound, s.store().SetUseState(ctx, handle(1), 3, breakglass.Reserved, breakglass.Released), "another slot")
		s.want(breakglass.ErrNotFound, s.store().SetUseState(ctx, handle(2), 0, breakglass.Reserved, breakglass.Released), "another grant")
	}
	s.same(c)
}

func (s *suite) notFound() {
	ctx := s.Context()
	s.keep(breakglass.Case{Request: s.request(1, "alice@example.com")})
	for _, id := range []string{handle(2), handle(1) + "0", "bg-test", ""} {
		c, err := s.store().Case(ctx, id)
		s.want(breakglass.ErrNotFound, err, "case "+id)
		s.equal(breakglass.Case{}, c)
	}
	for _, subject := range []string{"bob@example.com", ""} {
		cases, err := s.store().CasesOf(ctx, subject)
		s.must(err)
		if len(cases) != 0 {
			s.Errorf("cases of %q: got %v", subject, idsOf(cases))
		}
	}
}

// onlyPresented: a token that comes with the operation is kept nowhere, but what
// was done with it and whether it was revoked is.
func (s *suite) onlyPresented() {
	revoked := breakglass.Case{Verdicts: []breakglass.Verdict{s.verdict(1, breakglass.Revoke, "bob@example.com")}}
	used := breakglass.Case{Uses: []breakglass.Use{s.use(2, 0)}}
	s.keep(revoked, used)
	s.same(revoked)
	s.same(used)
	for _, subject := range []string{"alice@example.com", "bob@example.com", ""} {
		cases, err := s.store().CasesOf(s.Context(), subject)
		s.must(err)
		if len(cases) != 0 {
			s.Errorf("cases of %q, whose grant is not here: got %v", subject, idsOf(cases))
		}
	}
}
