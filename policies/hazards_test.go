package policies_test

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
)

// TestPoliciesCallHazardsWhatReportsCallThem holds the words in plans.rego, which sees only
// the hazard, against those that reports have.
func TestPoliciesCallHazardsWhatReportsCallThem(t *testing.T) {
	text, err := fs.ReadFile(policies.Embedded(), "plans.rego")
	if err != nil {
		t.Fatal(err)
	}
	module, err := ast.ParseModule("plans.rego", string(text))
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]any{}, map[string]any{}
	for _, hazard := range operation.Hazard("").Values() {
		want[hazard] = operation.Hazard(hazard).Words()
	}
	for _, rule := range module.Rules {
		if rule.Head.Name != "_hazard_in_words" {
			continue
		}
		value, err := ast.JSON(rule.Head.Value.Value)
		if err != nil {
			t.Fatal(err)
		}
		got = value.(map[string]any)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("words (-reports +policies):\n%s", diff)
	}
}
