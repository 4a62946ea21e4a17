package tfplan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

func TestWhatIsSwappedOrWidenedInPlaceIsTold(t *testing.T) {
	rules := func(always, sometimes string) string {
		return `{"spec":[{"rules":[{"enforce":"` + always + `","condition":[]},{"enforce":"` + sometimes + `","condition":[{"expression":"x"}]}]}]}`
	}
	hooks := func(a, b string) string {
		return `{"manifest":{"kind":"ValidatingWebhookConfiguration","metadata":{"name":"x"},"webhooks":[` + a + `,` + b + `]}}`
	}
	bucket := func(condition string) string {
		return `{"lifecycle_rule":[{"action":[{"type":"Delete"}],"condition":[{` + condition + `}]}]}`
	}
	deny := func(protocol, from string) string {
		return `{"deny":[{"protocol":"` + protocol + `","ports":[]}],"source_ranges":["` + from + `"]}`
	}
	s3 := func(prefix string) string {
		return `{"rule":[{"id":"tmp","status":"Enabled","expiration":[{"days":1}],"filter":[{"prefix":"` + prefix + `"}]}]}`
	}
	service := func(selector string) string {
		return `{"manifest":{"kind":"Service","metadata":{"name":"x"},"spec":{"selector":` + selector + `}}}`
	}
	text := func(body string) string { return `{"yaml_body":` + fmt.Sprintf("%q", body) + `}` }
	hook := func(more string) string {
		return `{"metadata":[{"name":"x"}],"webhook":[{"name":"w","failure_policy":"Fail",` + more + `}]}`
	}
	admission := func(kind, spec string) string {
		return `{"manifest":{"apiVersion":"admissionregistration.k8s.io/v1","kind":"` + kind + `","metadata":{"name":"x"},"spec":` + spec + `}}`
	}
	for name, a := range map[string]attempt{
		"an organization policy whose two rules swap": {
			"google_org_policy_policy", rules("TRUE", "FALSE"), rules("FALSE", "TRUE"), operation.Unprotect, "",
			[]string{"the policy is no longer enforced (spec.0.rules.0.enforce: TRUE → FALSE)", "rules of the policy are gone or changed (spec.0.rules: 2 entries → 2 entries)"},
		},
		"two failure policies that swap": {
			"kubernetes_manifest", hooks(`{"name":"a","failurePolicy":"Fail"}`, `{"name":"b","failurePolicy":"Ignore"}`),
			hooks(`{"name":"b","failurePolicy":"Fail"}`, `{"name":"a","failurePolicy":"Ignore"}`), operation.Unprotect, "",
			[]string{"a webhook is gone, or asked otherwise (manifest.webhooks: 2 entries → 2 entries)", "it lets pass what its webhook cannot be asked about (manifest.webhooks.1.failurePolicy: Fail → Ignore)"},
		},
		"a firewall that denies less": {"google_compute_firewall", deny("all", "0.0.0.0/0"), deny("icmp", "0.0.0.0/0"), operation.Unprotect, "", []string{"less is denied (deny: 1 entries → 1 entries)"}},
		"a firewall that denies fewer": {
			"google_compute_firewall", deny("all", "0.0.0.0/0"), deny("all", "10.0.0.1/32"), operation.Unprotect, "", []string{"others are denied (source_ranges: 1 entries → 1 entries)"},
		},
		"a firewall that allows fewer": {
			"google_compute_firewall", `{"allow":[{"protocol":"tcp"}],"deny":[],"source_ranges":["0.0.0.0/0"]}`, `{"allow":[{"protocol":"tcp"}],"deny":[],"source_ranges":["10.0.0.1/32"]}`, "", "", nil,
		},
		"a lifecycle rule that loses its prefix": {
			"google_storage_bucket", bucket(`"age":1,"matches_prefix":["tmp/"]`), bucket(`"age":1,"matches_prefix":[]`), operation.Empty, "",
			[]string{"other objects are deleted by rule (lifecycle_rule.0.condition.0.matches_prefix: 1 entries → 0 entries)"},
		},
		"a lifecycle rule for every state": {
			"google_storage_bucket", bucket(`"with_state":"ARCHIVED"`), bucket(`"with_state":"ANY"`), operation.Empty, "",
			[]string{"other objects are deleted by rule (lifecycle_rule.0.condition.0.with_state: ARCHIVED → ANY)"},
		},
		"a lifecycle rule that moves objects": {
			"google_storage_bucket", strings.ReplaceAll(bucket(`"matches_prefix":["tmp/"]`), "Delete", "SetStorageClass"), strings.ReplaceAll(bucket(`"matches_prefix":[]`), "Delete", "SetStorageClass"), "", "", nil,
		},
		"a lifecycle filter that comes to hold for all": {
			"aws_s3_bucket_lifecycle_configuration", s3("tmp/"), s3(""), operation.Empty, "", []string{"other objects are deleted by rule (rule.0.filter: 1 entries → 1 entries)"},
		},
		"a release that is set to no replicas": {
			"helm_release", `{"name":"x","set":[{"name":"replicaCount","value":"3"}]}`, `{"name":"x","set":[{"name":"replicaCount","value":"0"}]}`, operation.ScaleToZero, "",
			[]string{"it is scaled to zero (set.0.value: 3 → 0)"},
		},
		"a release that is set to no replicas for the first time": {
			"helm_release", `{"name":"x","set":[]}`, `{"name":"x","set":[{"name":"web.replicas","value":"0"}]}`, operation.ScaleToZero, "",
			[]string{"it is scaled to zero (set.0.value: nothing → 0)"},
		},
		"a release that is set to no retries": {
			"helm_release", `{"name":"x","set":[{"name":"retries","value":"3"}]}`, `{"name":"x","set":[{"name":"retries","value":"0"}]}`, "", "", nil,
		},
		"a service for other pods": {"kubernetes_manifest", service(`{"app":"a"}`), service(`{"app":"b"}`), operation.Unprotect, "", []string{"it is about other pods (manifest.spec.selector: 1 entries → 1 entries)"}},
		"a service for no pods":    {"kubernetes_manifest", service(`{"app":"a"}`), service(`{}`), operation.Unprotect, "", []string{"it is about other pods (manifest.spec.selector: 1 entries → 0 entries)"}},
		"a text that is not parsed": {
			"kubectl_manifest", text("{kind: Deployment, metadata: {name: x}, spec: {replicas: 3}}"), text("{kind: Deployment, metadata: {name: x}, spec: {replicas: 0}}"), operation.ScaleToZero, "",
			[]string{"it is scaled to zero (yaml_body_parsed.spec.replicas: 3 → 0)"},
		},
		"a text of a list": {
			"kubectl_manifest", text("{kind: List, items: [{kind: Deployment, spec: {replicas: 3}}]}"), text("{kind: List, items: [{kind: Deployment, spec: {replicas: 0}}]}"), operation.Unprotect, "",
			[]string{"objects of the list change (yaml_body_parsed.items: 1 entries → 1 entries)"},
		},
		"an ingress for another host, which is an ordinary update": {"kubernetes_ingress_v1", `{"spec":[{"rule":[{"host":"a"}]}]}`, `{"spec":[{"rule":[{"host":"b"}]}]}`, "", "", nil},
		"an ingress with fewer rules": {
			"kubernetes_ingress_v1", `{"spec":[{"rule":[{"host":"a"},{"host":"b"}]}]}`, `{"spec":[{"rule":[{"host":"c"}]}]}`, operation.Unprotect, "", []string{"it loses rules (spec.0.rule: 2 entries → 1 entries)"},
		},
		"nodes of a cluster of Bigtable": {
			"google_bigtable_instance", `{"cluster":[{"cluster_id":"a","num_nodes":3}]}`, `{"cluster":[{"cluster_id":"a","num_nodes":4}]}`, "", "", nil,
		},
		"a webhook that is asked about less": {
			"kubernetes_validating_webhook_configuration_v1", hook(`"rule":[{"resources":["*"]}]`), hook(`"rule":[{"resources":["pods"]}]`), operation.Unprotect, "",
			[]string{"a webhook is gone, or asked otherwise (webhook: 1 entries → 1 entries)", "it is asked about other things (webhook.0.rule: 1 entries → 1 entries)"},
		},
		"a webhook that leaves namespaces out": {
			"kubernetes_mutating_webhook_configuration_v1", hook(`"namespace_selector":[]`), hook(`"namespace_selector":[{"match_labels":{"a":"b"}}]`), operation.Unprotect, "",
			[]string{"a webhook is gone, or asked otherwise (webhook: 1 entries → 1 entries)"},
		},
		"a webhook that leaves objects out": {
			"kubernetes_validating_webhook_configuration_v1", hook(`"object_selector":[{}]`), hook(`"object_selector":[{"match_labels":{"a":"b"}}]`), operation.Unprotect, "",
			[]string{"a webhook is gone, or asked otherwise (webhook: 1 entries → 1 entries)", "it is asked about other objects (webhook.0.object_selector: 1 entries → 1 entries)"},
		},
		"a webhook that is somewhere else": {
			"kubernetes_mutating_webhook_configuration_v1", hook(`"client_config":[{"url":"a"}]`), hook(`"client_config":[{"url":"b"}]`), operation.Unprotect, "",
			[]string{"a webhook is gone, or asked otherwise (webhook: 1 entries → 1 entries)", "another server is asked (webhook.0.client_config: 1 entries → 1 entries)"},
		},
		"a mutating webhook that may fail": {
			"kubernetes_mutating_webhook_configuration_v1", hook(`"x":1`), strings.Replace(hook(`"x":1`), "Fail", "Ignore", 1), operation.Unprotect, "",
			[]string{"a webhook is gone, or asked otherwise (webhook: 1 entries → 1 entries)", "it lets pass what its webhook cannot be asked about (webhook.0.failure_policy: Fail → Ignore)"},
		},
		"an admission policy that always passes": {
			"kubernetes_manifest", admission("ValidatingAdmissionPolicy", `{"validations":[{"expression":"object.x == 1"}]}`), admission("ValidatingAdmissionPolicy", `{"validations":[{"expression":"true"}]}`), operation.Unprotect, "",
			[]string{"it checks something else (manifest.spec.validations: 1 entries → 1 entries)"},
		},
		"a binding that only warns": {
			"kubernetes_manifest", admission("ValidatingAdmissionPolicyBinding", `{"validationActions":["Deny"]}`), admission("ValidatingAdmissionPolicyBinding", `{"validationActions":["Warn"]}`), operation.Unprotect, "",
			[]string{"it does less about what it finds (manifest.spec.validationActions: 1 entries → 1 entries)"},
		},
		"a binding for nothing": {
			"kubernetes_manifest", admission("ValidatingAdmissionPolicyBinding", `{}`), admission("ValidatingAdmissionPolicyBinding", `{"matchResources":{"namespaceSelector":{"matchLabels":{"a":"b"}}}}`), operation.Unprotect, "",
			[]string{"it holds for less (manifest.spec.matchResources: nothing → 1 entries)"},
		},
	} {
		t.Run(name, func(t *testing.T) { a.check(t, appliersMapper(t)) })
	}
}

