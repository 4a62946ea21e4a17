package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// errAnothers says that an object was left to another server for now.
var errAnothers = errors.New("kept by another server")

type objectKey struct{ kind, name string }

// kindOf is the kind of one of the objects that are kept.
func kindOf(o client.Object) string { return reflect.TypeOf(o).Elem().Name() }

func keyOf(o client.Object) objectKey { return objectKey{kindOf(o), o.GetName()} }

func describeObject(o client.Object) string { return kindOf(o) + " " + o.GetName() }

// blank is an empty object of the same kind.
func blank(o client.Object) client.Object {
	return reflect.New(reflect.TypeOf(o).Elem()).Interface().(client.Object)
}

// content is the part of an object that is kept; the rest is the API server's, or
// nobody's business.
func content(o client.Object) any {
	switch o := o.(type) {
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		return o.Webhooks
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		return o.Webhooks
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		return o.Spec
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		return o.Spec
	case *v1alpha1.Floor:
		return o.Spec
	}
	return nil // keep refuses it
}

// setContent gives an object the content of another of its kind.
func setContent(to, from client.Object) {
	switch to := to.(type) {
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		to.Webhooks = from.(*admissionregistrationv1.ValidatingWebhookConfiguration).Webhooks
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		to.Webhooks = from.(*admissionregistrationv1.MutatingWebhookConfiguration).Webhooks
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		to.Spec = from.(*admissionregistrationv1.ValidatingAdmissionPolicy).Spec
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		to.Spec = from.(*admissionregistrationv1.ValidatingAdmissionPolicyBinding).Spec
	case *v1alpha1.Floor:
		to.Spec = from.(*v1alpha1.Floor).Spec
	}
}

// keep makes one object what it should be, or returns errAnothers.
func (k *Keeper) keep(ctx context.Context, desired client.Object) error {
	if content(desired) == nil {
		return fmt.Errorf("keep %s: not a kind that can be kept", describeObject(desired))
	}
	if err := k.mark(desired); err != nil {
		return err
	}
	key, before := keyOf(desired), k.seen[keyOf(desired)]
	delete(k.cleared, key)
	current := blank(desired)
	err := k.client.Get(ctx, client.ObjectKeyFromObject(desired), current)
	if apierrors.IsNotFound(err) {
		if err := k.client.Create(ctx, desired, keptBy); err != nil {
			return fmt.Errorf("create %s: %w", describeObject(desired), err)
		}
		k.seen[key] = desired
		k.corrected(ctx, Correction{Kind: key.kind, Name: key.name, By: ByUnknown, What: CorrectedDeletion, Upgrade: before == nil && !k.keptBefore[key]})
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", describeObject(desired), err)
	}
	keepInjected(desired, current)
	if k.right(current, desired) {
		k.seen[key] = current
		return nil
	}
	if k.anothers(current) {
		return errAnothers
	}
	written, err := k.asWritten(current)
	if err != nil {
		return err
	}
	merged := current.DeepCopyObject().(client.Object)
	setContent(merged, desired)
	merged.SetLabels(merge(merged.GetLabels(), desired.GetLabels()))
	merged.SetAnnotations(merge(merged.GetAnnotations(), desired.GetAnnotations()))
	if err := k.client.Update(ctx, merged, keptBy); err != nil {
		return fmt.Errorf("put %s right: %w", describeObject(desired), err)
	}
	k.seen[key] = merged
	if before != nil && k.right(current, before) { // it is ourselves who want something else now
		k.log.Info("webhook configuration updated", "kind", key.kind, "name", key.name)
		return nil
	}
	k.corrected(ctx, Correction{Kind: key.kind, Name: key.name, By: changedBy(current, before), What: CorrectedChange, Upgrade: before == nil && written})
	return nil
}

// right says whether an object has the content of another, its labels and its marks, and
// this server's mark as the owner.
func (k *Keeper) right(current, desired client.Object) bool {
	return equality.Semantic.DeepEqual(content(current), content(desired)) &&
		subset(desired.GetLabels(), current.GetLabels()) &&
		subset(marksOf(desired), current.GetAnnotations()) && current.GetAnnotations()[OwnerAnnotation] == k.owner
}

// anothers says whether to leave an object alone for now, because another server's
// mark is on it. Marks can be forged, and the other server may be gone, so this slows a
// fight down to one turn each resync, and does not end it. The first time that an
// object which this server has kept bears another's mark, it is put right at once.
func (k *Keeper) anothers(current client.Object) bool {
	key, owner, now := keyOf(current), current.GetAnnotations()[OwnerAnnotation], k.now()
	if owner == "" || owner == k.owner {
		return false
	}
	k.conflicts.WithLabelValues(key.kind).Inc()
	turn, known := k.turns[key]
	wait := known && now.Sub(turn) < resync || !known && k.seen[key] == nil
	if !known || !wait {
		k.turns[key] = now
	}
	k.log.Error("another server keeps this object: give one of them another kubernetes.webhook.name",
		"kind", key.kind, "name", key.name, "other", owner, "this", k.owner, "taken_over", !wait)
	return wait
}

func (k *Keeper) corrected(ctx context.Context, c Correction) {
	if !c.Upgrade {
		k.fought++
	}
	k.corrections.WithLabelValues(c.Kind).Inc()
	k.log.Warn("webhook configuration put right: it was not as it should be",
		"kind", c.Kind, "name", c.Name, "found", c.What, "last_changed_by", c.By, "upgrade", c.Upgrade)
	if k.tell != nil {
		k.tell(ctx, c)
	}
}

// keepInjected takes over CA bundles that somebody else injects.
func keepInjected(desired, current client.Object) {
	there, wanted := clientConfigs(current), clientConfigs(desired)
	for name, config := range wanted {
		if injected := there[name]; injected != nil && len(config.CABundle) == 0 {
			config.CABundle = injected.CABundle
		}
	}
}

// clientConfigs are those of the hooks, by name, of a webhook configuration.
func clientConfigs(o client.Object) map[string]*admissionregistrationv1.WebhookClientConfig {
	configs := map[string]*admissionregistrationv1.WebhookClientConfig{}
	switch o := o.(type) {
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range o.Webhooks {
			configs[o.Webhooks[i].Name] = &o.Webhooks[i].ClientConfig
		}
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range o.Webhooks {
			configs[o.Webhooks[i].Name] = &o.Webhooks[i].ClientConfig
		}
	}
	return configs
}

func merge(set, more map[string]string) map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, set)
	maps.Copy(merged, more)
	return merged
}

func subset(small, set map[string]string) bool {
	for key, value := range small {
		if set[key] != value {
			return false
		}
	}
	return true
}

// keptBy is the manager under which the API server records what the keeper writes
// (metadata.managedFields).
const keptBy client.FieldOwner = "mollyguard"

// changedBy names the tool of the last change since an object was as it was before,
// which may be nil. The API server records a tool with the fields that it set: who only
// takes something away leaves no trace, and is unknown.
func changedBy(current, before client.Object) string {
	var known []metav1.ManagedFieldsEntry
	if before != nil {
		known = before.GetManagedFields()
	}
	name, at := ByUnknown, time.Time{}
	for _, entry := range current.GetManagedFields() {
		same := func(e metav1.ManagedFieldsEntry) bool { return equality.Semantic.DeepEqual(e, entry) }
		if entry.Manager == string(keptBy) || entry.Subresource != "" || entry.Time == nil || slices.ContainsFunc(known, same) {
			continue
		}
		if entry.Time.After(at) {
			name, at = entry.Manager, entry.Time.Time
		}
	}
	return name
}
