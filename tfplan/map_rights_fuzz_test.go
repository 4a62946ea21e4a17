package tfplan

import (
	"testing"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzNothingIsToldOfWhatStays maps a change in which nothing changes, for types whose
// values have policies, bindings, rules and lists.
func FuzzNothingIsToldOfWhatStays(f *testing.F) {
	f.Add(uint8(0), `{"policy":"{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\"},{\"NotAction\":\"a\"}]}"}`)
	f.Add(uint8(1), `{"policy_data":"{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[\"allUsers\"],\"condition\":{}}]}"}`)
	f.Add(uint8(2), `{"rule":[{"verbs":["*"]},{"verbs":["*"]},"*"]}`)
	f.Add(uint8(3), `{"yaml_body":"{kind: List, items: [1], rules: [\"*\"], subjects: [{kind: Group, name: \"system:authenticated\"}]}"}`)
	f.Add(uint8(4), `{"lifecycle_rule":{"0":{"action":[{"type":"Delete"}]},"a":[1,1]}}`)
	f.Add(uint8(5), `{"webhook":[{"name":"a","failure_policy":"Ignore"},{"name":"a"},{}]}`)
	f.Add(uint8(6), `{"set":[{"name":"replicas","value":"0"},{"name":"replicas","value":0}]}`)
	kinds := []string{
		"aws_iam_policy", "google_project_iam_policy", "kubernetes_cluster_role", "kubectl_manifest", "google_storage_bucket",
		"kubernetes_validating_webhook_configuration", "helm_release", "aws_iam_group_policy", "google_project_iam_custom_role",
	}
	m := testMapper(f)
	w := testWhole()
	f.Fuzz(func(t *testing.T, kind uint8, values string) {
		op, judged, err := m.Map(&Change{
			Kind: Planned, Address: "a.b", Type: kinds[int(kind)%len(kinds)], Name: "b", Provider: google,
			Actions: tfjson.Actions{"update"}, Before: jsontext.Value(values), After: jsontext.Value(values),
		}, w)
		if err != nil || len(values) == 0 || jsontext.Value(values).Kind() != '{' {
			return
		}
		if judged {
			t.Errorf("%v is told of what does not change", op.Changes)
		}
		checkTexts(t, &op)
	})
}
