package storetest

import (
	"cmp"
	"errors"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// options compare records: an empty list is as good as none, since JSON and the
// Kubernetes API do not keep them apart; times are equal if they are the same
// moment; secrets by what they hold.
func (s *suite) options() gocmp.Options {
	options := gocmp.Options{
		cmpopts.EquateEmpty(),
		gocmp.Comparer(func(a, b operation.Secret) bool { return a.Reveal() == b.Reveal() }),
	}
	if s.serverTimes {
		options = append(options,
			cmpopts.IgnoreFields(breakglass.Request{}, "Created"),
			cmpopts.IgnoreFields(breakglass.Verdict{}, "At"))
	}
	return options
}

// same compares one case, read through every handle, with what is wanted.
func (s *suite) same(want breakglass.Case) {
	s.Helper()
	for i, store := range s.stores {
		got, err := store.Case(s.Context(), idOf(want))
		if err != nil {
			s.Fatalf("handle %d: case %q: %v", i, idOf(want), err)
		}
		s.equal(want, got)
	}
}

// equal compares a case with what is wanted, its order within included.
func (s *suite) equal(want, got breakglass.Case) {
	s.Helper()
	s.ordered(got)
	want.Verdicts, got.Verdicts = byKey(want.Verdicts), byKey(got.Verdicts)
	if diff := gocmp.Diff(want, got, s.options()); diff != "" {
		s.Errorf("case %q (-want +got):\n%s", idOf(want), diff)
	}
	if got.Request != nil && got.Request.Created.IsZero() {
		s.Errorf("case %q: the request has no time", idOf(want))
	}
	for _, v := range got.Verdicts {
		if v.At.IsZero() {
			s.Errorf("case %q: the verdict of %q has no time", idOf(want), v.By.Name)
		}
	}
}

// byKey sorts verdicts in a way that does not depend on their times.
func byKey(verdicts []breakglass.Verdict) []breakglass.Verdict {
	return slices.SortedFunc(slices.Values(verdicts), func(a, b breakglass.Verdict) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.By.Name, b.By.Name))
	})
}

// ordered checks the order within a case.
func (s *suite) ordered(c breakglass.Case) {
	s.Helper()
	if !slices.IsSortedFunc(c.Verdicts, func(a, b breakglass.Verdict) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.By.Name, b.By.Name))
	}) {
		s.Errorf("case %q: verdicts are not sorted by time and name: %v", idOf(c), c.Verdicts)
	}
	for i, u := range c.Uses {
		if u.Slot != i {
			s.Errorf("case %q: use %d is in slot %d", idOf(c), i, u.Slot)
		}
	}
}

// want checks for one of the errors that callers branch on.
func (s *suite) want(want, got error, what string) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Errorf("%s: got %v, want %v", what, got, want)
	}
}
