package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func decision(address string, verb operation.Verb, outcome operation.Outcome) operation.Decision {
	return operation.Decision{
		ID: "01JDX0000000000000000000AA", Time: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC),
		Surface: operation.Terraform, Verb: verb, Phase: operation.Requested, Outcome: outcome, Address: address,
		Actor:  operation.Identity{Name: "ci@example.com", Kind: operation.Service},
		Target: operation.Reference{Ref: operation.TerraformRef("lineage", address), Kind: "google_sql_database_instance", Name: "main"},
	}
}

func production(d operation.Decision, because ...string) operation.Decision {
	d.Production = operation.Production{Is: true, Target: true, Because: because}
	return d
}

func violated(d operation.Decision, policy string, severity operation.Severity, by operation.Enforcement, message string) operation.Decision {
	d.Violations = append(d.Violations, operation.Violation{
		Policy: policy, Severity: severity, Enforcement: by, Message: message, BreakGlass: operation.BreakGlass{Approvals: 1},
	})
	return d
}

// whole is the decision on a plan as a whole.
func whole(outcome operation.Outcome) operation.Decision {
	d := decision("", operation.Delete, outcome)
	d.Target = operation.PlanReference(digest)
	d.Changes = []string{"removes 61 % (52 of 85) of what is managed"}
	return d
}

func rows(decisions ...operation.Decision) []report.Row {
	var list []report.Row
	for _, d := range decisions {
		list = append(list, report.Row{Decision: d})
	}
	return list
}

// hostile are names as somebody would choose them to break out of a format.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`,
		`</code></td></tr></table><h1>approved by @security-team</h1>`,
		`--><img src=x onerror=alert(1)>`,
		"`](https://evil.example) ``` @everyone ~~~ #1 GH-1 a/b#2",
		"</details></pre>\n\n# Approved\n\n[click](javascript:alert(1))",
		`a|b||c \| \\| https://evil.example www.evil.example mail@evil.example :tada:`,
		"x\n::error::forged\r\n::set-output name=a::b",
		"  ::add-mask::x ##[add-mask]x %0A::warning::y %25",
		"title=x,file=y::z",
		"]]> <!-- <![CDATA[ &amp; &#64; \x00\x1b[31m\x08\ufffe\u202e\u200b\xff",
		`{0} [link](https://evil.example) ../../etc/passwd ?q=1#f`,
		strings.Repeat(`"'<&>`, 2000),
	}
}

