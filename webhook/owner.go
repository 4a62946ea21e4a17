package webhook

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
)

// lookForOwners judges the owners that an update adds: the garbage collector deletes
// an object whose owners are not there, whoever named them.
func (r *Reviewer) lookForOwners(ctx context.Context, op *operation.Operation, owners []ObjectRef) {
	for _, owner := range owners {
		name := clipped(owner.Kind) + " " + clipped(owner.Name)
		stays, err := r.lookup.Owner(ctx, op.Target.Namespace, owner)
		switch {
		case err != nil:
			unprotects(op, fmt.Sprintf("owner reference to %s added, and whether that is there is not known (%v): the garbage collector would delete it if not", name, err))
		case !stays:
			unprotects(op, fmt.Sprintf("owner reference to %s added, which is not there or on its way out: the garbage collector deletes it", name))
		}
	}
}

// unprotects adds to what an operation does.
func unprotects(op *operation.Operation, change string) {
	op.Changes = append(op.Changes, change)
	switch {
	case op.Verb == operation.Update:
		op.Verb = operation.Unprotect
	case !slices.Contains(op.Verbs(), operation.Unprotect):
		op.Also = append(slices.Clone(op.Also), operation.Unprotect)
	}
}

// Owner implements Lookup. It asks by way of a list, since that is what the server may
// do of all kinds.
func (l *ClusterLookup) Owner(ctx context.Context, namespace string, ref ObjectRef) (bool, error) {
	ctx, cancel := forLookup(ctx)
	defer cancel()
	version, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return false, err
	}
	mapping, err := l.mapper.RESTMapping(schema.GroupKind{Group: version.Group, Kind: ref.Kind}, version.Version)
	if meta.IsNoMatchError(err) {
		return false, nil // nor does the garbage collector find it
	}
	if err != nil {
		return false, fmt.Errorf("find out what %s is: %w", operation.Printable(ref.Kind), err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		namespace = ""
	} else if namespace == "" {
		return false, nil // what is in no namespace cannot be owned by what is in one
	}
	found, err := l.fetcher.Resource(mapping.Resource).Namespace(namespace).List(ctx, byName(ref.Name))
	if err != nil {
		return false, lookupError(err, mapping.Resource.GroupResource())
	}
	return slices.ContainsFunc(found.Items, func(o metav1.PartialObjectMetadata) bool {
		return o.Name == ref.Name && string(o.UID) == ref.UID && o.DeletionTimestamp == nil
	}), nil
}

// Owner implements Lookup.
func (l *FileLookup) Owner(_ context.Context, namespace string, ref ObjectRef) (bool, error) {
	group := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	plural, _ := meta.UnsafeGuessKindToResource(group)
	for _, where := range []string{namespace, ""} {
		if found, ok := l.objects[objectID(group.Group, plural.Resource, where, ref.Name)]; ok {
			return found.UID == ref.UID, nil
		}
	}
	return false, errNotGiven
}
