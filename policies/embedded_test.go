package policies_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
)

// TestTheTableOfPoliciesSaysWhatTheyAre holds the table in docs/policies.md against the
// policies and what they do where nothing is configured.
func TestTheTableOfPoliciesSaysWhatTheyAre(t *testing.T) {
	set, err := engine.Compile(t.Context(), []engine.Source{{Name: "embedded", FS: policies.Embedded()}}, engine.Options{Schema: policies.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(text)
	var want, got []string
	for _, p := range set.Policies() {
		want = append(want, fmt.Sprintf("[%[1]s](#%[1]s) | %[2]s | %[3]s", p.Name, p.Severity, byDefault(p.Name)))
		if !strings.HasSuffix(p.Runbook, "docs/policies.md#"+p.Name) || !strings.Contains(docs, "\n### "+p.Name+"\n\n*Severity "+string(p.Severity)) {
			t.Errorf("%s: its runbook, %s, leads to no section that begins with its severity, %s", p.Name, p.Runbook, p.Severity)
		}
	}
	for line := range strings.Lines(docs) {
		if cells := strings.Split(strings.Trim(line, "| \n"), " | "); len(cells) == 5 && strings.HasPrefix(cells[0], "[") {
			got = append(got, strings.Join([]string{cells[0], cells[1], cells[3]}, " | "))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-policies +documented):\n%s", diff)
	}
}

// byDefault is what a policy does where nothing is configured.
func byDefault(policy string) operation.Enforcement {
	if policy == "production-unmediated" { // of what has happened already
		return operation.EnforceAlert
	}
	for _, rule := range config.Default().Enforcement {
		if slices.Contains(rule.Policies, policy) {
			return rule.Action
		}
	}
	return operation.EnforceDeny
}
