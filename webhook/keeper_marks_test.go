package webhook

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// change does something to an object of the world.
func (w *keeperWorld) change(t *testing.T, object client.Object, change func()) {
	t.Helper()
	if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	change()
	if err := w.client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func (w *keeperWorld) delete(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := w.client.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func kept() (*admissionregistrationv1.MutatingWebhookConfiguration, *admissionregistrationv1.ValidatingWebhookConfiguration, []client.Object) {
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: ownMeta("mollyguard")}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: ownMeta("mollyguard")}
	all := []client.Object{mutating, validating, &v1alpha1.Floor{ObjectMeta: ownMeta("mollyguard")}}
	for _, name := range FloorNames("mollyguard") {
		all = append(all, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: ownMeta(name)},
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: ownMeta(name)})
	}
	return mutating, validating, all
}

func TestAStartingServerTellsOfWhatWasDoneWhileNoneRan(t *testing.T) {
	mutatingIs := func(what string) []Correction {
		return []Correction{{Kind: "MutatingWebhookConfiguration", Name: "mollyguard", By: "unknown", What: what}}
	}
	without := func(o client.Object, annotation string) {
		annotations := maps.Clone(o.GetAnnotations())
		delete(annotations, annotation)
		o.SetAnnotations(annotations)
	}
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, w *keeperWorld)
		want []Correction
	}{
		{"not of nothing", func(*testing.T, *keeperWorld) {}, nil},
		{"not of what it wants anew itself, as after an upgrade", func(_ *testing.T, w *keeperWorld) {
			w.spec.Namespaces, w.bundle = []string{"shop"}, []byte("another")
		}, nil},
		{"not of an installation after all of it was removed", func(t *testing.T, w *keeperWorld) {
			_, _, all := kept()
			w.delete(t, all...)
		}, nil},
		{"not of a floor that is switched on again, although a Floor was left", func(t *testing.T, w *keeperWorld) {
			w.floor = false
			if err := w.another(t, "mollyguard/mollyguard", nil).Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.floor = true
		}, nil},
		{"not of what a version without marks left", func(t *testing.T, w *keeperWorld) {
			mutating, validating, all := kept()
			w.delete(t, slices.DeleteFunc(all, func(o client.Object) bool { return o == validating || o == mutating })...)
			w.delete(t, mutating)
			w.change(t, validating, func() { validating.Annotations, validating.Webhooks = nil, validating.Webhooks[:1] })
		}, nil},
		{"of a change", func(t *testing.T, w *keeperWorld) {
			mutating, _, _ := kept()
			w.change(t, mutating, func() { mutating.Webhooks = mutating.Webhooks[:1] })
		}, mutatingIs("changed")},
		{"of a change, though the mark of the content is gone", func(t *testing.T, w *keeperWorld) {
			mutating, _, _ := kept()
			w.change(t, mutating, func() {
				mutating.Webhooks = mutating.Webhooks[:1]
				without(mutating, ContentAnnotation)
			})
		}, mutatingIs("changed")},
		{"of another CA bundle, by which nobody is asked any more", func(t *testing.T, w *keeperWorld) {
			mutating, _, _ := kept()
			w.change(t, mutating, func() { mutating.Webhooks[0].ClientConfig.CABundle = []byte("forged") })
		}, mutatingIs("changed")},
		{"of a deletion", func(t *testing.T, w *keeperWorld) {
			mutating, _, _ := kept()
			w.delete(t, mutating)
		}, mutatingIs("deleted")},
		{"of all deletions but one", func(t *testing.T, w *keeperWorld) {
			mutating, validating, _ := kept()
			w.delete(t, mutating, validating)
		}, append(mutatingIs("deleted"), Correction{Kind: "ValidatingWebhookConfiguration", Name: "mollyguard", By: "unknown", What: "deleted"})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newKeeperWorld(t)
			w.bundle = []byte("ours")
			w.reconcile(t)
			tt.do(t, w)
			w.told = nil
			if err := w.another(t, "mollyguard/mollyguard", nil).Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			told := slices.DeleteFunc(w.told, func(c Correction) bool { return c.Upgrade })
			if diff := cmp.Diff(tt.want, told, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("corrections (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACABundleThatSomebodyInjectsIsNoChange(t *testing.T) {
	w := newKeeperWorld(t)
	w.reconcile(t)
	mutating, _, _ := kept()
	w.change(t, mutating, func() { mutating.Webhooks[0].ClientConfig.CABundle = []byte("injected") })
	w.told, w.timeout = nil, 7 // an upgrade
	if err := w.another(t, "mollyguard/mollyguard", nil).Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []Correction{
		{Kind: "MutatingWebhookConfiguration", Name: "mollyguard", By: "unknown", What: "changed", Upgrade: true},
		{Kind: "ValidatingWebhookConfiguration", Name: "mollyguard", By: "unknown", What: "changed", Upgrade: true},
	}
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("corrections (-want +got):\n%s", diff)
	}
	w.told = nil
	w.change(t, mutating, func() { mutating.Webhooks[1].Rules = nil })
	if err := w.another(t, "mollyguard/mollyguard", nil).Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	want = []Correction{{Kind: "MutatingWebhookConfiguration", Name: "mollyguard", By: "unknown", What: "changed"}}
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("corrections of another change (-want +got):\n%s", diff)
	}
}

func TestWithoutTheRightToAMutatingConfigurationTheOtherAsksAboutDeletions(t *testing.T) {
	w := newKeeperWorld(t)
	w.refuse = "MutatingWebhookConfiguration"
	asks := func(k *Keeper) []any {
		t.Helper()
		err := k.Reconcile(t.Context())
		return []any{err == nil, w.deletions(t), testutil.ToFloat64(k.fallback)}
	}
	if diff := cmp.Diff([]any{false, true, 1.0}, asks(w.Keeper)); diff != "" {
		t.Errorf("refused: no error, asks, metric (-want +got):\n%s", diff)
	}
	// The roles are applied after another start.
	again := w.another(t, "mollyguard/mollyguard", nil)
	if diff := cmp.Diff([]any{false, true, 1.0}, asks(again)); diff != "" {
		t.Errorf("refused again (-want +got):\n%s", diff)
	}
	w.refuse = ""
	if diff := cmp.Diff([]any{true, false, 0.0}, asks(again)); diff != "" {
		t.Errorf("with the right (-want +got):\n%s", diff)
	}
	if told := slices.DeleteFunc(w.told, func(c Correction) bool { return c.Upgrade }); len(told) > 0 {
		t.Errorf("told of %v", told)
	}
	if diff := cmp.Diff(allKept(), w.there(t)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestLeavingObjectsToAnotherServerHidesNoOtherFailure(t *testing.T) {
	w := newKeeperWorld(t)
	w.reconcile(t)
	mutating, validating, _ := kept()
	w.change(t, validating, func() { validating.Annotations[OwnerAnnotation] = "other/mollyguard" })
	w.delete(t, mutating)
	w.refuse = "MutatingWebhookConfiguration"
	err := w.another(t, "mollyguard/mollyguard", nil).Reconcile(t.Context())
	if err == nil || errors.Is(err, errAnothers) || resultOf(err) != "error" {
		t.Errorf("the error is %v", err)
	}
}
