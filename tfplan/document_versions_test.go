package tfplan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"
)

// What this Terraform does not write here: made by hand after its documentation and
// hashicorp/terraform-json.
const synthetic = "\uFEFF" + ` {
	"format_version": "1.3", "terraform_version": "1.14.0", "a_new_member": [{"x": [1]}, "y"],
	"resource_drift": [
		{"address": "a.gone", "mode": "managed", "type": "a", "change": {"actions": ["delete"], "before": {"x": 1}, "after": null}}
	],
	"deferred_changes": [
		{"reason": "instance_count_unknown", "resource_change": {"address": "a.b[*]", "mode": "managed", "type": "a",
			"action_reason": "lost", "change": {"actions": ["create"], "importing": {"unknown": true}}}}
	],
	"deferred_action_invocations": [
		{"reason": "deferred_prereq", "action_invocation": {"address": "action.c.d", "type": "c"}}
	],
	"action_invocations": [
		{"address": "action.c.d", "type": "c", "name": "d", "provider_name": "x/y/c", "config_values": {"run": "rm"},
			"config_sensitive": {"run": true}, "config_unknown": {}, "lifecycle_action_trigger":
			{"triggering_resource_address": "a.b", "action_trigger_event": "AfterDestroy", "action_trigger_block_index": 0}}
	],
	"resource_changes" : [
		{"\u0061ddress": "a.b[\"\u00e9\"]", "mode": "managed", "type": "a", "change": {"actions": ["create", "forget"]}},
		{"address": "a.new", "mode": "managed", "type": "a", "change": {"actions": ["transmogrify"]}},
		{"address": "a.id", "mode": "managed", "type": "a", "change": {"actions": ["no-op"], "importing": {"identity": {"k": 1}}}},
		{"address": "data.a.b", "mode": "data", "type": "a", "change": {"actions": ["read"]}},
		{"address": "data.a.c", "mode": "data", "type": "a", "change": {"actions": ["no-op"]}},
		{"address": "data.a.d", "mode": "data", "type": "a", "change": {"actions": ["delete"]}}
	],
	"prior_state": {"format_version": "1.0", "values": {"root_module": {
		"resources": [{"address": "data.a.b", "mode": "data", "type": "a", "name": "b", "values": {}}],
		"child_modules": [{"address": "module.m", "child_modules": [{"resources": [
			{"address": "module.m.module.n.a.b", "mode": "managed", "type": "a", "name": "b", "provider_name": "x/y/a", "values": {"x": 1}, "sensitive_values": {"x": true}},
			{"address": "module.m.module.n.a.b", "mode": "managed", "type": "a", "deposed_key": "00000001"}
		]}]}]}}},
	"configuration": {
		"root_module": {
			"resources": [
				{"address": "google_x.a", "type": "google_x", "provider_config_key": "google"},
				{"address": "google_x.b", "type": "google_x", "provider_config_key": "google.eu"},
				{"address": "google_x.c", "type": "google_x", "provider_config_key": "local"}
			],
			"module_calls": {"m": {"expressions": {}, "module": {"resources": [
				{"address": "helm_release.r", "provider_config_key": "module.m:helm"}
			]}}}
		},
		"provider_config": {
			"google": {"name": "google", "full_name": "registry.terraform.io/hashicorp/google", "expressions": {
				"project": {"constant_value": "shop-prod"}, "region": {"references": ["var.region"]},
				"credentials": {"constant_value": "s3cr3t"}}},
			"google.eu": {"name": "google", "alias": "eu", "full_name": "registry.terraform.io/hashicorp/google"},
			"local": {"name": "local", "full_name": "registry.terraform.io/hashicorp/google"},
			"aws": {"full_name": "registry.terraform.io/hashicorp/aws", "expressions": {
				"allowed_account_ids": {"constant_value": ["1", "2"]},
				"assume_role": [{"role_arn": {"constant_value": "arn:aws:iam::1:role/x"}, "external_id": {"constant_value": "s3cr3t"}}]}},
			"module.m:helm": {"full_name": "registry.terraform.io/hashicorp/helm", "expressions": {
				"kubernetes": [{"config_context": {"constant_value": "prod"}, "token": {"constant_value": "s3cr3t"}}]}},
			"kubernetes": {"full_name": "registry.terraform.io/hashicorp/kubernetes", "expressions": {
				"kubernetes": {"constant_value": {"host": "https://1.2.3.4", "password": "s3cr3t"}}}}
		}
	},
	"variables": {"b": {"value": 1.0}, "a": {"value": {"y": null, "x": "\u00e9"}}, "none": {}},
	"complete": false
}
`

