package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// right is one thing that somebody may do.
type right struct{ verb, group, resource, namespace, name string }

func (r right) String() string {
	return fmt.Sprintf("%s %s/%s %s/%s", r.verb, r.group, r.resource, r.namespace, r.name)
}

// split takes a subresource off the resource.
func (r right) split() (resource, subresource string) {
	resource, subresource, _ = strings.Cut(r.resource, "/")
	return resource, subresource
}

// rights takes the rules of the manifests apart: of the roles that the server has,
// by itself or through one that is put together from others.
func rights(t *testing.T, objects []*unstructured.Unstructured) []right {
	t.Helper()
	var list []right
	add := func(namespace string, rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			names := rule.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						for _, name := range names {
							list = append(list, right{verb, group, resource, namespace, name})
						}
					}
				}
			}
		}
	}
	bound := map[string]bool{}
	for _, binding := range all[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding") {
		bound[binding.RoleRef.Name] = true
	}
	for _, role := range all[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		if bound[role.Name] || role.Labels["mollyguard.dev/aggregate-to-reader"] == "true" {
			add("", role.Rules)
		}
	}
	role := one[rbacv1.Role](t, objects, "Role")
	add(role.Namespace, role.Rules)
	return list
}

// may asks the API server whether the service account has a right.
func (s *site) may(ctx context.Context, t *testing.T, r right) (bool, error) {
	t.Helper()
	return s.mayAs(ctx, t, s.robot, r)
}

func (s *site) testRights(t *testing.T, objects []*unstructured.Unstructured) {
	var err error
	if s.robot, err = s.ServiceAccount(t.Context(), namespace, "mollyguard"); err != nil {
		t.Fatal(err)
	}
	for _, r := range rights(t, objects) {
		await(t, "the right to "+r.String(), func(ctx context.Context) (bool, error) { return s.may(ctx, t, r) })
	}

	const (
		admission     = "admissionregistration.k8s.io"
		coordination  = "coordination.k8s.io"
		authorization = "rbac.authorization.k8s.io"
		breakGlass    = "mollyguard.dev"
	)
	for _, r := range []right{
		// Secrets: its own and no other, not even of that name elsewhere.
		{"get", "", "secrets", namespace, "another"},
		{"get", "", "secrets", shop, "mollyguard-certificates"},
		{"get", "", "secrets", shop, "mollyguard-break-glass"},
		{"update", "", "secrets", namespace, "another"},
		{"delete", "", "secrets", namespace, "mollyguard-certificates"},
		{"create", "", "secrets", namespace, ""},
		// Webhook configurations: its own, and nobody else's.
		{"get", admission, "validatingwebhookconfigurations", "", "another"},
		{"update", admission, "validatingwebhookconfigurations", "", "another"},
		{"delete", admission, "validatingwebhookconfigurations", "", "mollyguard"},
		{"get", admission, "mutatingwebhookconfigurations", "", "another"},
		{"update", admission, "mutatingwebhookconfigurations", "", "another"},
		{"get", admission, "validatingadmissionpolicies", "", "mollyguard-break-glass"},
		{"delete", admission, "validatingadmissionpolicybindings", "", "mollyguard-break-glass"},
		{"delete", breakGlass, "floors", "", "mollyguard"},
		// Leases: its own, in its own namespace.
		{"get", coordination, "leases", namespace, "another"},
		{"delete", coordination, "leases", namespace, "mollyguard"},
		{"update", coordination, "leases", "kube-system", "mollyguard"},
		{"create", coordination, "leases", "kube-system", ""},
		// Break glass: what was asked, said and granted is not changed, and the
		// server approves nothing.
		{"update", breakGlass, "breakglassrequests", "", ""},
		{"patch", breakGlass, "breakglassverdicts", "", ""},
		{"update", breakGlass, "grants", "", ""},
		{"deletecollection", breakGlass, "grants", "", ""},
		{"approve", breakGlass, "breakglassrequests", "", ""},
		{"update", "apiextensions.k8s.io", "customresourcedefinitions", "", "grants.mollyguard.dev"},
		// What it guards it only reads.
		{"create", "", "pods", shop, ""},
		{"create", "", "pods", namespace, ""},
		{"create", "", "pods/exec", namespace, ""},
		{"create", "", "pods/eviction", shop, ""},
		{"delete", "", "pods", shop, ""},
		{"update", "apps", "deployments", shop, ""},
		{"update", "apps", "deployments/scale", shop, ""},
		{"delete", "apps", "deployments", namespace, "mollyguard"},
		{"get", "", "configmaps", namespace, ""},
		{"update", "", "namespaces", "", shop},
		{"delete", "", "namespaces", "", shop},
		{"get", "", "nodes", "", ""},
		{"get", "", "events", shop, ""},
		{"delete", "", "events", shop, ""},
		// Nobody else's identity, and no more rights than it has.
		{"impersonate", "", "users", "", ""},
		{"create", "", "serviceaccounts/token", namespace, "mollyguard"},
		{"escalate", authorization, "clusterroles", "", "mollyguard"},
		{"update", authorization, "clusterroles", "", "mollyguard-reader-workloads"},
		{"create", authorization, "clusterroles", "", ""},
		{"create", authorization, "clusterrolebindings", "", ""},
	} {
		if got, err := s.may(t.Context(), t, r); err != nil || got {
			t.Errorf("%s is allowed: %t, %v", r, got, err)
		}
	}
}

func (s *site) testAggregation(t *testing.T) {
	widgets := right{"get", "example.com", "widgets", shop, "any"}
	if got, err := s.may(t.Context(), t, widgets); err != nil || got {
		t.Fatalf("%s is allowed before it is granted: %t, %v", widgets, got, err)
	}
	if _, err := s.admin.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets-for-mollyguard", Labels: map[string]string{"mollyguard.dev/aggregate-to-reader": "true"}},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"example.com"}, Resources: []string{"widgets"}, Verbs: []string{"get"}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the right to "+widgets.String(), func(ctx context.Context) (bool, error) { return s.may(ctx, t, widgets) })
}

// testUse reads in the audit log what the service account has done: it was refused
// nothing, and there is no right that it did not use.
func (s *site) testUse(t *testing.T, objects []*unstructured.Unstructured) {
	for _, r := range rights(t, objects) {
		if r.verb == "list" {
			// client-go reads lists by watching, and asks for a list only an API
			// server that cannot do that (WatchList).
			continue
		}
		if _, err := s.WaitForAudit(t.Context(), func(e *auditv1.Event) bool { return uses(e, r) }); err != nil {
			t.Errorf("the right to %s was not used: %v", r, err)
		}
	}
	events, err := s.Audit()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.User.Username == account && e.ResponseStatus != nil && slices.Contains([]int32{401, 403}, e.ResponseStatus.Code) {
			t.Errorf("refused: %s %s: %s", e.Verb, e.RequestURI, e.ResponseStatus.Message)
		}
	}
}

func uses(e *auditv1.Event, r right) bool {
	if e.User.Username != account || e.ObjectRef == nil {
		return false
	}
	resource, subresource := r.split()
	return e.Verb == r.verb && (r.group == "*" || e.ObjectRef.APIGroup == r.group) && (resource == "*" || e.ObjectRef.Resource == resource) && e.ObjectRef.Subresource == subresource &&
		(r.namespace == "" || r.namespace == e.ObjectRef.Namespace) && (r.name == "" || r.name == e.ObjectRef.Name)
}