// TestListsWithManyElementsAreReadInOneGo does not end in time where each element is
// looked for among all: three times 60,000 of them.
func TestListsWithManyElementsAreReadInOneGo(t *testing.T) {
	const many = 60_000
	list := func(last string) string {
		var b strings.Builder
		b.WriteByte('[')
		for i := range many {
			fmt.Fprintf(&b, `"a%d",`, i)
		}
		return b.String() + `"` + last + `"]`
	}
	before, same, other := list("last"), list("last"), list("other")
	attempt{
		"google_access_context_manager_service_perimeter",
		`{"status":[{"restricted_services":` + before + `,"resources":` + before + `}],"spec":` + before + `}`,
		`{"status":[{"restricted_services":` + same + `,"resources":` + other + `}],"spec":` + other + `}`,
		operation.Unprotect, "", []string{"projects leave the perimeter (status.0.resources: 60001 entries → 60001 entries)"},
	}.check(t, appliersMapper(t))
}

func TestAListWithTooManyElementsCountsAsShrunk(t *testing.T) {
	list := make([]any, maxElements+1)
	for i := range list {
		list[i] = "a"
	}
	if !shrunk(list, list, nil) {
		t.Error("nobody looked at all of them, and it counts as whole")
	}
	if shrunk(list[:maxElements], list[:maxElements], nil) {
		t.Error("a list of as many as are read counts as shrunk")
	}
}

