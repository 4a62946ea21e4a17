package webhook

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/admission"

	"github.com/mollyguard/mollyguard/operation"
)

// oneRole is a lookup in a cluster with one role, or an error.
type oneRole struct {
	Lookup
	text  string
	err   error
	asked []ObjectKey
}

func (o *oneRole) Whole(_ context.Context, key ObjectKey) ([]byte, error) {
	o.asked = append(o.asked, key)
	return []byte(o.text), o.err
}

// TestNobodyIsBoundToARoleOfIdentitiesThatAreLetThrough holds hook, mapper and look-up
// together.
func TestNobodyIsBoundToARoleOfIdentitiesThatAreLetThrough(t *testing.T) {
	server := newAPIServer(t)
	configuration := Configuration(ownOptions(t)).Validating
	m := guardMapper(t)

	person := map[string]any{"kind": "User", "name": "bob", "apiGroup": rbacGroup}
	group := map[string]any{"kind": "Group", "name": "dev", "apiGroup": rbacGroup}
	account := func(namespace, name string) map[string]any {
		return map[string]any{"kind": "ServiceAccount", "name": name, "namespace": namespace}
	}
	binding := func(namespace, kind, role string, subjects ...any) call {
		c := call{operation: admission.Create, group: rbacGroup, resource: clusterRoleBindings, kind: "ClusterRoleBinding", name: "x", user: "alice"}
		if namespace != "" {
			c.resource, c.kind, c.namespace = roleBindings, "RoleBinding", namespace
		}
		c.new = named("x", map[string]any{"roleRef": map[string]any{"kind": kind, "name": role, "apiGroup": rbacGroup}, "subjects": subjects})
		return c
	}
	from := func(c call, subjects ...any) call {
		c.operation, c.old = admission.Update, named("x", map[string]any{"roleRef": c.new["roleRef"], "subjects": subjects})
		return c
	}
	clusterRole := func(name string) ObjectKey {
		return ObjectKey{Group: rbacGroup, Version: "v1", Resource: "clusterroles", Name: name}
	}
	const (
		impersonates = `{"rules":[{"verbs":["impersonate"],"apiGroups":[""],"resources":["serviceaccounts"]}]}`
		reads        = `{"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`
		does         = `{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}`
		controlPlane = "kubernetes-control-plane"
		may          = "whoever is bound to x may impersonate serviceaccounts"
	)
	for _, tt := range []struct {
		name           string
		call           call
		lookup         oneRole
		sent           bool
		key            ObjectKey
		passes, change string
	}{
		{"a role to impersonate, for all", binding("", "ClusterRole", "x", person), oneRole{text: impersonates}, true, clusterRole("x"), controlPlane, may},
		{"for a group", binding("", "ClusterRole", "x", group), oneRole{text: impersonates}, true, clusterRole("x"), controlPlane, may},
		{"in kube-system", binding("kube-system", "ClusterRole", "x", person), oneRole{text: impersonates}, true, clusterRole("x"), controlPlane, may},
		{"in the namespace of one that is exempt", binding("velero", "ClusterRole", "x", person), oneRole{text: impersonates}, true, clusterRole("x"), "restores", may},
		{"a role of that namespace", binding("velero", "Role", "x", person), oneRole{text: impersonates}, true, ObjectKey{Group: rbacGroup, Version: "v1", Resource: "roles", Namespace: "velero", Name: "x"}, "restores", may},
		{"edit in kube-system", binding("kube-system", "ClusterRole", "edit", person), oneRole{text: impersonates}, true, clusterRole("edit"), controlPlane, "whoever is bound to edit may impersonate serviceaccounts"},
		{"cluster-admin in kube-system", binding("kube-system", "ClusterRole", "cluster-admin", person), oneRole{text: does}, true, clusterRole("cluster-admin"), controlPlane, "whoever is bound to cluster-admin may impersonate *"},
		{"a role that allows nothing of that", binding("", "ClusterRole", "x", person), oneRole{text: reads}, true, clusterRole("x"), "", ""},
		{"a role to do everything, for all, as there are already", binding("", "ClusterRole", "x", person), oneRole{text: does}, true, clusterRole("x"), "", ""},
		{"a role that is not there", binding("", "ClusterRole", "x", person), oneRole{err: errGone}, true, clusterRole("x"), "", ""},
		{"a role that is not known", binding("", "ClusterRole", "x", person), oneRole{err: errors.New("no answer")}, true, clusterRole("x"), controlPlane, "whoever is bound to x may act as anybody, for what the role allows is not known (no answer)"},
		{"one more subject", from(binding("", "ClusterRole", "x", person, group), group), oneRole{text: impersonates}, true, clusterRole("x"), controlPlane, may},
		{"one subject less", from(binding("", "ClusterRole", "x", person), person, group), oneRole{text: impersonates}, true, ObjectKey{}, "", ""},
		{"the same subjects", from(binding("", "ClusterRole", "x", person), person), oneRole{text: impersonates}, false, ObjectKey{}, "", ""},
		{"nobody", binding("", "ClusterRole", "x"), oneRole{text: impersonates}, true, ObjectKey{}, "", ""},
		{"who is let through anyway", binding("", "ClusterRole", "x", account("kube-system", "x"), map[string]any{"kind": "User", "name": "ci@example.com"}), oneRole{text: impersonates}, true, ObjectKey{}, "", ""},
		{"who may do everything anyway", binding("", "ClusterRole", "x", map[string]any{"kind": "Group", "name": "system:masters"}), oneRole{text: impersonates}, true, ObjectKey{}, "", ""},
		{"cluster-admin for all", binding("", "ClusterRole", "cluster-admin", person), oneRole{text: does}, false, ObjectKey{}, "", ""},
		{"edit for all", binding("", "ClusterRole", "edit", person), oneRole{text: impersonates}, false, ObjectKey{}, "", ""},
		{"edit in another namespace", binding("shop", "ClusterRole", "edit", person), oneRole{text: impersonates}, false, clusterRole("edit"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.t = t
			want := ""
			if tt.sent {
				want = "identity-other"
			}
			if got := strings.Join(server.called(configuration, tt.call), " "); got != want {
				t.Errorf("hooks called: %q, want %q", got, want)
			}
			decoded, err := decode(tt.call.request(t), false)
			if err != nil {
				t.Fatal(err)
			}
			op, need, ours := m.guarded(&decoded.request)
			if !ours {
				t.Fatal("not ours")
			}
			if diff := cmp.Diff(tt.key, need.role.Key); diff != "" {
				t.Errorf("looked up (-want +got):\n%s", diff)
			}
			r := &Reviewer{lookup: &tt.lookup, mapper: *m}
			r.lookForRole(t.Context(), &op, need.role)
			expected := judged{Verb: operation.Update}
			if tt.passes != "" {
				expected = judged{Verb: operation.Unprotect, Passes: tt.passes, Changes: []string{tt.change}}
			}
			if diff := cmp.Diff(expected, judged{Verb: op.Verb, Passes: op.Target.Passes, Changes: op.Changes}); diff != "" {
				t.Errorf("judged (-want +got):\n%s", diff)
			}
		})
	}
}
