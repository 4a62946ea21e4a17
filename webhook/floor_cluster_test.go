package webhook_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/webhook"
)

const (
	floorAlice = "alice@example.com"
	floorBob   = "bob@example.com"
	floorSelf  = "system:serviceaccount:mollyguard:mollyguard"
)

// bare is a cluster with a floor and no server of ours.
type bare struct {
	*cluster.Cluster
	objects client.Client
	users   map[string]*rest.Config
}

func floorClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: known})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newBare(t *testing.T) *bare {
	t.Helper()
	b := &bare{Cluster: cluster.ForTest(t, cluster.Options{}), users: map[string]*rest.Config{}}
	b.users["admin"] = b.Admin()
	for _, name := range []string{floorAlice, floorBob, "backup@example.com"} {
		user, err := b.User(name, "dev")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Grant(t.Context(), name, cluster.OperatorRole); err != nil {
			t.Fatal(err)
		}
		b.users[name] = user
	}
	crds, err := filepath.Abs("../deploy/base/crds")
	if err != nil {
		t.Fatal(err)
	}
	b.must(t, "admin", "apply", "-f", crds)
	b.served(t)
	b.objects = floorClient(t, b.Admin())
	return b
}

// served waits until the API server serves what definitions define.
func (b *bare) served(t *testing.T) {
	t.Helper()
	if err := b.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b *bare) as(t *testing.T, user string, args ...string) cluster.KubectlResult {
	t.Helper()
	result, err := b.Kubectl(t.Context(), b.users[user], args...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (b *bare) must(t *testing.T, user string, args ...string) {
	t.Helper()
	if result := b.as(t, user, args...); result.ExitCode != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), result.Stderr)
	}
}

func (b *bare) apply(t *testing.T, manifest string) {
	t.Helper()
	result, err := b.KubectlWith(t.Context(), cluster.KubectlOptions{Stdin: strings.NewReader(manifest)}, b.Admin(), "apply", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 0 {
		t.Fatalf("kubectl apply: %s", result.Stderr)
	}
}

// eventually polls until fn has no error.
func eventually(t *testing.T, what string, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// laidCanary is a namespace that nothing but the parents' policy refuses to delete.
const laidCanary = "laid-canary"

// lay makes the floor, and waits until the API server acts on each policy of it: they
// become active one by one.
func (b *bare) lay(t *testing.T, opts webhook.FloorOptions, spec v1alpha1.FloorSpec) {
	t.Helper()
	spec.Namespaces = append(slices.Clone(spec.Namespaces), laidCanary)
	objects := []client.Object{&v1alpha1.Floor{ObjectMeta: metav1.ObjectMeta{Name: opts.Name}, Spec: spec}}
	policies := webhook.Floor(opts)
	for _, p := range policies {
		objects = append(objects, p.Policy, p.Binding)
	}
	for _, object := range objects {
		if err := b.objects.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	b.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: canary, namespace: default, labels: {env: production}}\n")
	b.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+laidCanary+"}\n")
	canaries := map[string][]string{
		"mollyguard-floor":         {"delete", "-n", "default", "configmap", "canary", "--dry-run=server"},
		"mollyguard-floor-parents": {"delete", "namespace", laidCanary, "--dry-run=server"},
	}
	for _, p := range policies {
		args, ok := canaries[p.Policy.Name]
		if !ok {
			t.Fatalf("nothing tells whether the API server acts on policy %s", p.Policy.Name)
		}
		eventually(t, p.Policy.Name+" to hold", func() error {
			// The message of its own rule: one about a parameter that is not there does not say this.
			got := b.as(t, "admin", args...)
			if got.ExitCode == 0 || !strings.Contains(got.Stderr, "ValidatingAdmissionPolicy '"+p.Policy.Name+"' ") || !strings.Contains(got.Stderr, ": delete refused. ") {
				return fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
			}
			return nil
		})
	}
}

func floorOptions(t *testing.T) webhook.FloorOptions {
	t.Helper()
	var selectors []labels.Selector
	for _, text := range []string{"env in (production, prod, live)", "environment in (production, prod, live)"} {
		selector, err := labels.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		selectors = append(selectors, selector)
	}
	return webhook.FloorOptions{
		ConfigurationOptions: webhook.ConfigurationOptions{
			Name: "mollyguard", ServiceNamespace: "mollyguard", ServiceName: "mollyguard", ServicePort: 443, TimeoutSeconds: 5,
			Selectors: selectors, NamespaceSelectors: selectors, Namespaces: []string{"prod-.*"}, Names: []string{"db-.*"},
			ControlPlane: []string{"system:serviceaccount:kube-system:.*", "system:node:.*", "system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"},
			Own:          webhook.Ownership{Namespace: "mollyguard", Account: floorSelf},
		},
		Cluster: "prod-eu", Self: floorSelf, Advice: webhook.Advice{BreakGlass: true},
		Enforcement: []guard.EnforcementRule{
			{Policies: []string{"production-delete", "production-unprotect"}, Namespaces: []string{"batch-.*"}, Action: operation.EnforceWarn},
			{Surfaces: []operation.Surface{operation.GCP}, Action: operation.EnforceOff},
		},
		Exempt: []guard.Exemption{
			{Name: "backups", Actors: []string{`backup@example\.com`}, Kinds: []string{"ConfigMap"}},
			{Name: "elsewhere", Actors: []string{`alice@example\.com`}, Surfaces: []operation.Surface{operation.GCP}},
		},
	}
}

const floorWorld = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: live, labels: {env: production}}
---
apiVersion: v1
kind: Namespace
metadata: {name: prod-eu}
---
apiVersion: v1
kind: Namespace
metadata: {name: batch-1}
---
apiVersion: v1
kind: Namespace
metadata: {name: sandbox}
---
apiVersion: v1
kind: Namespace
metadata: {name: mollyguard}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web, env: production}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, env: production}}
    spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: shop, labels: {environment: live}}
spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: leaving, namespace: shop, labels: {env: production}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: staying, namespace: shop, labels: {env: production}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: copied, namespace: shop, labels: {env: production}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: scratch, namespace: shop, labels: {env: dev}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: plain, namespace: live}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: plain, namespace: prod-eu}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: db-main, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: marked, namespace: batch-1, labels: {env: production}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: mollyguard}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: ledger, labels: {env: production}}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /nowhere}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mollyguard-own}
rules: []
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`

func TestTheFloorHoldsWhereNoServerAnswers(t *testing.T) {
	b := newBare(t)
	b.apply(t, floorWorld)
	later := metav1.NewTime(time.Now().Add(time.Hour))
	b.lay(t, floorOptions(t), v1alpha1.FloorSpec{
		Complete: true, Namespaces: []string{"live", "shop"}, Definitions: []string{"widgets.example.com"},
		Grants: []v1alpha1.FloorGrant{
			{Grant: "bg-k7m4-q9tx", User: floorAlice, Ref: "k8s://prod-eu/core/configmaps/shop/leaving", Verbs: []v1alpha1.Verb{"delete"}, Expires: later},
			{Grant: "bg-k7m4-q9ty", User: floorAlice, Ref: "k8s://prod-eu/core/configmaps/shop/staying", UID: "another", Verbs: []v1alpha1.Verb{"delete"}, Expires: later},
			{Grant: "bg-k7m4-q9t0", User: "admin2@example.com", Ref: "k8s://prod-eu/core/namespaces/mollyguard", UID: "one before", Verbs: []v1alpha1.Verb{"delete"}, Expires: later},
			{Grant: "bg-k7m4-q9tz", User: floorAlice, Ref: "k8s://prod-eu/core/configmaps/shop/copied", Verbs: []v1alpha1.Verb{"unprotect"}, Expires: later},
		},
	})
	t.Run("the words", func(t *testing.T) { testFloorWords(t, b) })
	t.Run("refused", func(t *testing.T) { testFloorRefuses(t, b) })
	t.Run("let through", func(t *testing.T) { testFloorLetsThrough(t, b) })
	t.Run("with all that it takes", func(t *testing.T) { testFloorFull(t, b) })
	t.Run("without the parameter", func(t *testing.T) { testFloorWithoutParameter(t, b) })
}

func testFloorWords(t *testing.T, b *bare) {
	const ask = "Ask for a grant, which somebody else has to approve, and run this again then: kubectl mollyguard request "
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"delete", "-n", "shop", "deployment", "web"},
			`Error from server (Forbidden): deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'mollyguard-floor' with binding 'mollyguard-floor' denied request: ` +
				"Deployment shop/web is production (label env=production): delete refused. " + ask + "delete k8s://prod-eu/apps/deployments/shop/web --reason 'why'\n"},
		{[]string{"delete", "namespace", "shop"},
			`Error from server (Forbidden): namespaces "shop" is forbidden: ValidatingAdmissionPolicy 'mollyguard-floor-parents' with binding 'mollyguard-floor-parents' denied request: ` +
				"Namespace shop holds production, which would go with it: delete refused. " + ask + "delete k8s://prod-eu/core/namespaces/shop --reason 'why'\n"},
		{[]string{"label", "-n", "shop", "deployment", "web", "env-"},
			`Error from server (Forbidden): deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'mollyguard-floor' with binding 'mollyguard-floor' denied request: ` +
				"Deployment shop/web is production (label env=production), and would have no label any more that says so: unprotect refused. " + ask + "unprotect k8s://prod-eu/apps/deployments/shop/web --reason 'why'\n"},
	} {
		if diff := cmp.Diff(tt.want, b.as(t, floorAlice, tt.args...).Stderr); diff != "" {
			t.Errorf("kubectl %s (-want +got):\n%s", strings.Join(tt.args, " "), diff)
		}
	}
}

func testFloorRefuses(t *testing.T, b *bare) {
	for _, tt := range []struct {
		name, user string
		args       []string
		want       string
	}{
		{"a labelled pod by force", floorAlice, []string{"delete", "-n", "shop", "pod", "lone", "--force", "--grace-period=0"}, "Pod shop/lone is production (label environment=live): delete refused"},
		{"all of a kind", floorAlice, []string{"delete", "-n", "shop", "deployment", "--all"}, "Deployment shop/web is production"},
		{"an unlabelled one in a labelled namespace", floorAlice, []string{"delete", "-n", "live", "configmap", "plain"}, "ConfigMap live/plain is production (namespace live has label env=production): delete refused"},
		{"one in a namespace that is production by name", floorAlice, []string{"delete", "-n", "prod-eu", "configmap", "plain"}, "(namespace prod-eu is production by name)"},
		{"one that is production by name", floorAlice, []string{"delete", "-n", "shop", "configmap", "db-main"}, "(name db-main is production by name)"},
		{"a volume", floorAlice, []string{"delete", "persistentvolume", "ledger"}, "PersistentVolume ledger is production (label env=production)"},
		{"a namespace by name", floorAlice, []string{"delete", "namespace", "prod-eu"}, "(namespace prod-eu is production by name)"},
		{"a definition with production instances", floorAlice, []string{"delete", "crd", "widgets.example.com"}, "CustomResourceDefinition widgets.example.com holds production instances, which would go with it: delete refused"},
		{"with the grant of another user", floorBob, []string{"delete", "-n", "shop", "configmap", "leaving"}, "ConfigMap shop/leaving is production"},
		{"with a grant for an object that is gone", floorAlice, []string{"delete", "-n", "shop", "configmap", "staying"}, "ConfigMap shop/staying is production"},
		{"with a grant for another verb", floorAlice, []string{"delete", "-n", "shop", "configmap", "copied"}, "ConfigMap shop/copied is production"},
		{"by an exempt user, of a kind that is not", "backup@example.com", []string{"delete", "-n", "shop", "deployment", "web"}, "Deployment shop/web is production"},
		{"by the administrator", "admin", []string{"delete", "-n", "shop", "deployment", "web"}, "Deployment shop/web is production"},
		{"a label that is changed", floorAlice, []string{"label", "-n", "shop", "--overwrite", "deployment", "web", "env=dev"}, "unprotect refused"},
		{"a label that goes with the status", floorAlice, []string{"patch", "-n", "shop", "pod", "lone", "--subresource=status", "--type=json", "-p", `[{"op":"remove","path":"/metadata/labels/environment"}]`}, "unprotect refused"},
		{"a namespace's label", floorAlice, []string{"label", "namespace", "live", "env-"}, "Namespace live is production (label env=production), and would have no label"},
		{"mollyguard's namespace", "admin", []string{"delete", "namespace", "mollyguard"}, "Namespace mollyguard is part of mollyguard, which guards production with it: delete refused"},
		{"what is in it", "admin", []string{"delete", "-n", "mollyguard", "configmap", "settings"}, "is part of mollyguard"},
		{"its definitions", "admin", []string{"delete", "crd", "floors.mollyguard.dev"}, "is part of mollyguard"},
		{"its roles", "admin", []string{"delete", "clusterrole", "mollyguard-own"}, "is part of mollyguard"},
		{"the floor", "admin", []string{"delete", "floor", "mollyguard"}, "is part of mollyguard"},
		{"a change to the floor", "admin", []string{"patch", "floor", "mollyguard", "--type=merge", "-p", `{"spec":{"namespaces":[]}}`}, "Floor mollyguard is written by mollyguard only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := b.as(t, tt.user, tt.args...)
			if got.ExitCode == 0 || !strings.Contains(got.Stderr, tt.want) {
				t.Errorf("kubectl %s: %s%s, want %q", strings.Join(tt.args, " "), got.Stdout, got.Stderr, tt.want)
			}
		})
	}
}

func testFloorLetsThrough(t *testing.T, b *bare) {
	for _, tt := range []struct {
		name, user string
		args       []string
	}{
		{"a dev object", floorAlice, []string{"delete", "-n", "shop", "configmap", "scratch"}},
		{"who has a grant", floorAlice, []string{"delete", "-n", "shop", "configmap", "leaving"}},
		{"who may take a label off", floorAlice, []string{"label", "-n", "shop", "configmap", "copied", "env-"}},
		{"who is exempt", "backup@example.com", []string{"delete", "-n", "shop", "configmap", "staying"}},
		{"of what is mollyguard's, who has a grant for its namespace", "admin", []string{"delete", "-n", "mollyguard", "configmap", "settings", "--as", "admin2@example.com", "--as-group", "system:masters"}},
		{"what is only warned of", floorAlice, []string{"delete", "-n", "batch-1", "configmap", "marked"}},
		{"another label", floorAlice, []string{"label", "-n", "shop", "deployment", "web", "app-"}},
		{"another production value", floorAlice, []string{"label", "-n", "shop", "--overwrite", "deployment", "web", "env=live"}},
		{"a namespace that holds nothing, to its end", floorAlice, []string{"delete", "namespace", "sandbox", "--timeout=45s"}},
		{"a rollout", floorAlice, []string{"rollout", "restart", "-n", "shop", "deployment", "web"}},
		{"the server's own records", "admin", []string{"patch", "floor", "mollyguard", "--type=merge", "-p", `{"spec":{"complete":true}}`, "--as", floorSelf, "--as-group", "system:masters"}},
	} {
		t.Run(tt.name, func(t *testing.T) { b.must(t, tt.user, tt.args...) })
	}
	t.Run("the control plane, replacing pods", func(t *testing.T) {
		eventually(t, "the rollout's new ReplicaSet to have pods and the old one none", func() error {
			got := b.as(t, "admin", "get", "-n", "shop", "replicasets", "-o", "jsonpath={range .items[*]}{.spec.replicas}{end}")
			if len(got.Stdout) != 2 {
				return fmt.Errorf("replicas are %q %s", got.Stdout, got.Stderr)
			}
			return nil
		})
	})
}

// testFloorFull fills all lists: a look must stay within the API server's limits of
// cost, and one that exceeded them would let through what is labelled.
func testFloorFull(t *testing.T, b *bare) {
	spec := v1alpha1.FloorSpec{Complete: true}
	for i := range v1alpha1.MaxFloorNamespaces {
		spec.Namespaces = append(spec.Namespaces, fmt.Sprintf("namespace-%05d", i))
	}
	for i := range v1alpha1.MaxFloorDefinitions {
		spec.Definitions = append(spec.Definitions, fmt.Sprintf("kind-%04d.example.com", i))
	}
	for i := range v1alpha1.MaxFloorGrants {
		spec.Grants = append(spec.Grants, v1alpha1.FloorGrant{
			Grant: "bg-k7m4-q9tx", User: floorAlice, Ref: fmt.Sprintf("k8s://prod-eu/core/configmaps/%063d/%d", 0, i), UID: strings.Repeat("u", 36),
			Credential: strings.Repeat("c", 64), Verbs: []v1alpha1.Verb{"delete", "unprotect", "evict"}, Expires: metav1.NewTime(time.Now().Add(time.Hour)),
		})
	}
	self := b.Admin()
	self.Impersonate = rest.ImpersonationConfig{UserName: floorSelf, Groups: []string{"system:masters"}}
	writer := floorClient(t, self)
	var floor v1alpha1.Floor
	if err := writer.Get(t.Context(), client.ObjectKey{Name: "mollyguard"}, &floor); err != nil {
		t.Fatal(err)
	}
	floor.Spec = spec
	if err := writer.Update(t.Context(), &floor); err != nil {
		t.Fatal(err)
	}
	b.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: namespace-04999}\n")
	eventually(t, "the last namespace of the list to be refused", func() error {
		got := b.as(t, floorAlice, "delete", "namespace", "namespace-04999", "--dry-run=server")
		if got.ExitCode == 0 || !strings.Contains(got.Stderr, "Namespace namespace-04999 holds production") {
			return fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
	for _, args := range [][]string{{"delete", "-n", "shop", "deployment", "web"}, {"label", "-n", "shop", "deployment", "web", "env-"}} {
		if got := b.as(t, floorAlice, args...); got.ExitCode == 0 || !strings.Contains(got.Stderr, "Deployment shop/web is production") {
			t.Errorf("kubectl %s: %s%s", strings.Join(args, " "), got.Stdout, got.Stderr)
		}
	}
}

func testFloorWithoutParameter(t *testing.T, b *bare) {
	b.must(t, "admin", "delete", "floor", "mollyguard", "--as", floorSelf, "--as-group", "system:masters")
	b.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: empty}\n")
	eventually(t, "namespaces to be refused", func() error {
		got := b.as(t, floorAlice, "delete", "namespace", "empty", "--dry-run=server")
		if want := "no params found for policy binding with `Deny` parameterNotFoundAction"; got.ExitCode == 0 || !strings.Contains(got.Stderr, want) {
			return fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
	b.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: scratch, namespace: shop, labels: {env: dev}}\n")
	b.must(t, floorAlice, "delete", "-n", "shop", "configmap", "scratch")
	b.must(t, floorAlice, "scale", "-n", "shop", "deployment", "web", "--replicas=2")
}
