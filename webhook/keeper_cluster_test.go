package webhook_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/webhook"
)

// TestAStartingServerKnowsWhatItsPredecessorWrote is about what an API server makes of
// what is written: it must fit the hash that is written beside it.
func TestAStartingServerKnowsWhatItsPredecessorWrote(t *testing.T) {
	b := newBare(t)
	opts := floorOptions(t)
	opts.CABundle, opts.Floor = b.Admin().CAData, true
	opts.FailProtected, opts.FailOther = admissionregistrationv1.Ignore, admissionregistrationv1.Ignore // nobody answers
	spec := v1alpha1.FloorSpec{Complete: true, Namespaces: []string{"live"}, Grants: []v1alpha1.FloorGrant{{
		Grant: "bg-1", User: floorAlice, Ref: "k8s://prod-eu/core/configmaps/live/a", Verbs: []v1alpha1.Verb{"delete"},
		Expires: metav1.Time{Time: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)},
	}}}
	desired := func() webhook.Desired {
		all := webhook.Configuration(opts.ConfigurationOptions)
		d := webhook.Desired{Groups: [][]client.Object{{all.Mutating, all.Validating}, {webhook.FloorObject(opts.Name, spec)}}}
		for _, p := range webhook.Floor(opts) {
			d.Groups = append(d.Groups, []client.Object{p.Policy, p.Binding})
		}
		return d
	}
	// start is a server that keeps all of it once. It returns what people are told.
	start := func() []webhook.Correction {
		t.Helper()
		var told []webhook.Correction
		k := webhook.NewKeeper(webhook.KeeperOptions{
			Client: b.objects, Desired: desired, Owner: "mollyguard/mollyguard",
			Tell: func(_ context.Context, c webhook.Correction) {
				if !c.Upgrade {
					told = append(told, c)
				}
			},
		})
		if err := k.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		return told
	}
	versions := func() map[string]string {
		t.Helper()
		list := map[string]string{}
		for _, kind := range []string{"mutatingwebhookconfiguration", "validatingwebhookconfiguration", "floor"} {
			list[kind] = b.as(t, "admin", "get", kind, "mollyguard", "-o", "jsonpath={.metadata.resourceVersion}").Stdout
		}
		for _, name := range webhook.FloorNames("mollyguard") {
			for _, kind := range []string{"validatingadmissionpolicy", "validatingadmissionpolicybinding"} {
				list[kind+" "+name] = b.as(t, "admin", "get", kind, name, "-o", "jsonpath={.metadata.resourceVersion}").Stdout
			}
		}
		return list
	}
	first := start()
	before := versions()
	second := start()
	if diff := cmp.Diff(before, versions()); diff != "" {
		t.Errorf("the second server wrote what was right already (-before +after):\n%s", diff)
	}
	opts.TimeoutSeconds++
	opts.Names = append(opts.Names, "cache-.*")
	upgraded := start()
	if diff := cmp.Diff([][]webhook.Correction{nil, nil, nil}, [][]webhook.Correction{first, second, upgraded}, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("told by the first, second and upgraded server (-want +got):\n%s", diff)
	}
	b.must(t, "admin", "patch", "validatingadmissionpolicybinding", "mollyguard-floor", "--type=merge", "-p", `{"spec":{"validationActions":["Audit"]}}`)
	b.must(t, "admin", "delete", "mutatingwebhookconfiguration", "mollyguard")
	want := []webhook.Correction{
		{Kind: "MutatingWebhookConfiguration", Name: "mollyguard", By: "unknown", What: "deleted"},
		{Kind: "ValidatingAdmissionPolicyBinding", Name: "mollyguard-floor", By: "kubectl-patch", What: "changed"},
	}
	if diff := cmp.Diff(want, start()); diff != "" {
		t.Errorf("told after a change while none ran (-want +got):\n%s", diff)
	}
}
