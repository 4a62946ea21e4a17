// Package storetest proves that a breakglass.Store keeps the promises of that
// interface. Every store's tests run it.
package storetest

import (
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
)

// Options says in what a store differs from others, within the contract.
type Options struct {
	// ServerTimes: Request.Created and Verdict.At are not the caller's but the
	// store's own, the times at which it was told.
	ServerTimes bool
}

// Run runs the tests. open returns handles on one fresh store, at least one, as
// several processes would hold them: what is written through one is read through
// the others. Times are whole seconds, since a store need not keep more.
func Run(t *testing.T, open func(t *testing.T) []breakglass.Store, o Options) {
	for _, tt := range []struct {
		name string
		test func(s *suite)
	}{
		{"all fields come back", (*suite).allFieldsComeBack},
		{"what was left empty comes back empty", (*suite).emptyFieldsComeBack},
		{"odd names come back and are told apart", (*suite).oddNames},
		{"the second record of a key is refused", (*suite).keysAreTaken},
		{"of many with one key one succeeds", (*suite).oneOfManyCreates},
		{"a use changes its state only from the state that was expected", (*suite).useStates},
		{"of many that change one use one succeeds", (*suite).oneOfManyChanges},
		{"what is not there is not found", (*suite).notFound},
		{"a grant that was only presented can be revoked and used", (*suite).onlyPresented},
		{"verdicts come by time and name, uses by slot", (*suite).orderWithinACase},
		{"cases are found by subject, oldest first", (*suite).casesOfASubject},
		{"all cases come newest first, as many as asked for", (*suite).allCases},
		{"a standing has changed if its state has", (*suite).standings},
		{"what is old as a whole is removed", (*suite).prune},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &suite{T: t, stores: open(t), serverTimes: o.ServerTimes, base: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)}
			if o.ServerTimes { // beside the store's own times, ours must make sense
				s.base = time.Now().UTC().Truncate(time.Second)
			}
			tt.test(s)
		})
	}
}

// suite is one test on one fresh store.
type suite struct {
	*testing.T
	stores      []breakglass.Store
	turn        int
	serverTimes bool
	// base is when the test's story begins.
	base time.Time
}

// store returns the handles in turn.
func (s *suite) store() breakglass.Store {
	s.turn++
	return s.stores[s.turn%len(s.stores)]
}

// must ends the test on an error.
func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// keep creates all records of cases.
func (s *suite) keep(cases ...breakglass.Case) {
	s.Helper()
	ctx := s.Context()
	for _, c := range cases {
		if c.Request != nil {
			s.must(s.store().CreateRequest(ctx, *c.Request))
		}
		for _, v := range c.Verdicts {
			s.must(s.store().CreateVerdict(ctx, v))
		}
		if c.Grant != nil {
			s.must(s.store().CreateGrant(ctx, *c.Grant))
		}
		for _, u := range c.Uses {
			s.must(s.store().CreateUse(ctx, u))
		}
	}
}

// idOf is the handle of a case that may have no request and no grant.
func idOf(c breakglass.Case) string {
	switch {
	case c.ID() != "":
		return c.ID()
	case len(c.Verdicts) > 0:
		return c.Verdicts[0].Request
	case len(c.Uses) > 0:
		return c.Uses[0].Grant
	}
	return ""
}

func idsOf(cases []breakglass.Case) []string {
	ids := make([]string, len(cases))
	for i, c := range cases {
		ids[i] = idOf(c)
	}
	return ids
}
