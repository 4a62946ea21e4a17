package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// maxFloorCases is how many of the newest cases are looked at: as long as a grant lasts
// (a day; a week if it came from elsewhere), at 280 requests a day.
const maxFloorCases = 2000

// granted lists what grants let through now, those that end first first, and says when
// that changes by itself; zero if it does not. With an error the list has what could be
// learnt, and what it was before of a grant that could not be weighed.
//
// A grant that can be used lets through all of its targets. One that is used up, and a
// token that was presented and is not kept here, let through what they were used for
// while a repeat is the same use: the API server asks the floor after the use has been
// noted, and may ask for one deletion more than once.
func (f *FloorContent) granted(ctx context.Context, before []v1alpha1.FloorGrant) (list []v1alpha1.FloorGrant, next time.Time, err error) {
	known := f.cases()
	if known == nil {
		return nil, time.Time{}, nil
	}
	cases, err := known.Cases(ctx, maxFloorCases)
	if err != nil {
		return current(before, f.now()), time.Time{}, fmt.Errorf("read what was granted: %w", err)
	}
	now := f.now()
	sooner := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	var errs []error
	for _, c := range cases {
		if stopped(c) {
			continue
		}
		entries := lately(c, now)
		if c.Grant != nil && c.Grant.Scope.Surface == operation.Kubernetes && now.Before(c.Grant.Expires.Add(breakglass.Leeway)) {
			standing, err := known.Weigh(ctx, c, "", now)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("weigh grant %s: %w", c.ID(), err))
				entries = append(entries, still(c.Grant.ID, before, entries, now)...)
			case standing.State == breakglass.Active:
				entries = append(entries, opened(*c.Grant)...)
			case standing.State == breakglass.Scheduled:
				sooner(c.Grant.NotBefore)
			}
		}
		list = append(list, entries...)
	}
	for _, g := range list {
		sooner(g.Expires.Time)
	}
	slices.SortFunc(list, func(a, b v1alpha1.FloorGrant) int {
		return cmp.Or(a.Expires.Compare(b.Expires.Time), cmp.Compare(a.Grant, b.Grant), cmp.Compare(a.Ref, b.Ref))
	})
	return list, next, errors.Join(errs...)
}

// still is what a grant let through before and was not listed yet.
func still(id string, before, listed []v1alpha1.FloorGrant, now time.Time) []v1alpha1.FloorGrant {
	return slices.DeleteFunc(current(before, now), func(g v1alpha1.FloorGrant) bool {
		same := func(other v1alpha1.FloorGrant) bool { return equality.Semantic.DeepEqual(g, other) }
		return g.Grant != id || slices.ContainsFunc(listed, same)
	})
}

// FloorJudges reports whether the floor refuses a verb: a grant for another says nothing
// to it.
func FloorJudges(v operation.Verb) bool { return v == operation.Delete || v == operation.Unprotect }

// stopped says whether somebody has denied or revoked.
func stopped(c breakglass.Case) bool {
	return slices.ContainsFunc(c.Verdicts, func(v breakglass.Verdict) bool { return v.Kind != breakglass.Approve })
}

// opened is what a grant lets through.
func opened(g breakglass.Grant) []v1alpha1.FloorGrant {
	var verbs []v1alpha1.Verb
	for _, verb := range g.Scope.Verbs {
		if FloorJudges(verb) {
			verbs = append(verbs, v1alpha1.Verb(verb))
		}
	}
	if len(verbs) == 0 {
		return nil
	}
	var list []v1alpha1.FloorGrant
	for _, target := range g.Scope.Targets {
		list = append(list, v1alpha1.FloorGrant{
			Grant: g.ID, User: g.Subject, Credential: g.Credential, Ref: target.Ref, UID: target.UID, Verbs: verbs,
			Expires: whole(g.Expires.Add(breakglass.Leeway)),
		})
	}
	return list
}

// lately is what a case was used for a moment ago.
func lately(c breakglass.Case, now time.Time) []v1alpha1.FloorGrant {
	var list []v1alpha1.FloorGrant
	for _, use := range c.Uses {
		if _, kubernetes := operation.ParseKubernetesRef(use.Target.Ref); !kubernetes || !FloorJudges(use.Verb) || use.State == breakglass.Released || now.Sub(use.At) >= breakglass.RepeatWindow {
			continue
		}
		list = append(list, v1alpha1.FloorGrant{
			Grant: use.Grant, User: use.Actor, Ref: use.Target.Ref, UID: use.Target.UID, Verbs: []v1alpha1.Verb{v1alpha1.Verb(use.Verb)},
			Expires: whole(use.At.Add(breakglass.RepeatWindow)),
		})
	}
	return list
}

// whole is the second at or after a time: objects keep no fractions.
func whole(t time.Time) metav1.Time {
	return metav1.Time{Time: t.Add(time.Second - 1).UTC().Truncate(time.Second)}
}

// current leaves out what has ended.
func current(list []v1alpha1.FloorGrant, now time.Time) []v1alpha1.FloorGrant {
	return slices.DeleteFunc(slices.Clone(list), func(g v1alpha1.FloorGrant) bool { return !now.Before(g.Expires.Time) })
}

// union is all that is in one of two lists, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func atMost(list []string, n int) []string { return list[:min(len(list), n)] }
