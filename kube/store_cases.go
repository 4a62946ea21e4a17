package kube

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// cases are what was found, by handle.
type cases map[string]*entry

// entry is a case, and when the first of its records was made.
type entry struct {
	breakglass.Case
	since time.Time
}

// add puts an object where it belongs. Of one whose metadata alone is known, the
// time is.
func (c cases) add(o client.Object, cluster string) {
	id := handleOf(o.GetName())
	if id == "" {
		return
	}
	e := c[id]
	if e == nil {
		e = &entry{since: o.GetCreationTimestamp().UTC()}
		c[id] = e
	}
	if made := o.GetCreationTimestamp().UTC(); made.Before(e.since) {
		e.since = made
	}
	switch o := o.(type) {
	case *v1alpha1.BreakGlassRequest:
		e.Request = new(RequestFromObject(o, cluster))
	case *v1alpha1.Grant:
		e.Grant = new(GrantFromObject(o))
	case *v1alpha1.BreakGlassVerdict:
		e.Verdicts = append(e.Verdicts, VerdictFromObject(o))
	case *v1alpha1.BreakGlassUse:
		e.Uses = append(e.Uses, useFromObject(o, cluster))
	}
}

// newest returns the handles of the newest cases, at most limit of them.
func (c cases) newest(limit int) map[string]bool {
	ids := c.ids()
	newest := map[string]bool{}
	for _, id := range ids[max(len(ids)-limit, 0):] {
		newest[id] = true
	}
	return newest
}

func (c cases) oldestFirst() []breakglass.Case {
	var list []breakglass.Case
	for _, id := range c.ids() {
		list = append(list, c[id].sorted())
	}
	return list
}

// ids returns the handles, of the oldest case first.
func (c cases) ids() []string {
	return slices.SortedFunc(maps.Keys(c), func(a, b string) int {
		return cmp.Or(c[a].since.Compare(c[b].since), strings.Compare(a, b))
	})
}

// sorted returns the case with its records in order.
func (e *entry) sorted() breakglass.Case {
	slices.SortFunc(e.Verdicts, func(a, b breakglass.Verdict) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.By.Name, b.By.Name))
	})
	slices.SortFunc(e.Uses, func(a, b breakglass.Use) int { return a.Slot - b.Slot })
	return e.Case
}
