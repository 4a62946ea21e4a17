package tfplan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

func FuzzMap(f *testing.F) {
	f.Add(uint8(0), "delete", sqlBefore, "null", "{}", "{}")
	f.Add(uint8(1), "update", `{"manifest":{"kind":"Deployment","metadata":{"name":"a"},"spec":{"replicas":1}}}`, `{"manifest":{"spec":{"replicas":0}}}`, "", "true")
	f.Add(uint8(2), "update", `{"yaml_body":"a: &a [*a]"}`, `{"yaml_body":"{kind: x}"}`, `{"yaml_body":true}`, "")
	f.Add(uint8(3), "create", "null", `{"policy_data":"{\"bindings\":[{\"members\":[\"allUsers\"]}]}"}`, `true`, "")
	f.Add(uint8(4), "update", `{"lifecycle_rule":[{"action":[{"type":"A"}]}],"labels":{"env":"prod"}}`, `{"lifecycle_rule":{"planted-hunter2":{"action":{"type":"Delete"}}}}`, "", `true`)
	f.Add(uint8(5), "delete,create", `{"input":{"env":"prod","password":"planted-hunter2"}}`, `{}`, "", "")
	kinds := []string{
		"google_sql_database_instance", "kubernetes_manifest", "kubectl_manifest", "google_project_iam_policy",
		"google_storage_bucket", "terraform_data", "acme_thing", "helm_release", "google_kms_crypto_key", "google_iam_deny_policy",
	}
	m := strictMapper(f, func(o *MapperOptions) {
		o.Rules = append(o.Rules, Rules{Providers: []string{"google"}, FoldLabels: true})
	})
	w := testWhole()
	w.namespaces = namespaces{{cluster: "prod-eu", name: "shop"}: {labels: map[string]string{"env": "prod"}}}
	f.Fuzz(func(t *testing.T, kind uint8, actions, before, after, unknown, sensitive string) {
		c := &Change{
			Kind: Planned, Address: "a.b", Type: kinds[int(kind)%len(kinds)], Name: "b", Provider: google,
			Before: jsontext.Value(before), After: jsontext.Value(after), AfterUnknown: jsontext.Value(unknown),
			BeforeSensitive: jsontext.Value(sensitive), AfterSensitive: jsontext.Value(sensitive),
		}
		for one := range strings.SplitSeq(actions, ",") {
			c.Actions = append(c.Actions, tfjson.Action(one))
		}
		if kind >= 128 {
			c.PreviousAddress = "module.prod.a.b"
		}
		op, judged, err := m.Map(c, w)
		again, judgedAgain, errAgain := m.Map(c, w)
		if diff := cmp.Diff(op, again); diff != "" || judged != judgedAgain || (err == nil) != (errAgain == nil) {
			t.Fatalf("it reads otherwise the second time: %v\n%s", errAgain, diff)
		}
		if err != nil {
			return
		}
		if c.Destroys() && !judged {
			t.Error("it destroys, and is not judged")
		}
		if c.PreviousAddress != "" && !judged {
			t.Error("it moves out of production, and is not judged")
		}
		if op.Target.Ref == "" || op.Target.Kind == "" || op.Phase == "" || op.Target.Within == "" {
			t.Errorf("half an operation: %+v", op)
		}
		for _, verb := range op.Verbs() {
			if !slices.Contains(verb.Values(), string(verb)) {
				t.Errorf("verb %q", verb)
			}
		}
		if len(op.Target.Labels) > 2*maxLabels || len(op.Changes) > maxChanges || len(op.Unknown) > maxUnknown {
			t.Errorf("too much: %d, %d, %d", len(op.Target.Labels), len(op.Changes), len(op.Unknown))
		}
		checkTexts(t, &op)
		if sensitive == "true" {
			text, err := json.Marshal(op)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), planted) {
				t.Errorf("it tells a secret: %s", text)
			}
		}
	})
}

// checkTexts reports texts that could forge a line or are too long.
func checkTexts(t *testing.T, op *operation.Operation) {
	t.Helper()
	texts := append(slices.Clone(op.Changes), op.Unknown...)
	for key, value := range op.Target.Labels {
		texts = append(texts, key, value)
	}
	target := op.Target
	texts = append(texts, target.Name, target.Ref, target.Project, target.Location, target.Namespace, target.Kind, target.Group, target.Resource, target.Widens)
	for _, text := range texts {
		if operation.Printable(text) != text || len(text) > 3*maxName {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
}

func TestAnInvokedActionIsUnknown(t *testing.T) {
	op, judged, err := testMapper(t).Map(&Change{
		Kind: Invoked, Address: "action.aws_lambda_invoke.wipe", Type: "aws_lambda_invoke", Name: "wipe",
		Provider: "registry.terraform.io/hashicorp/aws", Actions: tfjson.Actions{Invoke},
	}, testWhole())
	if err != nil || !judged {
		t.Fatalf("%t, %v", judged, err)
	}
	want := operation.Operation{
		Surface: operation.Terraform, Verb: operation.Unknown, Phase: operation.Requested,
		Plan: operation.Plan{Workspace: "default", Managed: 10, Destroys: 2, Share: 20},
		Target: operation.Target{
			Reference: operation.Reference{Ref: "terraform://lineage-1/action.aws_lambda_invoke.wipe", Kind: "aws_lambda_invoke", Name: "wipe"},
			Resource:  "aws_lambda_invoke", Address: "action.aws_lambda_invoke.wipe", Within: testWhole().Plan.Ref,
		},
		Changes: []string{"the provider's action aws_lambda_invoke is invoked"}, Unknown: []string{"what the action does"},
	}
	if diff := cmp.Diff(want, op); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
