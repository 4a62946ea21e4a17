package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/applier"
)

// recordsOf reads what -o json printed.
func recordsOf(t *testing.T, text string) []operation.Decision {
	t.Helper()
	var list []operation.Decision
	for line := range strings.Lines(text) {
		var d operation.Decision
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		list = append(list, d)
	}
	return list
}

// planConfig is of a pipeline of which it is known which cluster it works in.
const planConfig = `apiVersion: config.mollyguard.dev/v1alpha1
kind: Configuration
terraform:
  appliers: [deployer@prod-shop.iam.gserviceaccount.com]
  clusters:
  - {name: prod-eu, contexts: [gke_prod_eu]}
  - {name: test, contexts: [gke_test]}
agents: [".*-bot"]
`

func TestPlanRecordsAreWholeAndTheSameAsOnOtherSurfaces(t *testing.T) {
	const deployer = "serviceAccount:deployer@prod-shop.iam.gserviceaccount.com"
	metadata := []any{object{"name": "web", "namespace": "shop", "labels": object{"env": "prod"}}}
	providers := object{"configuration": object{
		"provider_config": object{
			"kubernetes": object{"name": "kubernetes", "full_name": "registry.terraform.io/hashicorp/kubernetes", "expressions": object{"config_context": object{"constant_value": "gke_prod_eu"}}},
			"kubernetes.test": object{"name": "kubernetes", "full_name": "registry.terraform.io/hashicorp/kubernetes", "alias": "test",
				"expressions": object{"config_context": object{"constant_value": "gke_test"}}},
		},
		"root_module": object{"resources": []any{
			object{"address": "kubernetes_deployment.web", "mode": "managed", "type": "kubernetes_deployment", "name": "web", "provider_config_key": "kubernetes"},
			object{"address": "kubernetes_deployment.dev", "mode": "managed", "type": "kubernetes_deployment", "name": "dev", "provider_config_key": "kubernetes.test"},
			object{"address": "kubernetes_namespace.web", "mode": "managed", "type": "kubernetes_namespace", "name": "web", "provider_config_key": "kubernetes"},
			object{"address": "kubernetes_namespace.dev", "mode": "managed", "type": "kubernetes_namespace", "name": "dev", "provider_config_key": "kubernetes.test"},
		}},
	}}
	shop := []any{object{"name": "shop", "labels": object{"team": "web"}}}
	namespace := object{"before": object{"metadata": shop}, "after": object{"metadata": shop, "timeouts": object{}}}
	plan := planOf(t, 8, providers,
		// The one that applies is made owner of everything: nobody could stop it any more.
		changeOf("google", "google_project_iam_member", "self", []string{"create"}, object{
			"after": object{"project": "prod-shop", "role": "roles/owner", "member": deployer}, "after_unknown": object{"id": true}, "after_sensitive": object{},
		}),
		// Somebody else is, which is for other guards.
		changeOf("google", "google_project_iam_member", "other", []string{"create"}, object{
			"after": object{"project": "prod-shop", "role": "roles/owner", "member": "user:carol@example.com"}, "after_unknown": object{"id": true}, "after_sensitive": object{},
		}),
		// And it may read a bit more.
		changeOf("google", "google_project_iam_member", "weak", []string{"create"}, object{
			"after": object{"project": "prod-shop", "role": "roles/browser", "member": deployer}, "after_unknown": object{"id": true}, "after_sensitive": object{},
		}),
		// An object of Kubernetes is the same as on the way through the API server.
		changeOf("kubernetes", "kubernetes_deployment", "web", []string{"delete"}, object{
			"before": object{"metadata": metadata, "spec": []any{object{"replicas": "3"}}}, "before_sensitive": object{},
		}),
		changeOf("kubernetes", "kubernetes_deployment", "dev", []string{"delete"}, object{
			"before": object{"metadata": []any{object{"name": "dev", "namespace": "shop", "labels": object{"env": "dev"}}}}, "before_sensitive": object{},
		}),
		// Their namespaces, which make nothing in them production.
		changeOf("kubernetes", "kubernetes_namespace", "web", []string{"update"}, namespace),
		changeOf("kubernetes", "kubernetes_namespace", "dev", []string{"update"}, namespace),
	)
	got := runs(t, "plan", "check", plan, "--dir", t.TempDir(), "--workspace", "default", "--config", fileWith(t, "mollyguard.yaml", planConfig), "--applier", "release-bot", "-o", "json")
	if got.Code != exitDenied || got.Err != "" {
		t.Fatalf("exit code %d: %s", got.Code, got.Err)
	}
	records := recordsOf(t, got.Out)
	if len(records) == 0 {
		t.Fatal("nothing was told")
	}
	digest := records[0].Source.UID
	via := "terraform/1.14.0"
	if ci := applier.Detect(applier.Options{}).Via; ci != "" { // where these tests run
		via += " in " + ci
	}
	common := operation.Decision{
		Surface: operation.Terraform, Verb: operation.Delete, Phase: operation.Requested, Outcome: operation.OutcomeAllow,
		Actor:  operation.Identity{Name: "release-bot", Kind: operation.Agent, Via: via},
		Source: operation.Source{UID: digest, Log: plan},
	}
	record := func(change func(*operation.Decision)) operation.Decision {
		d := common
		change(&d)
		return d
	}
	want := []operation.Decision{
		record(func(d *operation.Decision) {
			d.Target = operation.PlanReference(digest)
			d.Changes = []string{"removes 25 % (2 of 8) of what is managed"}
		}),
		record(func(d *operation.Decision) {
			d.Address = "google_project_iam_member.self"
			d.Verb, d.Outcome, d.Project = operation.Update, operation.OutcomeDeny, "prod-shop"
			d.Target = operation.Reference{Ref: "terraform://default/google_project_iam_member.self", Kind: "IAMBinding", Name: "roles/owner"}
			d.Changes = []string{"roles/owner is given to " + deployer}
			d.Violations = []operation.Violation{{
				Policy: "applier-widened", Severity: operation.High, Enforcement: operation.EnforceDeny,
				Message:    "the plan gives more rights to whoever applies it (" + deployer + ")",
				BreakGlass: operation.BreakGlass{Approvals: 1},
			}}
		}),
		record(func(d *operation.Decision) {
			d.Address = "kubernetes_deployment.web"
			d.Outcome = operation.OutcomeDeny
			d.Target = operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web"}
			d.Production = operation.Production{Is: true, Target: true, Because: []string{"label env=prod"}}
			d.Violations = []operation.Violation{{
				Policy: "production-delete", Severity: operation.High, Enforcement: operation.EnforceDeny,
				Message: "production must not be deleted", BreakGlass: operation.BreakGlass{Approvals: 1},
			}}
		}),
		record(func(d *operation.Decision) {
			d.Address = "kubernetes_deployment.dev"
			d.Target = operation.Reference{Ref: "k8s://test/apps/deployments/shop/dev", Kind: "Deployment", Namespace: "shop", Name: "dev"}
		}),
	}
	if diff := cmp.Diff(want, records, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(operation.Decision{}, "ID", "Time")); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, d := range records {
		if d.ID == "" || d.Time.IsZero() || seen[d.ID] {
			t.Errorf("no id or time of its own: %s", fmt.Sprint(d))
		}
		seen[d.ID] = true
	}
}
