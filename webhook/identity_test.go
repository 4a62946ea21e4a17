package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/admission"

	"github.com/mollyguard/mollyguard/operation"
)

// TestNobodyGetsTheUseOfAnIdentityThatIsLetThrough holds the hook and the mapper
// together: sent says whether the API server asks, passes what the mapper says then.
func TestNobodyGetsTheUseOfAnIdentityThatIsLetThrough(t *testing.T) {
	server := newAPIServer(t)
	configuration := Configuration(ownOptions(t)).Validating
	m := guardMapper(t)

	token := func(namespace, name string) call {
		return call{operation: admission.Create, resource: "serviceaccounts", subresource: "token", kind: "TokenRequest", namespace: namespace, name: name, user: "alice", new: map[string]any{"metadata": map[string]any{}}}
	}
	by := func(user string, c call) call { c.user = user; return c }
	secret := func(op admission.Operation, namespace string, old, new map[string]any) call {
		return call{operation: op, resource: "secrets", kind: "Secret", namespace: namespace, name: "x", user: "alice", old: old, new: new}
	}
	tokenOf := func(account string) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": "x", "annotations": map[string]any{accountAnnotation: account}}, "type": accountToken}
	}
	role := func(op admission.Operation, namespace string, old, new map[string]any) call {
		resource, kind := "clusterroles", "ClusterRole"
		if namespace != "" {
			resource, kind = "roles", "Role"
		}
		return call{operation: op, group: rbacGroup, resource: resource, kind: kind, namespace: namespace, name: "x", user: "alice", old: old, new: new}
	}
	rule := func(verb, resource string, names ...any) map[string]any {
		r := map[string]any{"verbs": []any{"get", verb}, "apiGroups": []any{""}, "resources": []any{resource}}
		if len(names) > 0 {
			r["resourceNames"] = names
		}
		return r
	}
	of := func(group string, rule map[string]any) map[string]any { rule["apiGroups"] = []any{group}; return rule }
	rules := func(rules ...any) map[string]any { return named("x", map[string]any{"rules": rules}) }
	spec := func(account string) map[string]any { return map[string]any{"serviceAccountName": account} }
	template := func(account string) map[string]any {
		return map[string]any{"template": map[string]any{"spec": spec(account)}}
	}
	workload := func(op admission.Operation, group, resource, kind, namespace string, old, new map[string]any) call {
		c := call{operation: op, group: group, resource: resource, kind: kind, namespace: namespace, name: "x", user: "alice", new: named("x", map[string]any{"spec": new})}
		if old != nil {
			c.old = named("x", map[string]any{"spec": old})
		}
		return c
	}
	const controlPlane, restores, pipeline = "kubernetes-control-plane", "restores", "pipeline"
	for _, tt := range []struct {
		name   string
		call   call
		sent   bool
		passes string
		change string
	}{
		{"a token of the garbage collector", token("kube-system", "generic-garbage-collector"), true, controlPlane, "a token of the service account for somebody else than its pods"},
		{"a token of any other account of kube-system", token("kube-system", "admin-user"), true, controlPlane, "a token of the service account for somebody else than its pods"},
		{"a token of an account that the configuration exempts", token("velero", "velero"), true, restores, "a token of the service account for somebody else than its pods"},
		{"a token of our own account", token(ownNamespace, "mollyguard"), true, ownPasses, "a token of the service account for somebody else than its pods"},
		{"a token of another account there", token("velero", "default"), false, "", ""},
		{"a token that a kubelet asks for", by("system:node:n1", token("kube-system", "coredns")), false, "", ""},
		{"a token that the controller manager asks for", by("system:serviceaccount:kube-system:x", token("kube-system", "coredns")), false, "", ""},

		{"a token for good", secret(admission.Create, "velero", nil, tokenOf("velero")), true, restores, "a token for good, of the service account velero"},
		{"a Secret that becomes one of another account", secret(admission.Update, "kube-system", tokenOf("x"), tokenOf("y")), true, controlPlane, "a token for good, of the service account y"},
		{"a Secret that stays what it was", secret(admission.Update, "kube-system", tokenOf("x"), tokenOf("x")), false, "", ""},
		{"a token for good of another account", secret(admission.Create, "shop", nil, tokenOf("velero")), false, "", ""},
		{"another Secret", secret(admission.Create, "velero", nil, named("x", nil)), false, "", ""},

		{"a role to impersonate users", role(admission.Create, "", nil, rules(rule("impersonate", "users"))), true, controlPlane, "whoever has the role may impersonate users"},
		{"to impersonate one that is let through", role(admission.Create, "", nil, rules(rule("impersonate", "users", "ci@example.com"))), true, pipeline, "whoever has the role may impersonate users ci@example.com"},
		{"to impersonate one that is not", role(admission.Create, "", nil, rules(rule("impersonate", "users", "bob@example.com"))), true, "", ""},
		{"to impersonate groups, that of the static floor among them", role(admission.Create, "", nil, rules(rule("impersonate", "groups"))), true, groupPasses, "whoever has the role may impersonate groups"},
		{"to impersonate the group that the static floor lets through", role(admission.Create, "", nil, rules(rule("impersonate", "groups", "dev", BypassGroup))), true, groupPasses, "whoever has the role may impersonate groups dev, mollyguard:static-floor"},
		{"to impersonate it as constrained impersonation has it", role(admission.Create, "", nil, rules(of("authentication.k8s.io", rule("impersonate:user-info", "groups", BypassGroup)))), true, groupPasses, "whoever has the role may impersonate:user-info groups mollyguard:static-floor"},
		{"to impersonate another group", role(admission.Create, "", nil, rules(rule("impersonate", "groups", "dev"))), true, "", ""},
		{"to impersonate groups in a namespace, which is nobody", role(admission.Create, "velero", nil, rules(rule("impersonate", "groups"))), true, "", ""},
		{"to impersonate what another group calls users", role(admission.Create, "", nil, rules(of("example.com", rule("impersonate", "users")))), true, "", ""},
		{"to impersonate whatever", role(admission.Create, "", nil, rules(rule("impersonate", "*"))), true, controlPlane, "whoever has the role may impersonate *"},
		{"to impersonate nodes, as constrained impersonation has it", role(admission.Create, "", nil, rules(rule("impersonate:arbitrary-node", "nodes"))), true, controlPlane, "whoever has the role may impersonate:arbitrary-node nodes"},
		{"to impersonate service accounts", role(admission.Create, "", nil, rules(rule("impersonate", "serviceaccounts"))), true, controlPlane, "whoever has the role may impersonate serviceaccounts"},
		{"to impersonate service accounts of a name", role(admission.Create, "", nil, rules(rule("impersonate", "serviceaccounts", "x"))), true, controlPlane, "whoever has the role may impersonate serviceaccounts x"},
		{"to impersonate service accounts in a namespace", role(admission.Create, "velero", nil, rules(rule("impersonate", "serviceaccounts"))), true, restores, "whoever has the role may impersonate serviceaccounts"},
		{"to impersonate service accounts in another namespace", role(admission.Create, "shop", nil, rules(rule("impersonate", "serviceaccounts"))), true, "", ""},
		{"to impersonate users in a namespace, which is nobody", role(admission.Create, "velero", nil, rules(rule("impersonate", "users"))), true, "", ""},
		{"to ask for tokens", role(admission.Create, "", nil, rules(rule("create", tokenResource))), true, controlPlane, "whoever has the role may create serviceaccounts/token"},
		{"to ask for tokens of one account", role(admission.Create, "velero", nil, rules(rule("create", tokenResource, "velero"))), true, restores, "whoever has the role may create serviceaccounts/token velero"},
		{"to ask for tokens of another account", role(admission.Create, "velero", nil, rules(rule("create", tokenResource, "default"))), true, "", ""},
		{"to create whatever there is, tokens among it", role(admission.Create, "", nil, rules(of("*", rule("create", "*")))), true, controlPlane, "whoever has the role may create *"},
		{"to create whatever there is in a namespace", role(admission.Create, "velero", nil, rules(rule("create", "*"))), true, restores, "whoever has the role may create *"},
		{"to create whatever there is in another namespace", role(admission.Create, "shop", nil, rules(rule("create", "*"))), true, "", ""},
		{"to create whatever another group has", role(admission.Create, "", nil, rules(of("example.com", rule("create", "*")))), false, "", ""},
		{"to see whatever there is", role(admission.Create, "", nil, rules(rule("list", "*"))), false, "", ""},
		{"to see tokens, of which there is none to see", role(admission.Create, "", nil, rules(rule("get", tokenResource))), true, "", ""},
		{"to do everything, as there are roles already", role(admission.Create, "", nil, rules(rule("*", "*"))), false, "", ""},
		{"to impersonate, as before", role(admission.Update, "", rules(rule("impersonate", "users")), rules(rule("impersonate", "users"), rule("list", "pods"))), true, "", ""},
		{"to impersonate more than before", role(admission.Update, "", rules(rule("impersonate", "users", "bob@example.com")), rules(rule("impersonate", "users"))), true, controlPlane, "whoever has the role may impersonate users"},
		{"to impersonate less than before", role(admission.Update, "", rules(rule("impersonate", "users")), rules()), false, "", ""},
		{"to do nothing", role(admission.Create, "", nil, named("x", map[string]any{"rules": nil})), false, "", ""},
		{"the API server's own roles", by("system:serviceaccount:kube-system:clusterrole-aggregation-controller", role(admission.Update, "", rules(), rules(rule("impersonate", "users")))), false, "", ""},

		{"a pod as the garbage collector", workload(admission.Create, "", "pods", "Pod", "kube-system", nil, spec("generic-garbage-collector")), true, controlPlane, "it runs as the service account generic-garbage-collector"},
		{"a Deployment as the garbage collector", workload(admission.Create, "apps", "deployments", "Deployment", "kube-system", nil, template("generic-garbage-collector")), true, controlPlane, "it runs as the service account generic-garbage-collector"},
		{"a CronJob as an account that the configuration exempts", workload(admission.Create, "batch", "cronjobs", "CronJob", "velero", nil, map[string]any{"jobTemplate": map[string]any{"spec": template("velero")}}), true, restores, "it runs as the service account velero"},
		{"a DaemonSet that comes to run as one", workload(admission.Update, "apps", "daemonsets", "DaemonSet", "velero", template(""), template("velero")), true, restores, "it runs as the service account velero"},
		{"an upgrade of what runs as one", workload(admission.Update, "apps", "deployments", "Deployment", "velero", template("velero"), template("velero")), false, "", ""},
		{"what is installed in kube-system", workload(admission.Create, "apps", "deployments", "Deployment", "kube-system", nil, template("metrics-server")), false, "", ""},
		{"a pod of kube-system's default account", workload(admission.Create, "", "pods", "Pod", "kube-system", nil, map[string]any{}), false, "", ""},
		{"a pod that a controller makes", by("system:serviceaccount:kube-system:replicaset-controller", workload(admission.Create, "", "pods", "Pod", "velero", nil, spec("velero"))), false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.t = t
			want := ""
			if tt.sent {
				want = "identity"
			}
			if got := strings.Join(server.called(configuration, tt.call), " "); got != want {
				t.Errorf("hooks called: %q, want %q", got, want)
			}
			if !tt.sent {
				return
			}
			expected := judged{Verb: operation.Update}
			if tt.passes != "" {
				expected = judged{Verb: operation.Unprotect, Passes: tt.passes, Changes: []string{tt.change}}
			}
			if diff := cmp.Diff(expected, m.judge(t, tt.call)); diff != "" {
				t.Errorf("judged (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATokenRequestIsAboutItsAccount(t *testing.T) {
	c := call{operation: admission.Create, resource: "serviceaccounts", subresource: "token", kind: "TokenRequest", namespace: "velero", name: "velero", user: "alice", new: map[string]any{"metadata": map[string]any{}}}
	decoded, err := decode(c.request(t), false)
	if err != nil {
		t.Fatal(err)
	}
	op, _, _ := guardMapper(t).guarded(&decoded.request)
	want := operation.Target{
		Reference: operation.Reference{Ref: "k8s://prod-eu/core/serviceaccounts/velero/velero", Kind: "ServiceAccount", Namespace: "velero", Name: "velero"},
		Resource:  "serviceaccounts", Cluster: "prod-eu", Passes: "restores",
	}
	if diff := cmp.Diff(want, op.Target); diff != "" {
		t.Error(diff)
	}
	if len(op.Unknown) > 0 {
		t.Errorf("unknown: %q", op.Unknown)
	}
}

func TestAPatternMayBeginWithWhatItCanMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		want    bool
	}{
		{"system:serviceaccount:velero:velero", true},
		{"system:serviceaccount:velero:.*", true},
		{"system:serviceaccount:.*", true},
		{"system:serviceaccount:vel.*", true},
		{"(system:serviceaccount:a:b|x)", true},
		{".*", true},
		{"system:serviceaccount:veleros:x", false},
		{`ci@example\.com`, false},
		{"system:node:.*", false},
	} {
		if got := mayBegin(patterns(t, tt.pattern)[0], "system:serviceaccount:velero:"); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.pattern, got, tt.want)
		}
	}
}
