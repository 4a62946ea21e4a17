package webhook

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiserver/pkg/admission"

	"github.com/mollyguard/mollyguard/operation"
)

const ownNamespace = "mollyguard"

func ours() Ownership {
	return Ownership{Namespace: ownNamespace, Account: "system:serviceaccount:mollyguard:mollyguard"}
}

// ownOptions are the defaults of a server that knows what is its own.
func ownOptions(t testing.TB) ConfigurationOptions {
	opts := defaultOptions(t)
	opts.Own, opts.Exempt = ours(), []string{"system:serviceaccount:velero:velero", `ci@example\.com`}
	return opts
}

// request is what the API server sends for a call.
func (c call) request(t testing.TB) []byte {
	t.Helper()
	request := map[string]any{
		"uid": "u-1", "operation": string(c.operation), "kind": map[string]any{"group": c.group, "version": "v1", "kind": c.kind},
		"resource": map[string]any{"group": c.group, "version": "v1", "resource": c.resource}, "subResource": c.subresource,
		"namespace": c.namespace, "name": c.name, "userInfo": map[string]any{"username": c.user, "groups": c.groups},
	}
	if c.old != nil {
		request["oldObject"] = c.old
	}
	if c.new != nil {
		request["object"] = c.new
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// judged is what the mapper makes of a call, as far as it is about Mollyguard itself.
type judged struct {
	Verb    operation.Verb
	Also    []operation.Verb
	Own     bool
	Passes  string
	Within  string
	Changes []string
}

func (m *mapper) judge(t testing.TB, c call) judged {
	t.Helper()
	decoded, err := decode(c.request(t), false)
	if err != nil {
		t.Fatal(err)
	}
	op, _, ours := m.guarded(&decoded.request)
	if !ours {
		t.Fatalf("not ours: %+v", op)
	}
	return judged{op.Verb, op.Also, op.Target.Own, op.Target.Passes, op.Target.Within, op.Changes}
}

func patterns(t testing.TB, texts ...string) []*regexp.Regexp {
	t.Helper()
	var list []*regexp.Regexp
	for _, text := range texts {
		pattern, err := operation.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, pattern)
	}
	return list
}

func guardMapper(t testing.TB) *mapper {
	m := testMapper(t)
	m.cluster, m.own = "prod-eu", ours()
	m.exempt = []Exempt{
		{Name: "kubernetes-control-plane", ControlPlane: true, Actors: patterns(t, "system:serviceaccount:kube-system:.*", "system:node:.*")},
		{Name: "restores", Actors: patterns(t, "system:serviceaccount:velero:velero")},
		{Name: "pipeline", Actors: patterns(t, `ci@example\.com`)},
	}
	return m
}

// named is an object with more fields.
func named(name string, fields map[string]any) map[string]any {
	o := map[string]any{"metadata": map[string]any{"name": name, "uid": "uid-" + name, "annotations": map[string]any{"a": "1"}}}
	maps.Copy(o, fields)
	return o
}

func deploymentSpec(image string, replicas int64, restarted string) map[string]any {
	return map[string]any{"spec": map[string]any{
		"replicas": replicas,
		"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"kubectl.kubernetes.io/restartedAt": restarted}},
			"spec":     map[string]any{"containers": []any{map[string]any{"image": image}}},
		},
	}}
}

const withinNamespace = "k8s://prod-eu/core/namespaces/mollyguard"

