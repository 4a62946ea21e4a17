package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// Prune implements breakglass.Store. A grant is as old as the time when it
// expired.
func (s *Store) Prune(ctx context.Context, before time.Time) (removed int, err error) {
	found := map[string]*removal{}
	// In this order they are removed, so that a grant is never there without its
	// request, nor without what speaks against it, however far this comes.
	for _, records := range []struct {
		kind string
		list client.ObjectList
	}{
		{"Grant", &v1alpha1.GrantList{}}, {"BreakGlassRequest", metadataList("BreakGlassRequest")},
		{"BreakGlassVerdict", metadataList("BreakGlassVerdict")}, {"BreakGlassUse", &v1alpha1.BreakGlassUseList{}},
	} {
		err := s.each(ctx, records.list, func(o client.Object) error {
			id := handleOf(o.GetName())
			if found[id] == nil {
				found[id] = &removal{}
			}
			found[id].add(records.kind, o)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	delete(found, "") // not ours
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if !found[id].last.Before(before) {
			continue
		}
		for _, object := range found[id].objects {
			if err := s.remove(ctx, object); err != nil {
				return removed, fmt.Errorf("remove %s: %w", object.name, err)
			}
		}
		removed++
	}
	return removed, nil
}

// removal is a case that may be removed.
type removal struct {
	objects []object
	// last is when the last of its records was made.
	last time.Time
}

// object names one object, and no other that comes to have its name.
type object struct {
	kind, name string
	uid        types.UID
}

func (r *removal) add(kind string, o client.Object) {
	made := o.GetCreationTimestamp().Time
	switch o := o.(type) {
	case *v1alpha1.Grant:
		made = laterOf(made, o.Spec.Expires.Time)
	case *v1alpha1.BreakGlassUse:
		made = laterOf(made, o.Spec.At.Time)
	}
	r.last = laterOf(r.last, made)
	r.objects = append(r.objects, object{kind: kind, name: o.GetName(), uid: o.GetUID()})
}

// laterOf is the later of two times.
func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s *Store) remove(ctx context.Context, o object) error {
	m := metadata(o.kind)
	m.Name = o.name
	err := storeError(s.client.Delete(ctx, m, client.Preconditions{UID: &o.uid}))
	if errors.Is(err, breakglass.ErrNotFound) || errors.Is(err, breakglass.ErrConflict) { // it is gone, or another one is there
		return nil
	}
	return err
}
