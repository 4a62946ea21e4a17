package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The marks that the keeper leaves on each object. By them a server that starts tells
// what its predecessor left, or an upgrade, from what somebody did while none ran. They
// are no secret: who forges them all is seen by the audit log only.
const (
	// OwnerAnnotation says which server keeps an object. Two servers of the same webhook
	// name would otherwise take turns in putting each other's right, and not know it.
	OwnerAnnotation = "mollyguard.dev/managed-by"
	// ContentAnnotation is the SHA-256 of what the keeper wrote, in hex.
	ContentAnnotation = "mollyguard.dev/content"
	// KeptAnnotation lists what was kept when all of it was as it should be, as
	// KIND/NAME,KIND/NAME.
	KeptAnnotation = "mollyguard.dev/kept"
)

// mark gives an object the marks that it should have, before bundles are injected.
func (k *Keeper) mark(desired client.Object) error {
	sum, err := digest(desired)
	if err != nil {
		return err
	}
	marks := map[string]string{OwnerAnnotation: k.owner, ContentAnnotation: sum}
	if k.kept != "" {
		marks[KeptAnnotation] = k.kept
	}
	desired.SetAnnotations(marks)
	return nil
}

// marksOf are the marks among an object's annotations.
func marksOf(o client.Object) map[string]string {
	marks := map[string]string{}
	for _, key := range []string{OwnerAnnotation, ContentAnnotation, KeptAnnotation} {
		if value, ok := o.GetAnnotations()[key]; ok {
			marks[key] = value
		}
	}
	return marks
}

// digest is the ContentAnnotation of an object as it is.
func digest(o client.Object) (string, error) {
	data, err := json.Marshal(content(o))
	if err != nil {
		return "", fmt.Errorf("hash the content of %s: %w", describeObject(o), err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// asWritten says whether an object which this server has not seen yet has the content
// that a server wrote into it, but for injected CA bundles. One without the mark was
// written by an older version, unless a server that leaves marks has kept it.
func (k *Keeper) asWritten(current client.Object) (bool, error) {
	written := current.GetAnnotations()[ContentAnnotation]
	if written == "" {
		return !k.keptBefore[keyOf(current)], nil
	}
	bare := current.DeepCopyObject().(client.Object)
	for _, config := range clientConfigs(bare) {
		config.CABundle = nil
	}
	for _, o := range []client.Object{current, bare} {
		sum, err := digest(o)
		if err != nil {
			return false, err
		}
		if sum == written {
			return true, nil
		}
	}
	return false, nil
}

// recall learns, once, what was kept before this server started. The list on the
// validating configuration counts, which is always kept; where it is gone, or has none,
// those on the others do.
func (k *Keeper) recall(ctx context.Context, desired Desired) error {
	if k.keptBefore != nil {
		return nil
	}
	var first, others []string
	for _, object := range slices.Concat(desired.Groups...) {
		current := blank(object)
		err := k.client.Get(ctx, client.ObjectKeyFromObject(object), current)
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || meta.IsNoMatchError(err) {
			continue // keep says so
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", describeObject(object), err)
		}
		list := splitKept(current.GetAnnotations()[KeptAnnotation])
		if kindOf(object) == "ValidatingWebhookConfiguration" {
			first = append(first, list...)
		}
		others = append(others, list...)
	}
	if len(first) == 0 {
		first = others
	}
	slices.Sort(first)
	first = slices.Compact(first)
	k.kept, k.keptBefore = strings.Join(first, ","), map[objectKey]bool{}
	for _, entry := range first {
		kind, name, _ := strings.Cut(entry, "/")
		k.keptBefore[objectKey{kind, name}] = true
	}
	return nil
}

func splitKept(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" })
}

// keptNow is the KeptAnnotation of what should be there.
func keptNow(desired Desired) string {
	var list []string
	for _, object := range slices.Concat(desired.Groups...) {
		list = append(list, kindOf(object)+"/"+object.GetName())
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}