func TestElementsThatAreNotReadAreTold(t *testing.T) {
	list := func(state string) string {
		var b strings.Builder
		for i := range maxMatches + 1 {
			fmt.Fprintf(&b, `{"action":[{"type":"SetStorageClass"}],"condition":[{"age":%d,"with_state":%q}]},`, i, state)
		}
		return `{"lifecycle_rule":[` + b.String() + `{"action":[{"type":"Delete"}],"condition":[{"with_state":"` + state + `"}]}]}`
	}
	attempt{
		"google_storage_bucket", list("ANY"), list("ANY"), "", "", nil,
	}.check(t, appliersMapper(t))
	m := appliersMapper(t)
	op, judged, err := m.Map(&Change{
		Kind: Planned, Address: "a.b", Type: "google_storage_bucket", Provider: google, Actions: tfjson.Actions{"update"},
		Before: jsontext.Value(list("ARCHIVED")), After: jsontext.Value(list("ANY")),
	}, testWhole())
	if err != nil {
		t.Fatal(err)
	}
	const want = "other objects are deleted by rule (lifecycle_rule.*.condition.0.with_state: there is more than is read)"
	if !judged || !slices.Contains(op.Changes, want) {
		t.Errorf("told is %q", op.Changes)
	}
}

func TestRightsThatComeLaterAreTold(t *testing.T) {
	op, _, err := appliersMapper(t).Map(&Change{
		Kind: Planned, Address: "a.b", Type: "google_project_iam_custom_role", Provider: google, Actions: tfjson.Actions{"update"},
		Before: jsontext.Value(`{"permissions":["a.b.get"]}`), After: jsontext.Value(`{}`), AfterUnknown: jsontext.Value(`{"permissions":true}`),
	}, testWhole())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"rights that are only known after apply are given to whoever has this role"}
	if diff := cmp.Diff(want, op.Changes); diff != "" || op.Target.Widens != "whoever has this role" {
		t.Errorf("widens %q (-want +got)\n%s", op.Target.Widens, diff)
	}
}