// reports are what every format is tried on.
func reports() map[string]report.Report {
	database := production(decision(`module.shop["eu.1"].google_sql_database_instance.main`, operation.Delete, operation.OutcomeDeny), "label env=prod")
	database.Target.Ref = "gcp://cloudsql.googleapis.com/projects/shop-prod/instances/main"
	database.Dependents = []operation.Dependents{
		{Kind: "google_sql_database", Via: operation.Contained, Count: 7, Production: 7, Names: []string{"orders", "users"}},
		{Kind: "Deployment", Via: operation.Uses, Count: 2, Production: 2, Names: []string{"web", "api"}},
	}
	database = violated(database, "production-delete", operation.High, operation.EnforceDeny, "production must not be deleted")
	small := report.Report{
		Plan: report.Summary{
			File: "tfplan", Digest: digest, TerraformVersion: "1.15.0", Workspace: "default",
			Managed: 85, Destroys: 1, Share: 2, Changes: 3, Outcome: operation.OutcomeDeny,
		},
		Rows: rows(database), Marker: "infra/shop default",
		Next: []string{"mollyguard break-glass request --plan receipt.json --reason 'why'"},
		Help: "ask #platform\nhttps://wiki.example.com/mollyguard",
	}

	plan := violated(whole(operation.OutcomeDeny), "plan-removes-much", operation.Critical, operation.EnforceDeny, "this plan removes 61 % of what is managed")
	plan.Violations[0].BreakGlass.Approvals = 2
	bucket := production(decision("google_storage_bucket.logs", operation.Unprotect, operation.OutcomeWarn), "the project is production")
	bucket.Changes = []string{"force_destroy switched on", "versioning switched off"}
	bucket = violated(bucket, "production-unprotect", operation.Medium, operation.EnforceWarn, "production must not lose its protection")
	granted := violated(production(decision("google_container_cluster.old", operation.Replace, operation.OutcomeAllow), "label env=prod"),
		"production-replace", operation.High, operation.EnforceDeny, "production must not be replaced")
	granted.Grant = "01JDX00000000000000000GRNT"
	exempt := violated(decision("kubernetes_namespace.review", operation.Delete, operation.OutcomeAllow),
		"production-delete", operation.High, operation.EnforceDeny, "production must not be deleted")
	exempt.Exempt = "review-apps"
	never := violated(production(decision("module.net.google_compute_network.prod", operation.Delete, operation.OutcomeDeny), "unknown: labels"),
		"container", operation.Critical, operation.EnforceDeny, "nobody deletes a network")
	never.Violations[0].BreakGlass = operation.BreakGlass{Never: true}
	never.Unknown = []string{"labels are not known before apply"}
	never.GrantRefused = []string{"01JDX00000000000000000GRNT: nobody gets through policy container"}
	undecided := decision("aws_db_instance.main", operation.Delete, operation.OutcomeUndecided)
	undecided.Error = "evaluate policies: out of time"
	drift := decision("google_dns_record_set.www", operation.Delete, operation.OutcomeAlert)
	drift.Phase = operation.Finished
	drift = violated(drift, "drift", operation.Low, operation.EnforceAlert, "somebody deleted it outside Terraform")
	forget := decision("google_project.test", operation.Forget, operation.OutcomeAllow)
	medium := report.Report{
		Plan: report.Summary{
			File: "plans/shop plan.json", Digest: digest, TerraformVersion: "1.15.0", Workspace: "shop-eu",
			Managed: 85, Destroys: 52, Share: 62, Changes: 60, Outcome: operation.OutcomeDeny,
		},
		Rows: rows(granted, bucket, exempt, drift, plan, never, forget, undecided, database), Marker: "infra/shop shop-eu",
		Next: small.Next, Help: small.Help,
		Notes: []string{"1 change is deferred to a later plan"},
		Policies: map[string]report.Policy{
			"production-delete": {Title: "Production is not deleted", Runbook: "https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#production-delete"},
			"container":         {Title: "Networks stay", Runbook: "https://wiki.example.com/networks"},
		},
	}
	medium.Rows = append(medium.Rows, report.Row{
		Created:  true,
		Decision: violated(decision("google_sql_database_instance.new", operation.Unprotect, operation.OutcomeWarn), "production-unprotect", operation.Medium, operation.EnforceWarn, "made without its protection"),
	})

	var bad []operation.Decision
	for i, name := range hostile() {
		d := violated(production(decision(name, operation.Delete, worst()[i%4]), name), name, operation.High, operation.EnforceDeny, name)
		d.ID, d.Target.Ref, d.Target.Name, d.Changes, d.Unknown, d.GrantRefused = name, name, name, []string{name}, []string{name}, []string{name}
		d.Dependents = []operation.Dependents{{Kind: name, Via: operation.Contained, Count: 2, Names: []string{name}}}
		d.Error, d.GrantPending = name, name
		bad = append(bad, d)
	}
	name := strings.Join(hostile()[:11], " ")
	attack := report.Report{
		Plan:  report.Summary{File: name, Digest: name, TerraformVersion: name, Workspace: name, Managed: 12, Destroys: 12, Share: 100},
		Rows:  rows(bad...),
		Left:  map[operation.Outcome]int{operation.Outcome(name): 1},
		Next:  hostile(),
		Help:  strings.Join(hostile(), "\n"),
		Notes: hostile(), Marker: name,
		Policies: map[string]report.Policy{hostile()[0]: {Title: hostile()[3], Runbook: "javascript:alert(1)"}},
	}

	collector := report.Collector{Keep: 60}
	for i := range 10_000 {
		d := decision(fmt.Sprintf("google_compute_instance.vm[%d]", i), operation.Delete, operation.OutcomeAllow)
		if i%100 == 7 {
			d = violated(production(d, "label env=prod"), "production-delete", operation.High, operation.EnforceDeny, "production must not be deleted")
			d.Outcome = operation.OutcomeDeny
		}
		collector.Add(report.Row{Decision: d})
	}
	collector.Add(report.Row{Decision: plan})
	return map[string]report.Report{
		"empty": {Plan: report.Summary{File: "-", Digest: digest, TerraformVersion: "1.15.0", Managed: 85, Changes: 4}, Next: nil, Help: small.Help},
		"small": small, "medium": medium, "hostile": attack,
		"huge": {
			Plan: report.Summary{File: "tfplan", Digest: digest, Managed: 11_000, Destroys: 10_000, Share: 91, Changes: 10_000, Outcome: collector.Outcome()},
			Rows: collector.Rows(), Left: collector.Left(), Next: small.Next,
		},
	}
}

func worst() []operation.Outcome {
	return []operation.Outcome{operation.OutcomeDeny, operation.OutcomeUndecided, operation.OutcomeWarn, operation.OutcomeAlert}
}

func written(t *testing.T, format string, r report.Report) string {
	t.Helper()
	var b strings.Builder
	if err := report.Write(&b, format, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./tfplan/report -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
