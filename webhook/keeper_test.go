package webhook

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// keeperWorld is a keeper with all that it keeps, and an API server that is a fake.
type keeperWorld struct {
	*Keeper
	client   client.WithWatch
	told     []Correction
	now      time.Time
	spec     v1alpha1.FloorSpec
	floor    bool
	bundle   []byte
	timeout  int32  // 0 is as usual
	refuse   string // the kind that there is no right to write
	broken   string // the kind that cannot be written
	registry *prometheus.Registry
}

func newKeeperWorld(t *testing.T, objects ...client.Object) *keeperWorld {
	t.Helper()
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	w := &keeperWorld{now: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC), spec: v1alpha1.FloorSpec{Complete: true}, floor: true, registry: prometheus.NewRegistry()}
	refused := func(o client.Object) error {
		if kindOf(o) == w.refuse {
			return apierrors.NewForbidden(schema.GroupResource{Resource: w.refuse}, o.GetName(), errors.New("no right"))
		}
		if kindOf(o) == w.broken {
			return apierrors.NewInternalError(errors.New("disk full"))
		}
		return nil
	}
	w.client = fake.NewClientBuilder().WithScheme(known).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := refused(o); err != nil {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if err := refused(o); err != nil {
				return err
			}
			return c.Update(ctx, o, opts...)
		},
	}).Build()
	w.Keeper = w.another(t, "mollyguard/mollyguard", w.registry)
	return w
}

// another is a keeper at another server.
func (w *keeperWorld) another(t *testing.T, owner string, registry prometheus.Registerer) *Keeper {
	return NewKeeper(KeeperOptions{
		Client: w.client, Owner: owner, Now: func() time.Time { return w.now }, Registerer: registry,
		Tell: func(_ context.Context, c Correction) { w.told = append(w.told, c) },
		Desired: func() Desired {
			opts := defaultOptions(t)
			opts.CABundle = w.bundle
			if w.timeout > 0 {
				opts.TimeoutSeconds = w.timeout
			}
			alone := Configuration(opts).Validating
			opts.Floor = w.floor
			all := Configuration(opts)
			if !w.floor {
				return Desired{Groups: [][]client.Object{{all.Validating}}, Unwanted: WithoutFloor(opts.Name)}
			}
			floor := FloorObject(opts.Name, w.spec)
			d := Desired{Groups: [][]client.Object{{all.Mutating, all.Validating}, {floor}}, Fallback: []client.Object{alone}}
			for _, p := range Floor(FloorOptions{ConfigurationOptions: opts, Cluster: "prod-eu", Self: "self"}) {
				d.Groups = append(d.Groups, []client.Object{p.Policy, p.Binding})
			}
			return d
		},
	})
}

func (w *keeperWorld) reconcile(t *testing.T) {
	t.Helper()
	if err := w.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// there lists all objects by kind and name.
func (w *keeperWorld) there(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, kind := range []client.ObjectList{
		&admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingWebhookConfigurationList{}, &v1alpha1.FloorList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyList{}, &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
	} {
		if err := w.client.List(t.Context(), kind); err != nil {
			t.Fatal(err)
		}
		switch kind := kind.(type) {
		case *admissionregistrationv1.MutatingWebhookConfigurationList:
			for _, o := range kind.Items {
				list = append(list, describeObject(&o))
			}
		case *admissionregistrationv1.ValidatingWebhookConfigurationList:
			for _, o := range kind.Items {
				list = append(list, describeObject(&o))
			}
		case *v1alpha1.FloorList:
			for _, o := range kind.Items {
				list = append(list, describeObject(&o))
			}
		case *admissionregistrationv1.ValidatingAdmissionPolicyList:
			for _, o := range kind.Items {
				list = append(list, describeObject(&o))
			}
		case *admissionregistrationv1.ValidatingAdmissionPolicyBindingList:
			for _, o := range kind.Items {
				list = append(list, describeObject(&o))
			}
		}
	}
	return list
}

func allKept() []string {
	return []string{
		"MutatingWebhookConfiguration mollyguard", "ValidatingWebhookConfiguration mollyguard", "Floor mollyguard",
		"ValidatingAdmissionPolicy mollyguard-floor", "ValidatingAdmissionPolicy mollyguard-floor-parents",
		"ValidatingAdmissionPolicyBinding mollyguard-floor", "ValidatingAdmissionPolicyBinding mollyguard-floor-parents",
	}
}

func TestTheKeeperMakesAllThatIsMissingAndThenLeavesItAlone(t *testing.T) {
	w := newKeeperWorld(t)
	w.reconcile(t)
	if diff := cmp.Diff(allKept(), w.there(t)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	made := len(w.told)
	w.reconcile(t)
	if made != len(allKept()) || len(w.told) != made {
		t.Errorf("%d corrections, then %d more; want %d and none", made, len(w.told)-made, len(allKept()))
	}
}

func TestTheKeeperPutsWholeObjectsRightAndTells(t *testing.T) {
	w := newKeeperWorld(t)
	w.reconcile(t)
	w.told = nil
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: ownMeta("mollyguard-floor")}
	get := func(o client.Object) {
		t.Helper()
		if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
	}
	get(binding)
	binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
	if err := w.client.Update(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: ownMeta("mollyguard")}
	if err := w.client.Delete(t.Context(), mutating); err != nil {
		t.Fatal(err)
	}
	w.reconcile(t)
	get(binding)
	if want := []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}; !slices.Equal(binding.Spec.ValidationActions, want) {
		t.Errorf("the binding does %v", binding.Spec.ValidationActions)
	}
	want := []Correction{
		{Kind: "MutatingWebhookConfiguration", Name: "mollyguard", By: "unknown", What: "deleted"},
		{Kind: "ValidatingAdmissionPolicyBinding", Name: "mollyguard-floor", By: "unknown", What: "changed"},
	}
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("corrections (-want +got):\n%s", diff)
	}
}