// TestWhatIsOursIsSentOnceAndJudged holds hooks and mapper together: want is what the
// mapper says, or the zero value for what changes nothing of ours.
func TestWhatIsOursIsSentOnceAndJudged(t *testing.T) {
	server := newAPIServer(t)
	opts := ownOptions(t)
	configuration := Configuration(opts).Validating
	m := guardMapper(t)

	in := func(op admission.Operation, group, resource, kind, name string, old, new map[string]any) call {
		return call{operation: op, group: group, resource: resource, kind: kind, namespace: ownNamespace, name: name, user: "alice", old: old, new: new,
			namespaceLabels: map[string]string{"kubernetes.io/metadata.name": ownNamespace}}
	}
	cluster := func(op admission.Operation, group, resource, kind, name string, old, new map[string]any) call {
		c := in(op, group, resource, kind, name, old, new)
		c.namespace, c.namespaceLabels = "", nil
		return c
	}
	by := func(user string, c call) call { c.user = user; return c }
	web := func(image string, replicas int64, restarted string) map[string]any {
		return named("mollyguard", deploymentSpec(image, replicas, restarted))
	}
	deployment := func(old, new map[string]any) call {
		return in(admission.Update, "apps", "deployments", "Deployment", "mollyguard", old, new)
	}
	unprotect := func(changes ...string) judged {
		return judged{Verb: operation.Unprotect, Own: true, Within: withinNamespace, Changes: changes}
	}
	deleted := judged{Verb: operation.Delete, Own: true, Within: withinNamespace}
	nothing := judged{Verb: operation.Update}
	data := func(text string) map[string]any {
		return map[string]any{"data": map[string]any{"mollyguard.yaml": text}}
	}
	rules := func(verb string) map[string]any {
		return map[string]any{"rules": []any{map[string]any{"verbs": []any{verb}}}}
	}
	labelled := func(name string, labels map[string]any) map[string]any {
		o := named(name, nil)
		o["metadata"].(map[string]any)["labels"] = labels
		return o
	}
	held := func(by, counts string) map[string]any {
		o := named("mollyguard", map[string]any{"spec": map[string]any{"holderIdentity": by}})
		o["metadata"].(map[string]any)["annotations"] = map[string]any{"mollyguard.dev/pace": counts}
		return o
	}
	lease := func(op admission.Operation, old, new map[string]any) call {
		return in(op, "coordination.k8s.io", "leases", "Lease", "mollyguard", old, new)
	}
	ourNamespace := func(op admission.Operation, old, new map[string]any) call {
		c := cluster(op, "", "namespaces", "Namespace", ownNamespace, old, new)
		return c
	}
	for _, tt := range []struct {
		name string
		call call
		hook string
		want judged
	}{
		{"another image", deployment(web("a", 3, ""), web("b", 3, "")), "own.update", unprotect("spec.template.spec.containers[0].image changed")},
		{"a container more", deployment(web("a", 3, ""), named("mollyguard", map[string]any{"spec": map[string]any{"replicas": 3, "template": map[string]any{"spec": map[string]any{"containers": []any{1, 2}}}}})), "own.update",
			unprotect("spec.template.spec.containers changed")},
		{"the same again", deployment(web("a", 3, ""), web("a", 3, "")), "own.update", nothing},
		{"a restart", deployment(web("a", 3, "1"), web("a", 3, "2")), "own.update", nothing},
		{"one replica less", deployment(web("a", 3, ""), web("a", 2, "")), "own.update", nothing},
		{"no replica any more", deployment(web("a", 3, ""), web("a", 0, "")), "own.update",
			judged{Verb: operation.ScaleToZero, Own: true, Within: withinNamespace, Changes: []string{"spec.replicas 3 → 0"}}},
		{"no replica any more, of another image", deployment(web("a", 3, ""), web("b", 0, "")), "own.update",
			judged{Verb: operation.ScaleToZero, Also: []operation.Verb{operation.Unprotect}, Own: true, Within: withinNamespace, Changes: []string{"spec.replicas 3 → 0", "spec.template.spec.containers[0].image changed"}}},
		{"the Deployment deleted", in(admission.Delete, "apps", "deployments", "Deployment", "mollyguard", web("a", 3, ""), nil), "own.delete", deleted},
		{"all of them, in one call", in(admission.Delete, "apps", "deployments", "Deployment", "", web("a", 3, ""), nil), "own.delete", deleted},
		{"a Deployment made", in(admission.Create, "apps", "deployments", "Deployment", "x", nil, web("a", 3, "")), "own.create", unprotect("a new Deployment where mollyguard runs")},
		{"a pod made", in(admission.Create, "", "pods", "Pod", "x", nil, named("x", nil)), "own.create", unprotect("a new Pod where mollyguard runs")},
		{"a pod's label", in(admission.Update, "", "pods", "Pod", "p", labelled("p", map[string]any{"app": "a"}), labelled("p", nil)), "own.update", unprotect("metadata.labels.app removed")},
		{"a pod debugged", func() call {
			c := in(admission.Update, "", "pods", "Pod", "p", named("p", nil), named("p", nil))
			c.subresource = "ephemeralcontainers"
			return c
		}(), "own.update", unprotect("a container added to a running pod of mollyguard")},
		{"the configuration", in(admission.Update, "", "configmaps", "ConfigMap", "mollyguard-config", named("mollyguard-config", data("a: 1")), named("mollyguard-config", data("a: 2"))), "own.update", unprotect("data.mollyguard.yaml changed")},
		{"an annotation of it", in(admission.Update, "", "configmaps", "ConfigMap", "mollyguard-config", named("mollyguard-config", data("a: 1")), map[string]any{"metadata": map[string]any{"name": "mollyguard-config"}, "data": map[string]any{"mollyguard.yaml": "a: 1"}}), "own.update", nothing},
		{"the signing keys", in(admission.Delete, "", "secrets", "Secret", "mollyguard-break-glass", named("mollyguard-break-glass", nil), nil), "own.delete", deleted},
		{"a quota of nothing", in(admission.Create, "", "resourcequotas", "ResourceQuota", "x", nil, named("x", nil)), "own.create", unprotect("a new ResourceQuota where mollyguard runs")},
		{"a token for good", in(admission.Create, "", "secrets", "Secret", "x", nil, map[string]any{
			"metadata": map[string]any{"name": "x", "annotations": map[string]any{"kubernetes.io/service-account.name": "mollyguard"}}, "type": "kubernetes.io/service-account-token",
		}), "own.create", unprotect("a token for good, of the account mollyguard")},
		{"another Secret made", in(admission.Create, "", "secrets", "Secret", "x", nil, named("x", nil)), "own.create", nothing},
		{"a role", in(admission.Update, "rbac.authorization.k8s.io", "roles", "Role", "mollyguard", named("mollyguard", rules("get")), named("mollyguard", rules("list"))), "own.update", unprotect("rules[0].verbs[0] changed")},
		{"a definition", cluster(admission.Delete, "apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", "grants.mollyguard.dev", named("grants.mollyguard.dev", nil), nil), "own.delete", deleted},
		{"a definition's versions", cluster(admission.Update, "apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", "grants.mollyguard.dev", named("grants.mollyguard.dev", map[string]any{"spec": map[string]any{"names": "a"}}), named("grants.mollyguard.dev", map[string]any{"spec": map[string]any{"names": "b"}})), "own.update", unprotect("spec.names changed")},
		{"where our API is served", cluster(admission.Create, "apiregistration.k8s.io", "apiservices", "APIService", "v1alpha1.mollyguard.dev", nil, named("v1alpha1.mollyguard.dev", nil)), "own.create", unprotect("a new APIService in the name of mollyguard")},
		{"who approves", cluster(admission.Update, "rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", "mollyguard-approvers", named("mollyguard-approvers", map[string]any{"subjects": []any{}}), named("mollyguard-approvers", map[string]any{"subjects": []any{1}})), "own.update", unprotect("subjects changed")},
		{"our rights", cluster(admission.Delete, "rbac.authorization.k8s.io", "clusterroles", "ClusterRole", "mollyguard", named("mollyguard", nil), nil), "own.delete", deleted},
		{"what the floor knows", cluster(admission.Update, "mollyguard.dev", "floors", "Floor", "mollyguard", named("mollyguard", map[string]any{"spec": map[string]any{"complete": true}}), named("mollyguard", map[string]any{"spec": map[string]any{"complete": false}})), "own.update", unprotect("spec.complete changed")},
		{"a floor made before the server makes it", cluster(admission.Create, "mollyguard.dev", "floors", "Floor", "mollyguard", nil, named("mollyguard", map[string]any{"spec": map[string]any{"complete": true}})), "own.create", unprotect("a new Floor in the name of mollyguard")},
		{"who leads", lease(admission.Update, held("mollyguard-0", "c"), held("mallory", "c")), "own.update", unprotect("spec.holderIdentity changed")},
		{"what replicas counted", lease(admission.Update, held("mollyguard-0", "c"), held("mollyguard-0", "d")), "own.update", unprotect("metadata.annotations.mollyguard.dev/pace changed")},
		{"a Lease made", lease(admission.Create, nil, held("mallory", "c")), "own.create", unprotect("a new Lease where mollyguard runs")},
		{"a Lease deleted", lease(admission.Delete, held("mollyguard-0", "c"), nil), "own.delete", deleted},
		{"our namespace", ourNamespace(admission.Delete, named(ownNamespace, nil), nil), "own.delete", judged{Verb: operation.Delete, Own: true}},
		{"our namespace's labels", func() call {
			c := ourNamespace(admission.Update, labelled(ownNamespace, map[string]any{"a": "1"}), labelled(ownNamespace, map[string]any{"a": "2"}))
			c.namespace, c.namespaceLabels = ownNamespace, map[string]string{"kubernetes.io/metadata.name": ownNamespace}
			return c
		}(), "own.update", judged{Verb: operation.Unprotect, Own: true, Changes: []string{"metadata.labels.a changed"}}},

		{"a pod of ours deleted", in(admission.Delete, "", "pods", "Pod", "p", named("p", nil), nil), "other-1.delete", judged{Verb: operation.Delete}},
		{"Helm's own record", in(admission.Delete, "", "secrets", "Secret", "sh.helm.release.v1.mollyguard.v1", named("sh.helm.release.v1.mollyguard.v1", nil), nil), "other-1.delete", judged{Verb: operation.Delete}},
		{"a report that another operator keeps there", in(admission.Delete, "wgpolicyk8s.io", "policyreports", "PolicyReport", "r", named("r", nil), nil), "other-1.delete", judged{Verb: operation.Delete}},
		{"a ConfigMap of Istio's", in(admission.Update, "", "configmaps", "ConfigMap", "istio-ca-root-cert", named("istio-ca-root-cert", data("a")), named("istio-ca-root-cert", data("b"))), "", nothing},
		{"a ConfigMap made, as for another version", in(admission.Create, "", "configmaps", "ConfigMap", "mollyguard-config-2", nil, named("mollyguard-config-2", data("a"))), "", nothing},
		{"the server's own write", by(ours().Account, in(admission.Update, "", "secrets", "Secret", "mollyguard-certificates", named("mollyguard-certificates", nil), named("mollyguard-certificates", data("a")))), "", nothing},
		{"a role of somebody else's", cluster(admission.Delete, "rbac.authorization.k8s.io", "clusterroles", "ClusterRole", "notmollyguard", named("notmollyguard", nil), nil), "cluster-other.delete", judged{Verb: operation.Delete}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.t = t
			if got := strings.Join(server.called(configuration, tt.call), " "); got != tt.hook {
				t.Errorf("hooks called: %q, want %q", got, tt.hook)
			}
			if diff := cmp.Diff(tt.want, m.judge(t, tt.call)); diff != "" {
				t.Errorf("judged (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheClustersOwnMachineryAndChurnAreNeverOurs(t *testing.T) {
	server := newAPIServer(t)
	configuration := Configuration(ownOptions(t)).Validating
	for _, c := range []call{
		{operation: admission.Update, group: "apps", resource: "deployments", kind: "Deployment", user: "system:serviceaccount:kube-system:deployment-controller", old: named("mollyguard", nil), new: named("mollyguard", replicasMap(1))},
		{operation: admission.Create, resource: "pods", kind: "Pod", user: "system:serviceaccount:kube-system:replicaset-controller", new: named("p", nil)},
		{operation: admission.Update, group: "coordination.k8s.io", resource: "leases", kind: "Lease", user: ours().Account, old: named("l", nil), new: named("l", replicasMap(1))},
		{operation: admission.Create, resource: "events", kind: "Event", user: "alice", new: named("e", nil)},
		{operation: admission.Update, resource: "endpoints", kind: "Endpoints", user: "alice", old: named("e", nil), new: named("e", replicasMap(1))},
	} {
		c.namespace, c.namespaceLabels = ownNamespace, map[string]string{"kubernetes.io/metadata.name": ownNamespace}
		if got := server.called(configuration, c); len(got) > 0 {
			t.Errorf("%s of %s by %s calls %v", c.operation, c.resource, c.user, got)
		}
	}
}

func replicasMap(n int64) map[string]any { return map[string]any{"spec": replicasSpec(n)} }

func TestWhatIsOursCanBeRepairedWhileNobodyAnswers(t *testing.T) {
	opts := ownOptions(t)
	opts.WholeCluster = true
	for _, hook := range Configuration(opts).Validating.Webhooks {
		want := admissionregistrationv1.Fail
		if strings.HasPrefix(hook.Name, "own.") || strings.HasPrefix(hook.Name, "identity-other.") {
			want = admissionregistrationv1.Ignore
		}
		if *hook.FailurePolicy != want {
			t.Errorf("%s: %s, want %s", hook.Name, *hook.FailurePolicy, want)
		}
	}
}

func TestAServerOutsideTheClusterHasNoNamespaceThere(t *testing.T) {
	opts := ownOptions(t)
	opts.URL, opts.Own = "https://10.0.0.1:8443", Ownership{}
	configuration := Configuration(opts).Validating
	server := newAPIServer(t)
	m := guardMapper(t)
	m.own = Ownership{}
	elsewhere := call{operation: admission.Delete, group: "apps", resource: "deployments", kind: "Deployment", namespace: ownNamespace, user: "alice", old: named("mollyguard", nil)}
	definition := call{operation: admission.Delete, group: "apiextensions.k8s.io", resource: "customresourcedefinitions", kind: "CustomResourceDefinition", user: "alice", old: named("grants.mollyguard.dev", nil)}
	if got := server.called(configuration, elsewhere); len(got) != 1 || got[0] != "other-1.delete" {
		t.Errorf("a Deployment in a namespace called mollyguard: %v", got)
	}
	if got := m.judge(t, elsewhere); got.Own {
		t.Error("a Deployment in a namespace called mollyguard counts as ours")
	}
	if got := server.called(configuration, definition); len(got) != 1 || got[0] != "own.delete" {
		t.Errorf("our definition: %v", got)
	}
	if diff := cmp.Diff(judged{Verb: operation.Delete, Own: true}, m.judge(t, definition)); diff != "" {
		t.Error(diff)
	}
}

func TestAClusterScopedObjectIsJudgedWhereNamespacesAreProductionByName(t *testing.T) {
	opts := ownOptions(t)
	opts.Namespaces = []string{"prod-.*"}
	c := call{operation: admission.Delete, group: "karpenter.sh", resource: "nodeclaims", kind: "NodeClaim", user: "alice", old: named("x", nil)}
	if diff := cmp.Diff([]string{"cluster-other.delete"}, newAPIServer(t).called(Configuration(opts).Validating, c)); diff != "" {
		t.Error(diff)
	}
}

func TestWhoAsksLeaveIsToldWhatAChangeWillBe(t *testing.T) {
	m := guardMapper(t)
	type said struct {
		Own            bool
		Passes, Within string
	}
	for _, tt := range []struct {
		name, group, resource, namespace, object string
		verb                                     operation.Verb
		want                                     said
	}{
		{"our namespace", "", "namespaces", "", ownNamespace, operation.Unprotect, said{Own: true}},
		{"our Deployment", "apps", "deployments", ownNamespace, "mollyguard", operation.Unprotect, said{Own: true, Within: withinNamespace}},
		{"our definition", "apiextensions.k8s.io", "customresourcedefinitions", "", "grants.mollyguard.dev", operation.Delete, said{Own: true, Within: withinNamespace}},
		{"a pod of ours", "", "pods", ownNamespace, "p", operation.Delete, said{}},
		{"an account that is let through", "", "serviceaccounts", "velero", "velero", operation.Unprotect, said{Passes: "restores"}},
		{"the deletion of that", "", "serviceaccounts", "velero", "velero", operation.Delete, said{}},
		{"another account", "", "serviceaccounts", "shop", "ci", operation.Unprotect, said{}},
		{"a role", rbacGroup, "roles", "shop", "x", operation.Unprotect, said{Passes: "kubernetes-control-plane"}},
		{"anything else", "apps", "deployments", "shop", "web", operation.Unprotect, said{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := operation.Operation{Verb: tt.verb, Actor: operation.Actor{Identity: operation.Identity{Name: "alice"}}}
			op.Target.Group, op.Target.Resource, op.Target.Namespace, op.Target.Name = tt.group, tt.resource, tt.namespace, tt.object
			m.intended(&op)
			if diff := cmp.Diff(tt.want, said{op.Target.Own, op.Target.Passes, op.Target.Within}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDifferencesNamePlacesAndNoValues(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", `{"spec":{"a":1}}`, `{"spec":{"a":1.0}}`, nil},
		{"a status", `{"status":{"a":1}}`, `{"status":{"a":2}}`, nil},
		{"bookkeeping", `{"metadata":{"resourceVersion":"1","managedFields":[]}}`, `{"metadata":{"resourceVersion":"2","generation":3}}`, nil},
		{"a label", `{"metadata":{"labels":{"a":"secret"}}}`, `{"metadata":{}}`, []string{"metadata.labels.a removed"}},
		{"an owner", `{"metadata":{}}`, `{"metadata":{"ownerReferences":[{"uid":"u"}]}}`, []string{"metadata.ownerReferences added"}},
		{"a value", `{"data":{"key":"old secret"}}`, `{"data":{"key":"new secret","more":"x"}}`, []string{"data.key changed", "data.more added"}},
		{"what selects everything", `{"spec":{}}`, `{"spec":{"podSelector":{}}}`, []string{"spec.podSelector added"}},
		{"a key that would break the line", `{}`, `{"data":{"a\nb":"x"}}`, []string{`data.a\nb added`}},
		{"more than one can read", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}`, `{}`, []string{"a removed", "b removed", "c removed", "d removed", "e removed", "and 2 more"}},
		{"no object", `7`, `{}`, []string{"the old object cannot be read"}},
		{"no new object", `{}`, ``, []string{"the new object cannot be read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, differences([]byte(tt.old), []byte(tt.new))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzGuarded asks about whatever may come: nothing panics, and what is ours stays ours.
func FuzzGuarded(f *testing.F) {
	f.Add([]byte(`{"spec":{"template":{"spec":{"serviceAccountName":"a"}}}}`), []byte(`{"rules":[{"verbs":["impersonate"],"resources":["users"]}]}`), "apps", "deployments")
	f.Add([]byte(`{"metadata":{"name":"mollyguard","annotations":{"kubernetes.io/service-account.name":"x"}},"type":"kubernetes.io/service-account-token"}`), []byte(`null`), "", "secrets")
	f.Add([]byte(`[]`), []byte(`{"a":`), "rbac.authorization.k8s.io", "clusterroles")
	m := guardMapper(f)
	f.Fuzz(func(t *testing.T, before, after []byte, group, resource string) {
		for _, namespace := range []string{"", ownNamespace, "kube-system"} {
			for _, verb := range []string{"CREATE", "UPDATE", "DELETE"} {
				r := &request{
					uid: "u", operation: verb, namespace: namespace, name: "mollyguard", resource: groupResource{group: group, resource: resource},
					object: object{present: true, name: "mollyguard", raw: after}, oldObject: object{present: true, name: "mollyguard", raw: before},
				}
				if op, _, ours := m.guarded(r); op.Target.Own && !ours {
					t.Errorf("own, and not ours: %+v", op)
				}
			}
		}
	})
}
