package webhook

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clear removes what is not wanted any more, and looks at each of it once.
func (k *Keeper) clear(ctx context.Context, unwanted []client.Object) error {
	for _, object := range unwanted {
		if k.cleared[keyOf(object)] {
			continue
		}
		if err := k.remove(ctx, object); err != nil {
			return err
		}
		k.cleared[keyOf(object)] = true
	}
	return nil
}

// remove removes an object if it is ours. A cluster whose roles are older may not let us
// look; then it cannot be ours.
func (k *Keeper) remove(ctx context.Context, object client.Object) error {
	current := blank(object)
	err := k.client.Get(ctx, client.ObjectKeyFromObject(object), current)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	case apierrors.IsForbidden(err):
		k.log.Warn("may not look whether an object of an earlier configuration is left: apply the manifests", "kind", kindOf(object), "name", object.GetName(), "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", describeObject(object), err)
	}
	owner := current.GetAnnotations()[OwnerAnnotation]
	if current.GetLabels()[managedBy] != "mollyguard" || owner != "" && owner != k.owner {
		return nil
	}
	uid := current.GetUID()
	if err := k.client.Delete(ctx, current, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove %s, which is not wanted any more: %w", describeObject(object), err)
	}
	delete(k.seen, keyOf(object))
	delete(k.keptBefore, keyOf(object))
	k.log.Info("removed what is not wanted any more", "kind", kindOf(object), "name", object.GetName())
	return nil
}
