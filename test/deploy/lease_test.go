package deploy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

func TestTheComponentForTheLeaseGivesThatRightAndNoOther(t *testing.T) {
	folder := t.TempDir()
	component, err := filepath.Abs(root + "/deploy/components/audit-lease")
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(folder, component)
	if err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: " + namespace + "\ncomponents:\n  - " + relative + "\n"
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	for _, role := range all[rbacv1.Role](t, render(t, folder), "Role") {
		if role.Namespace != namespace {
			t.Errorf("role %s is in %q", role.Name, role.Namespace)
		}
		rules = append(rules, role.Rules...)
	}
	// The name is what cmd/mollyguard calls the lease of those who read.
	want := []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{"mollyguard-audit"}, Verbs: []string{"get", "update"}}}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}
