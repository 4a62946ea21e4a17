package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

func TestAPlanAndAStateAsAWholeHaveWordsOfTheirOwn(t *testing.T) {
	state := decision("", operation.Unprotect, operation.OutcomeDeny)
	state.Target = operation.Reference{Ref: operation.TerraformRef("lineage", ""), Kind: operation.StateKind, Name: "default"}
	plan := func(outcome operation.Outcome, verbs ...operation.Verb) operation.Decision {
		d := whole(outcome)
		d.Verb, d.Also = verbs[0], verbs[1:]
		return d
	}
	for _, tt := range []struct {
		name     string
		decision operation.Decision
		want     string
	}{
		{"a plan that destroys", plan(operation.OutcomeDeny, operation.Delete), "the plan as a whole: destroy denied"},
		{"a plan without a lock", plan(operation.OutcomeDeny, operation.Unprotect), "the plan as a whole: skip safeguards denied"},
		{"one that destroys, too", plan(operation.OutcomeWarn, operation.Delete, operation.Unprotect), "the plan as a whole: destroy, skip safeguards, warned"},
		{"a state", state, "the state: edited denied"},
		{"one object of a plan", decision("a.b", operation.Unprotect, operation.OutcomeDeny), "a.b: update in place denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := written(t, "table", report.Report{Rows: []report.Row{{Decision: tt.decision}}})
			_, rest, _ := strings.Cut(text, "\n\n")
			got, _, _ := strings.Cut(rest, "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("headline (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAStateIsNamedBesideItsWords(t *testing.T) {
	d := decision("", operation.Unprotect, operation.OutcomeDeny)
	d.Target = operation.Reference{Ref: operation.TerraformRef("lineage", ""), Kind: operation.StateKind, Name: "default"}
	if text := written(t, "table", report.Report{Rows: []report.Row{{Decision: d}}}); !strings.Contains(text, "\n  object    terraform://lineage/\n") {
		t.Errorf("no object in\n%s", text)
	}
}