func TestACorrectionNamesTheToolThatChangedTheObject(t *testing.T) {
	at := func(second int) *metav1.Time { return new(metav1.Date(2026, 11, 21, 3, 12, second, 0, time.UTC)) }
	entry := func(manager string, second int) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: at(second)}
	}
	ours, status := entry("mollyguard", 9), entry("kube-controller-manager", 9)
	status.Subresource = "status"
	undated := entry("kubectl", 0)
	undated.Time = nil
	object := func(entries ...metav1.ManagedFieldsEntry) client.Object {
		return &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{ManagedFields: entries}}
	}
	for _, tt := range []struct {
		name            string
		before, current client.Object
		want            string
	}{
		{"one tool", object(ours), object(ours, entry("kubectl-edit", 3)), "kubectl-edit"},
		{"the later of two", nil, object(entry("helm", 4), entry("kubectl-edit", 3)), "helm"},
		{"not one of before", object(ours, entry("helm", 8)), object(ours, entry("helm", 8), entry("kubectl-edit", 3)), "kubectl-edit"},
		{"one of before that came again", object(ours, entry("helm", 4)), object(ours, entry("helm", 5)), "helm"},
		{"only we", object(ours), object(entry("mollyguard", 10)), "unknown"},
		{"only a status", object(ours), object(ours, status), "unknown"},
		{"at no time", object(ours), object(ours, undated), "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := changedBy(tt.current, tt.before); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatTheServerWantsAnewIsNoCorrection(t *testing.T) {
	w := newKeeperWorld(t)
	w.reconcile(t)
	w.told = nil
	w.spec.Namespaces = []string{"shop"}
	w.reconcile(t)
	var floor v1alpha1.Floor
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: "mollyguard"}, &floor); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.spec, floor.Spec); diff != "" || len(w.told) > 0 {
		t.Errorf("told %v, the Floor (-want +got):\n%s", w.told, diff)
	}
}

// deletions says whether the validating configuration asks about them.
func (w *keeperWorld) deletions(t *testing.T) bool {
	t.Helper()
	var c admissionregistrationv1.ValidatingWebhookConfiguration
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: "mollyguard"}, &c); err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(c.Webhooks, func(h admissionregistrationv1.ValidatingWebhook) bool {
		return h.Name == "object.delete.mollyguard.dev"
	})
}

func TestHooksDoNotGoFromTheOldPlaceBeforeTheyAreInTheNew(t *testing.T) {
	w := newKeeperWorld(t)
	w.floor = false
	w.reconcile(t)
	w.floor, w.broken = true, "Floor"
	if err := w.Reconcile(t.Context()); err == nil || w.deletions(t) {
		t.Errorf("a Floor that cannot be written: %v, deletions are in the old place: %t", err, w.deletions(t))
	}
	if want := slices.DeleteFunc(allKept(), func(s string) bool { return s == "Floor mollyguard" }); !cmp.Equal(want, slices.DeleteFunc(w.there(t), func(s string) bool { return s == "Floor mollyguard" })) {
		t.Errorf("it holds up others: there are %q", w.there(t))
	}

	w = newKeeperWorld(t)
	w.floor = false
	w.reconcile(t)
	w.floor, w.broken = true, "MutatingWebhookConfiguration"
	if err := w.Reconcile(t.Context()); err == nil || !w.deletions(t) {
		t.Errorf("hooks that cannot be written: %v, deletions are in the old place: %t", err, w.deletions(t))
	}
}

func TestWhatIsNotWantedAnyMoreIsRemovedIfItIsOurs(t *testing.T) {
	theirs := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: ownMeta("mollyguard-floor-parents")}
	theirs.Labels = nil
	w := newKeeperWorld(t)
	w.reconcile(t)
	if err := w.client.Delete(t.Context(), theirs.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := w.client.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	w.floor = false
	w.reconcile(t)
	want := []string{"ValidatingWebhookConfiguration mollyguard", "Floor mollyguard", "ValidatingAdmissionPolicy mollyguard-floor-parents"}
	if diff := cmp.Diff(want, w.there(t)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestTwoServersOfOneNameDoNotFight(t *testing.T) {
	w := newKeeperWorld(t)
	w.reconcile(t)
	other := w.another(t, "https://10.0.0.1:8443", nil)
	owner := func() string {
		t.Helper()
		var c admissionregistrationv1.MutatingWebhookConfiguration
		if err := w.client.Get(t.Context(), client.ObjectKey{Name: "mollyguard"}, &c); err != nil {
			t.Fatal(err)
		}
		return c.Annotations[OwnerAnnotation]
	}
	turn := func(k *Keeper) string {
		t.Helper()
		if err := k.Reconcile(t.Context()); err != nil && !errors.Is(err, errAnothers) {
			t.Fatal(err)
		}
		return owner()
	}
	const ours, theirs = "mollyguard/mollyguard", "https://10.0.0.1:8443"
	var got []string
	got = append(got, turn(other)) // leaves it alone
	w.now = w.now.Add(resync)
	got = append(got, turn(other), turn(w.Keeper)) // the mark may be forged, or the other gone; a change to what was ours is undone at once
	got = append(got, turn(other), turn(w.Keeper)) // but not again within resync
	if diff := cmp.Diff([]string{ours, theirs, ours, ours, ours}, got); diff != "" {
		t.Errorf("who keeps it (-want +got):\n%s", diff)
	}
	if n := testutil.ToFloat64(w.conflicts.WithLabelValues("MutatingWebhookConfiguration")); n != 1 {
		t.Errorf("%v conflicts seen by the first, want 1", n)
	}
}
