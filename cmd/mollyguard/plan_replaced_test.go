package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/tfplan"
)

func TestPlanTypesThatOwnRulesReplaceAreNamed(t *testing.T) {
	rules, err := tfplan.EmbeddedRules()
	if err != nil {
		t.Fatal(err)
	}
	own, err := tfplan.ReadRules("own.yaml", []byte(`providers: [google]
types:
- {types: [google_sql_database_instance, google_octo], kind: DatabaseInstance, replace: true}
- {types: ["aws_*"], kind: Thing, replace: true}
- {types: [google_container_cluster], kind: Cluster}
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := replacedTypes(append(rules, own))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"aws_*", "google_sql_database_instance"}, got); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
}
