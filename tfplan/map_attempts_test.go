package tfplan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// attempt is a change that somebody made to get something past the rules, and what is
// told of it; nothing if it is not judged.
type attempt struct {
	kind, before, after string
	verb                operation.Verb
	widens              string
	changes             []string
}

func (a attempt) check(t *testing.T, m *Mapper) {
	t.Helper()
	actions := tfjson.Actions{"update"}
	if a.before == "null" {
		actions = tfjson.Actions{"create"}
	}
	op, judged, err := m.Map(&Change{
		Kind: Planned, Address: a.kind + ".x", Type: a.kind, Provider: google, Actions: actions,
		Before: jsontext.Value(a.before), After: jsontext.Value(a.after),
	}, testWhole())
	if err != nil {
		t.Fatal(err)
	}
	got := attempt{a.kind, a.before, a.after, "", op.Target.Widens, op.Changes}
	if judged {
		got.verb = op.Verb
	}
	if diff := cmp.Diff(a, got, cmp.AllowUnexported(attempt{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// appliersMapper is for somebody who applies by many names.
func appliersMapper(t testing.TB) *Mapper {
	t.Helper()
	list, err := EmbeddedRules()
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMapper(MapperOptions{Rules: list, Appliers: []string{
		"alice@example.com", "arn:aws:sts::123456789012:assumed-role/deployer/run-7", "system:serviceaccount:ci:deploy",
	}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRightsThatGrowInPlaceAreTold(t *testing.T) {
	const (
		weak, all = `{\"Statement\":[]}`, `{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}`
		everyone  = "whoever has this role"
	)
	object := func(kind, role, subjects string) string {
		return `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"` + kind + `","metadata":{"name":"x"},"roleRef":{"name":"` + role + `"},"subjects":[` + subjects + `]}`
	}
	mine := `{"kind":"ServiceAccount","name":"deploy","namespace":"ci"}`
	role := func(rules string) string { return `{"metadata":[{"name":"x"}],"rule":[` + rules + `]}` }
	reads, god := `{"api_groups":[""],"resources":["pods"],"verbs":["get"]}`, `{"api_groups":["*"],"resources":["*"],"verbs":["*"]}`
	for name, a := range map[string]attempt{
		"the inline policy of the applier's role from nothing to everything": {
			"aws_iam_role_policy", `{"name":"ci","role":"deployer","policy":"{}"}`, `{"name":"ci","role":"deployer","policy":"` + all + `"}`,
			operation.Update, "deployer", []string{"ci is given to deployer on other terms than before"},
		},
		"an inline policy that is written otherwise": {
			"aws_iam_role_policy", `{"name":"ci","role":"deployer","policy":"{\"a\":1, \"b\":2}"}`, `{"name":"ci","role":"deployer","policy":"{\"b\":2,\"a\":1}"}`, "", "", nil,
		},
		"the inline policy of another's role": {
			"aws_iam_role_policy", `{"name":"ci","role":"web","policy":"{}"}`, `{"name":"ci","role":"web","policy":"` + all + `"}`, "", "", nil,
		},
		"an inline block of the applier's role": {
			"aws_iam_role", `{"name":"deployer","inline_policy":[]}`, `{"name":"deployer","inline_policy":[{"name":"a","policy":"` + all + `"}]}`,
			operation.Update, "deployer", []string{"rights are given to deployer on other terms than before"},
		},
		"the applier joins one more group": {
			"aws_iam_user_group_membership", `{"user":"deployer","groups":["a"]}`, `{"user":"deployer","groups":["a","admins"]}`,
			operation.Update, "deployer", []string{"admins is given to deployer"},
		},
		"a managed policy comes to allow everything": {
			"aws_iam_policy", `{"name":"p","policy":"` + weak + `"}`, `{"name":"p","policy":"` + all + `"}`,
			operation.Update, everyone, []string{"* is given to whoever has this role"},
		},
		"a managed policy loses what it denied": {
			"aws_iam_policy", `{"name":"p","policy":"{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"iam:*\"}}"}`, `{"name":"p","policy":"` + weak + `"}`,
			operation.Update, everyone, []string{"what was denied is given to whoever has this role"},
		},
		"a managed policy allows a little more": {
			"aws_iam_policy", `{"name":"p","policy":"` + weak + `"}`, `{"name":"p","policy":"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}]}"}`, "", "", nil,
		},
		"a custom role gains the right to set policies": {
			"google_project_iam_custom_role", `{"role_id":"r","permissions":["a.b.get"]}`, `{"role_id":"r","permissions":["resourcemanager.projects.setIamPolicy","a.b.get"]}`,
			operation.Update, everyone, []string{"resourcemanager.projects.setIamPolicy is given to whoever has this role"},
		},
		"a custom role gains a weak right": {
			"google_project_iam_custom_role", `{"role_id":"r","permissions":["a.b.get"]}`, `{"role_id":"r","permissions":["a.b.list","a.b.get"]}`, "", "", nil,
		},
		"the condition of the applier's role goes": {
			"google_project_iam_member", `{"role":"roles/owner","member":"user:alice@example.com","condition":[{"title":"t","expression":"false"}]}`,
			`{"role":"roles/owner","member":"user:alice@example.com","condition":[]}`,
			operation.Update, "user:alice@example.com", []string{"roles/owner is given to user:alice@example.com on other terms than before"},
		},
		"the condition of a binding in a policy goes": {
			"google_project_iam_policy", `{"policy_data":"{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[\"user:alice@example.com\"],\"condition\":{\"expression\":\"false\"}}]}"}`,
			`{"policy_data":"{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[\"user:alice@example.com\"]}]}"}`,
			operation.Update, "user:alice@example.com", []string{"roles/owner is given to user:alice@example.com on other terms than before"},
		},
		"the mail domain of who applies": {
			"google_project_iam_member", "null", `{"role":"roles/owner","member":"domain:Example.com"}`,
			operation.Update, "domain:Example.com", []string{"roles/owner is given to domain:Example.com"},
		},
		"another domain": {"google_project_iam_member", "null", `{"role":"roles/owner","member":"domain:example.org"}`, "", "", nil},
		"the rules of a cluster role grow": {
			"kubernetes_cluster_role_v1", role(reads), role(reads + "," + god), operation.Update, everyone, []string{"* is given to whoever has this role"},
		},
		"a role may escalate": {
			"kubernetes_role", role(reads), role(`{"api_groups":["rbac.authorization.k8s.io"],"resources":["roles"],"verbs":["get","escalate"]}`),
			operation.Update, everyone, []string{"escalate is given to whoever has this role"},
		},
		"a role may read a little more": {"kubernetes_role", role(reads), role(strings.Replace(reads, "pods", "services", 1)), "", "", nil},
		"rules in another order":        {"kubernetes_role", role(god + "," + reads), role(reads + "," + god), "", "", nil},
		"everybody who has logged in": {
			"kubernetes_cluster_role_binding", "null", `{"role_ref":[{"name":"cluster-admin"}],"subject":[{"kind":"Group","name":"system:authenticated"}]}`,
			operation.Update, "everybody", []string{"cluster-admin is given to everybody"},
		},
		"everybody who has not": {
			"kubernetes_cluster_role_binding_v1", "null", `{"role_ref":[{"name":"cluster-admin"}],"subject":[{"kind":"Group","name":"system:unauthenticated"}]}`,
			operation.Update, "everybody", []string{"cluster-admin is given to everybody"},
		},
		"every service account": {
			"kubernetes_cluster_role_binding", "null", `{"role_ref":[{"name":"cluster-admin"}],"subject":[{"kind":"Group","name":"system:serviceaccounts"}]}`,
			operation.Update, "everybody", []string{"cluster-admin is given to everybody"},
		},
		"every service account of the applier's namespace": {
			"kubernetes_cluster_role_binding", "null", `{"role_ref":[{"name":"god"}],"subject":[{"kind":"Group","name":"system:serviceaccounts:ci"}]}`,
			operation.Update, "system:serviceaccounts:ci", []string{"god is given to system:serviceaccounts:ci"},
		},
		"the weakest role to everybody": {
			"kubernetes_cluster_role_binding", "null", `{"role_ref":[{"name":"view"}],"subject":[{"kind":"Group","name":"system:authenticated"}]}`, "", "", nil,
		},
		"a binding as a manifest": {
			"kubernetes_manifest", "null", `{"manifest":` + object("ClusterRoleBinding", "cluster-admin", mine) + `}`,
			operation.Update, "system:serviceaccount:ci:deploy", []string{"cluster-admin is given to system:serviceaccount:ci:deploy"},
		},
		"a binding as a text": {
			"kubectl_manifest", "null", `{"yaml_body_parsed":` + fmt.Sprintf("%q", object("RoleBinding", "admin", mine)) + `}`,
			operation.Update, "system:serviceaccount:ci:deploy", []string{"admin is given to system:serviceaccount:ci:deploy"},
		},
		"a role as a manifest": {
			"kubernetes_manifest", `{"manifest":{"kind":"ClusterRole","metadata":{"name":"x"},"rules":[]}}`,
			`{"manifest":{"kind":"ClusterRole","metadata":{"name":"x"},"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}}`,
			operation.Update, everyone, []string{"* is given to whoever has this role"},
		},
	} {
		t.Run(name, func(t *testing.T) { a.check(t, appliersMapper(t)) })
	}
}
