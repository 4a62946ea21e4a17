package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/tfplan/report"
)

// hunter is planted wherever a plan can hold a secret. Its parts are looked for, too: what
// is clipped is as good as told.
const hunter = "hunter2-correct-horse"

// object is a JSON object.
type object = map[string]any

// changeOf is an entry of resource_changes, as Terraform writes it.
func changeOf(provider, kind, name string, actions []string, change object) object {
	change["actions"] = actions
	for _, side := range []string{"before", "after"} {
		if _, ok := change[side]; !ok {
			change[side] = nil
		}
	}
	return object{
		"address": kind + "." + name, "mode": "managed", "type": kind, "name": name,
		"provider_name": "registry.terraform.io/hashicorp/" + provider, "change": change,
	}
}

// planOf is a plan's JSON, with a prior state as large as is said.
func planOf(t *testing.T, managed int, more object, changes ...object) string {
	t.Helper()
	resources := make([]object, managed)
	for i := range resources {
		resources[i] = object{
			"address": "terraform_data.rest[" + string(rune('0'+i)) + "]", "mode": "managed", "type": "terraform_data", "name": "rest", "index": i,
			"provider_name": "terraform.io/builtin/terraform", "schema_version": 0, "values": object{}, "sensitive_values": object{},
		}
	}
	plan := object{
		"format_version": "1.2", "terraform_version": "1.14.0", "complete": true, "errored": false, "resource_changes": changes,
		"prior_state": object{"format_version": "1.0", "terraform_version": "1.14.0", "values": object{"root_module": object{"resources": resources}}},
	}
	for key, value := range more {
		plan[key] = value
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	return fileWith(t, "plan.json", string(text))
}

func fileWith(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlanSecretsAreInNoOutputNorInTheReceipt(t *testing.T) {
	folder := t.TempDir()
	// All of these are refused, so that all that is told of them is.
	changes := []object{
		// Marked as sensitive by the provider, and by nothing but that.
		changeOf("google", "google_sql_database_instance", "marked", []string{"update"}, object{
			"before":           object{"name": "marked", "project": "shop", "deletion_protection": true, "settings": []any{object{"tier": hunter, "user_labels": object{"env": "prod", "owner": hunter}}}, "connection": hunter},
			"after":            object{"name": "marked", "project": "shop", "deletion_protection": false, "settings": []any{object{"tier": hunter + "-new", "user_labels": object{"env": "dev", "owner": hunter}}}, "connection": hunter + "-new"},
			"before_sensitive": object{"connection": true, "settings": []any{object{"tier": true, "user_labels": object{"owner": true}}}},
			"after_sensitive":  object{"connection": true, "settings": []any{object{"tier": true, "user_labels": object{"owner": true}}}},
			"after_unknown":    object{},
		}),
		// Marked by nobody: known by name, deep down.
		changeOf("google", "google_sql_user", "named", []string{"delete", "create"}, object{
			"before":           object{"name": "app", "instance": "orders", "project": "shop", "password": hunter, "labels": object{"env": "prod"}, "nested": []any{object{"auth": object{"client_secret": hunter, "api_key": hunter}}}},
			"after":            object{"name": "app", "instance": "orders", "project": "shop", "password": hunter + "-new", "labels": object{"env": "prod"}, "nested": []any{object{"auth": object{"client_secret": hunter + "-new", "api_key": hunter}}}},
			"replace_paths":    []any{[]any{"password"}, []any{"nested", 0, "auth", "client_secret"}},
			"before_sensitive": object{}, "after_sensitive": object{}, "after_unknown": object{},
		}),
		// The whole of it is sensitive.
		changeOf("google", "google_secret_manager_secret_version", "whole", []string{"delete"}, object{
			"before": object{"secret": "projects/shop/secrets/orders", "secret_data": hunter, "labels": object{"env": "prod"}}, "before_sensitive": true,
		}),
		// Data of a Kubernetes Secret, of which a key goes.
		changeOf("kubernetes", "kubernetes_secret", "data", []string{"update"}, object{
			"before":           object{"metadata": []any{object{"name": "db", "namespace": "shop", "labels": object{"env": "prod"}}}, "data": object{"url": hunter, "dsn": hunter}},
			"after":            object{"metadata": []any{object{"name": "db", "namespace": "shop", "labels": object{"env": "prod"}}}, "data": object{}},
			"before_sensitive": object{"data": true}, "after_sensitive": object{"data": true}, "after_unknown": object{},
		}),
		// Labels that decide, and are sensitive: what is in them is not told either.
		changeOf("google", "google_storage_bucket", "labels", []string{"delete"}, object{
			"before": object{"name": "orders", "project": "shop", "labels": object{"env": "prod", "api_token": hunter, "note": hunter}}, "before_sensitive": object{"labels": object{"note": true}},
		}),
	}
	variable := object{
		"variables": object{"db_password": object{"value": hunter}, "anything": object{"value": hunter}},
		"configuration": object{"provider_config": object{"google": object{"name": "google", "full_name": "registry.terraform.io/hashicorp/google", "expressions": object{
			"credentials": object{"constant_value": hunter}, "access_token": object{"constant_value": hunter}, "project": object{"constant_value": "shop"},
		}}}, "root_module": object{}},
		"output_changes": object{"dsn": object{"actions": []string{"update"}, "before": hunter, "after": hunter + "-new", "before_sensitive": true, "after_sensitive": true}},
	}
	plan := planOf(t, 9, variable, changes...)
	receipt := filepath.Join(folder, "receipt.json")
	log := filepath.Join(folder, "decisions.jsonl")
	config := fileWith(t, "mollyguard.yaml", "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\ndecisionLog: {path: "+log+"}\n")
	told := map[string]string{}
	for _, format := range report.Formats() {
		got := runs(t, "plan", "check", plan, "--dir", folder, "--workspace", "default", "--config", config, "--receipt", receipt, "-o", format)
		if got.Code != exitDenied {
			t.Fatalf("%s: exit code %d, want %d: %s", format, got.Code, exitDenied, got.Err)
		}
		if !strings.Contains(got.Out, "google_sql_user.named") {
			t.Errorf("%s does not tell of google_sql_user.named:\n%s", format, got.Out)
		}
		told[format], told[format+" (standard error)"] = got.Out, got.Err
	}
	for name, path := range map[string]string{"the receipt": receipt, "the decision log": log} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		told[name] = string(text)
	}
	for where, text := range told {
		for _, part := range []string{"hunter2", "correct-horse"} {
			if at := strings.Index(text, part); at >= 0 {
				t.Errorf("%s has the secret: …%s…", where, text[max(0, at-200):min(len(text), at+40)])
			}
		}
	}
}
