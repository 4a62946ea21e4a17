package report_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// uploaded is what GitHub reads of SARIF.
type uploaded struct {
	Runs []struct {
		AutomationDetails struct{ ID string }
		Tool              struct {
			Driver struct {
				Name  string
				Rules []struct {
					ID                                      string
					ShortDescription, FullDescription, Help struct{ Text string }
					HelpURI                                 string
					DefaultConfiguration                    struct{ Level string }
					Properties                              map[string]any
				}
			}
		}
		Invocations []struct {
			ToolExecutionNotifications []struct{ Message struct{ Text string } }
		}
		Results []uploadedResult
	}
}

type uploadedResult struct {
	RuleID    string
	RuleIndex int
	Level     string
	Message   struct{ Text string }
	Locations []struct {
		PhysicalLocation struct {
			ArtifactLocation struct{ URI string }
			Region           struct{ StartLine int }
		}
		LogicalLocations []struct{ FullyQualifiedName string }
	}
	PartialFingerprints map[string]string
	Suppressions        []struct{ Justification string }
}

func uploadedOf(t *testing.T, r report.Report) uploaded {
	t.Helper()
	var log uploaded
	if err := json.Unmarshal([]byte(written(t, "sarif", r)), &log); err != nil {
		t.Fatal(err)
	}
	if len(log.Runs) != 1 {
		t.Fatalf("%d runs", len(log.Runs))
	}
	return log
}

func TestSARIFIsValid(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "sarif-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	query, err := rego.New(rego.Query(`[valid, problems] := json.match_schema(input.document, input.schema)`)).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	valid := func(document string) (bool, string) {
		results, err := query.Eval(t.Context(), rego.EvalInput(map[string]any{"document": document, "schema": string(data)}))
		if err != nil || len(results) != 1 {
			t.Fatalf("%d results: %v", len(results), err)
		}
		return results[0].Bindings["valid"] == true, fmt.Sprint(results[0].Bindings["problems"])
	}
	if ok, _ := valid(`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "colour": "red"}}}]}`); ok {
		t.Error("the schema takes anything")
	}
	for name, r := range reports() {
		if ok, problems := valid(written(t, "sarif", r)); !ok {
			t.Errorf("%s: %s", name, problems)
		}
	}
}

// What GitHub requires and how long it may be
// (https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support).
func TestSARIFHasWhatGitHubAsksFor(t *testing.T) {
	for name, r := range reports() {
		run := uploadedOf(t, r).Runs[0]
		const maxText = 1024
		for _, rule := range run.Tool.Driver.Rules {
			for _, text := range []string{rule.ID, rule.ShortDescription.Text, rule.FullDescription.Text, rule.Help.Text} {
				if text == "" || utf8.RuneCountInString(text) > maxText {
					t.Errorf("%s: rule %q has a text of %d bytes", name, rule.ID, len(text))
				}
			}
			if !strings.HasPrefix(rule.HelpURI, "https://") || rule.DefaultConfiguration.Level == "" {
				t.Errorf("%s: rule %q has level %q and page %q", name, rule.ID, rule.DefaultConfiguration.Level, rule.HelpURI)
			}
		}
		seen := map[string]bool{}
		for _, result := range run.Results {
			if result.RuleIndex >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[result.RuleIndex].ID != result.RuleID {
				t.Errorf("%s: rule %d is not %q", name, result.RuleIndex, result.RuleID)
			}
			if result.Message.Text == "" || strings.Contains(result.Message.Text, "](") {
				t.Errorf("%s: message %q", name, result.Message.Text)
			}
			if len(result.Locations) != 1 || result.Locations[0].PhysicalLocation.ArtifactLocation.URI == "" || result.Locations[0].PhysicalLocation.Region.StartLine != 1 {
				t.Errorf("%s: locations %+v", name, result.Locations)
			}
			hash := result.PartialFingerprints["primaryLocationLineHash"]
			if hash == "" || seen[hash] {
				t.Errorf("%s: %q is not the hash of one result only: %s", name, hash, result.Message.Text)
			}
			seen[hash] = true
		}
	}
}

