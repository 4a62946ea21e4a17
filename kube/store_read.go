package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

const (
	// pageSize is how many objects are read at a time. The largest that the schemas
	// allow are requests with 256 groups of 2 KiB and 64 targets of 5 KiB: 41 MiB a
	// page. Usual ones have 2 KiB.
	pageSize = 50
	// handlesAtOnce is how many cases' records are asked for at a time: 1.3 KB of URL.
	handlesAtOnce = 100
	// maxOfSubject is how many requests or grants of one subject are looked at to
	// answer one operation: a hundred a day for as long as they matter.
	maxOfSubject = 800
)

// Case implements breakglass.Store.
func (s *Store) Case(ctx context.Context, id string) (breakglass.Case, error) {
	if !breakglass.IsHandle(id) {
		return breakglass.Case{}, breakglass.ErrNotFound
	}
	found := cases{}
	for _, o := range []client.Object{&v1alpha1.BreakGlassRequest{}, &v1alpha1.Grant{}} {
		if err := s.add(ctx, found, id, o); err != nil {
			return breakglass.Case{}, err
		}
	}
	if err := s.addBelonging(ctx, found, []string{id}); err != nil {
		return breakglass.Case{}, err
	}
	entry := found[id]
	if entry == nil {
		return breakglass.Case{}, breakglass.ErrNotFound
	}
	return entry.sorted(), nil
}

// CasesOf implements breakglass.Store. It asks the cache first. Who has a request
// or a grant there that may still matter is looked up in the API server; who has
// none is too, since the
// cache may lag behind, but only as often as StoreOptions.Limit allows. Beyond
// that the cache's answer is taken: denials come in storms, grants are rare, and
// what the cache does not know yet it knows a moment later, when the operation is
// tried again.
func (s *Store) CasesOf(ctx context.Context, subject string) ([]breakglass.Case, error) {
	labelled := client.MatchingLabels{LabelSubject: SubjectLabel(subject)}
	if !s.worthAsking(ctx, labelled) {
		return nil, nil
	}
	found := cases{}
	for _, list := range []client.ObjectList{&v1alpha1.GrantList{}, &v1alpha1.BreakGlassRequestList{}} {
		count := 0
		err := s.each(ctx, list, func(o client.Object) error {
			// Anybody can ask for somebody: what is too much is left out, and must keep
			// no grant from being found. Grants take an approval each.
			if s.matters(o.GetCreationTimestamp()) && count < maxOfSubject {
				found.add(o, s.cluster)
				count++
			}
			return nil
		}, labelled)
		if err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(found, func(_ string, e *entry) bool { return e.Subject() != subject })
	for id, e := range found {
		// A grant without its request would pass for one from elsewhere.
		if e.Request == nil {
			if err := s.add(ctx, found, id, &v1alpha1.BreakGlassRequest{}); err != nil {
				return nil, err
			}
		}
	}
	if err := s.addBelonging(ctx, found, slices.Sorted(maps.Keys(found))); err != nil {
		return nil, err
	}
	return found.oldestFirst(), nil
}

// worthAsking says whether the API server is to be asked for a subject's cases.
func (s *Store) worthAsking(ctx context.Context, labelled client.MatchingLabels) bool {
	if s.cache == nil || s.synced == nil || !s.synced() {
		return true
	}
	for _, o := range Watched() {
		list := metadataList(o.GetObjectKind().GroupVersionKind().Kind)
		if err := s.cache.List(ctx, list, labelled); err != nil {
			return true
		}
		if slices.ContainsFunc(list.Items, func(m metav1.PartialObjectMetadata) bool { return s.matters(m.CreationTimestamp) }) {
			return true
		}
	}
	return s.limit.Allow()
}

// matters reports whether a request or a grant that was made then can still matter.
// The API server says when, by its own clock; no time at all is a test's.
func (s *Store) matters(created metav1.Time) bool {
	return created.IsZero() || s.now().Sub(created.Time) < breakglass.MaxLife
}

// Cases implements breakglass.Store.
func (s *Store) Cases(ctx context.Context, limit int) ([]breakglass.Case, error) {
	// First only when each was made, so that what has to be held at once does not
	// grow with what somebody puts into requests.
	since := cases{}
	for kind := range resources {
		err := s.each(ctx, metadataList(kind), func(o client.Object) error {
			since.add(o, s.cluster)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	newest := since.newest(limit)
	found := cases{}
	for _, list := range []client.ObjectList{
		&v1alpha1.BreakGlassRequestList{}, &v1alpha1.GrantList{}, &v1alpha1.BreakGlassVerdictList{}, &v1alpha1.BreakGlassUseList{},
	} {
		err := s.each(ctx, list, func(o client.Object) error {
			if newest[handleOf(o.GetName())] {
				found.add(o, s.cluster)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	list := found.oldestFirst()
	slices.Reverse(list)
	return list, nil
}

// add reads the object of a name into what was found, if it is there.
func (s *Store) add(ctx context.Context, found cases, name string, o client.Object) error {
	err := storeError(s.client.Get(ctx, client.ObjectKey{Name: name}, o))
	if errors.Is(err, breakglass.ErrNotFound) {
		return nil
	}
	if err == nil {
		found.add(o, s.cluster)
	}
	return err
}

// addBelonging reads the verdicts and uses of cases into what was found.
func (s *Store) addBelonging(ctx context.Context, found cases, ids []string) error {
	for some := range slices.Chunk(ids, handlesAtOnce) {
		requirement, err := labels.NewRequirement(LabelRequest, selection.In, some)
		if err != nil {
			return fmt.Errorf("select verdicts and uses: %w", err)
		}
		selector := client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*requirement)}
		for _, list := range []client.ObjectList{&v1alpha1.BreakGlassVerdictList{}, &v1alpha1.BreakGlassUseList{}} {
			if err := s.each(ctx, list, func(o client.Object) error {
				found.add(o, s.cluster)
				return nil
			}, selector); err != nil {
				return err
			}
		}
	}
	return nil
}

// each calls take for all objects of a list, a page at a time, until it returns
// an error.
func (s *Store) each(ctx context.Context, list client.ObjectList, take func(client.Object) error, options ...client.ListOption) error {
	next := ""
	for {
		page := list.DeepCopyObject().(client.ObjectList) // what is decoded into a used one shares its memory
		if err := s.client.List(ctx, page, slices.Concat(options, []client.ListOption{client.Limit(pageSize), client.Continue(next)})...); err != nil {
			return storeError(err)
		}
		if err := meta.EachListItem(page, func(o runtime.Object) error { return take(o.(client.Object)) }); err != nil {
			return err
		}
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}