func TestWhatOtherVersionsWriteIsReadToo(t *testing.T) {
	d, changes, state, err := readAll(t.Context(), []byte(synthetic))
	if err != nil {
		t.Fatal(said(err))
	}
	null, no := jsontext.Value("null"), jsontext.Value("false")
	plain := func(c Change) Change {
		for _, v := range []*jsontext.Value{&c.Before, &c.After} {
			if *v == nil {
				*v = null
			}
		}
		for _, v := range []*jsontext.Value{&c.AfterUnknown, &c.BeforeSensitive, &c.AfterSensitive} {
			if *v == nil {
				*v = no
			}
		}
		return c
	}
	if diff := cmp.Diff([]Change{
		plain(Change{Kind: Planned, Address: `a.b["é"]`, Mode: "managed", Type: "a", Actions: tfjson.Actions{"create", "forget"}}),
		plain(Change{Kind: Planned, Address: "a.new", Mode: "managed", Type: "a", Actions: tfjson.Actions{"transmogrify"}}),
		plain(Change{Kind: Planned, Address: "a.id", Mode: "managed", Type: "a", Actions: tfjson.Actions{"no-op"}, Importing: `identity {"k": 1}`}),
		plain(Change{Kind: Planned, Address: "data.a.d", Mode: "data", Type: "a", Actions: tfjson.Actions{"delete"}}),
		plain(Change{Kind: Drift, Address: "a.gone", Mode: "managed", Type: "a", Actions: tfjson.Actions{"delete"}, Before: jsontext.Value(`{"x": 1}`)}),
		plain(Change{Kind: Deferred, Address: "a.b[*]", Mode: "managed", Type: "a", Actions: tfjson.Actions{"create"}, Reason: "instance_count_unknown", Importing: "unknown"}),
		plain(Change{
			Kind: Invoked, Address: "action.c.d", Type: "c", Name: "d", Provider: "x/y/c", Actions: tfjson.Actions{Invoke},
			Reason: "AfterDestroy", Trigger: "a.b",
			After: jsontext.Value(`{"run": "rm"}`), AfterSensitive: jsontext.Value(`{"run": true}`), AfterUnknown: jsontext.Value(`{}`),
		}),
		plain(Change{Kind: Deferred, Address: "action.c.d", Type: "c", Actions: tfjson.Actions{Invoke}, Reason: "deferred_prereq"}),
	}, changes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Resource{
		{Address: "data.a.b", Type: "a", Name: "b", Mode: "data", Values: jsontext.Value("{}"), Sensitive: no},
		{Address: "module.m.module.n.a.b", Type: "a", Name: "b", Provider: "x/y/a", Mode: "managed", Values: jsontext.Value(`{"x": 1}`), Sensitive: jsontext.Value(`{"x": true}`)},
		{Address: "module.m.module.n.a.b", Type: "a", Deposed: "00000001", Mode: "managed", Values: null, Sensitive: no},
	}, state); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Head{
		FormatVersion: "1.3", TerraformVersion: "1.14.0", Deferred: 2, Managed: 1, Changes: 6, Destroys: 2,
		Variables: digestOf(`{"a":{"x":"é","y":null},"b":1,"none":null}`),
		Providers: map[string]map[string]string{
			"google": {"project": "shop-prod"}, "google.eu": {}, "local": {},
			"aws":           {"allowed_account_ids": "1,2", "role_arn": "arn:aws:iam::1:role/x"},
			"module.m:helm": {"config_context": "prod"}, "kubernetes": {"host": "https://1.2.3.4"},
		},
		Configurations: map[string][]string{
			"registry.terraform.io/hashicorp/google": {"google", "google.eu", "local"}, "registry.terraform.io/hashicorp/aws": {"aws"},
			"registry.terraform.io/hashicorp/helm": {"module.m:helm"}, "registry.terraform.io/hashicorp/kubernetes": {"kubernetes"},
		},
		ProviderOf: map[string]string{
			"google_x.a": "google", "google_x.b": "google.eu", "google_x.c": "local", "module.m.helm_release.r": "module.m:helm",
		},
		Provisioned: map[string]bool{},
	}, d.Head()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(digestOf(synthetic), d.Digest()); diff != "" {
		t.Error(diff)
	}
}

func TestAPlanOfTerraformOneZeroIsReadThoughItsFormatSaysZeroTwo(t *testing.T) {
	text := `{"format_version":"0.2","terraform_version":"1.0.11","planned_values":{}}`
	d, _, _, err := readAll(t.Context(), []byte(text))
	if err != nil {
		t.Fatal(said(err))
	}
	if diff := cmp.Diff(Head{FormatVersion: "0.2", TerraformVersion: "1.0.11", Complete: true, CompleteAssumed: true, Variables: emptyVariables}, d.Head()); diff != "" {
		t.Error(diff)
	}
}