func TestFingerprintsStayTheSameFromPlanToPlan(t *testing.T) {
	fingerprints := func(digest, id, message string) (all []map[string]string) {
		change := violated(decision("a.b", operation.Delete, operation.OutcomeDeny), "p", operation.High, operation.EnforceDeny, message)
		plan := violated(whole(operation.OutcomeDeny), "q", operation.High, operation.EnforceDeny, message)
		change.ID, change.Target.Ref = id, "gcp://"+id
		plan.Target = operation.PlanReference(digest)
		for _, result := range uploadedOf(t, report.Report{Rows: rows(change, plan)}).Runs[0].Results {
			all = append(all, result.PartialFingerprints)
		}
		return all
	}
	first := fingerprints(digest, "01", "one of 3")
	if diff := cmp.Diff(first, fingerprints(strings.Repeat("0", 64), "02", "one of 4")); diff != "" {
		t.Error(diff)
	}
	if len(first) != 2 || first[0]["mollyguardChange/v1"] == first[1]["mollyguardChange/v1"] {
		t.Errorf("%v", first)
	}
}

func TestSARIFSaysWhatEachViolationIsWorth(t *testing.T) {
	var got []string
	for _, result := range uploadedOf(t, reports()["medium"]).Runs[0].Results {
		line := result.Level + " " + result.RuleID + " " + result.Locations[0].LogicalLocations[0].FullyQualifiedName
		for _, s := range result.Suppressions {
			line += ": " + s.Justification
		}
		got = append(got, line)
	}
	want := []string{
		"error plan-removes-much the plan as a whole",
		"error container module.net.google_compute_network.prod",
		`error production-delete module.shop["eu.1"].google_sql_database_instance.main`,
		"error undecided aws_db_instance.main",
		"warning production-unprotect google_storage_bucket.logs",
		"warning production-unprotect google_sql_database_instance.new",
		"note drift google_dns_record_set.www",
		"error production-replace google_container_cluster.old: break-glass grant 01JDX00000000000000000GRNT",
		"error production-delete kubernetes_namespace.review: exemption: review-apps",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResultsBeyondWhatGitHubShowsAreCounted(t *testing.T) {
	d := decision("a.b", operation.Delete, operation.OutcomeDeny)
	for i := range 5010 {
		d = violated(d, fmt.Sprintf("policy-%d", i%7), operation.High, operation.EnforceDeny, "m")
	}
	run := uploadedOf(t, report.Report{Rows: rows(d), Left: map[operation.Outcome]int{operation.OutcomeAllow: 3}}).Runs[0]
	var notes []string
	for _, n := range run.Invocations[0].ToolExecutionNotifications {
		notes = append(notes, n.Message.Text)
	}
	want := []string{"10 more results are not listed", "3 more decisions are not listed: 3 allowed"}
	if diff := cmp.Diff(want, notes); diff != "" || len(run.Results) != 5000 {
		t.Errorf("%d results, notes (-want +got):\n%s", len(run.Results), diff)
	}
}

func TestThePlanFileIsAURI(t *testing.T) {
	for file, want := range map[string]string{
		"tfplan": "tfplan", "-": "plan.json", "": "plan.json", "a b/plan#1?.json": "a%20b/plan%231%3F.json",
		"/tmp/plan": "file:///tmp/plan", "http://evil.example": "./http://evil.example", "c:plan": "./c:plan", "100%.json": "100%25.json",
	} {
		r := report.Report{Plan: report.Summary{File: file}, Rows: rows(decision("a.b", operation.Delete, operation.OutcomeDeny))}
		got := uploadedOf(t, r).Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI
		if got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

func TestPlansOfSeveralFoldersAreCategoriesOfTheirOwn(t *testing.T) {
	id := func(marker string) string {
		return uploadedOf(t, report.Report{Marker: marker}).Runs[0].AutomationDetails.ID
	}
	if a, b := id("infra/a default"), id("infra/b default"); a == b || !strings.HasPrefix(a, "mollyguard/infra-a-default:") || strings.Count(a, "/") != 2 {
		t.Errorf("%q and %q", a, b)
	}
	if got := id(""); got != "" {
		t.Errorf("without a marker: %q", got)
	}
}
