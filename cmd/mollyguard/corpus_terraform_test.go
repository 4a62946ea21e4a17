package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// planCorpus holds POLICY/{allow,deny}/NAME.json: operations of Terraform plans that the
// policy must refuse, and such that are as near to it as can be but must be let through.
// Beside them are NAME.decision.json, the decision record. How plans become operations
// is for package tfplan to prove.
const planCorpus = "../../policies/testdata/terraform"

// seenInPlans are the policies that only a Terraform plan can break.
var seenInPlans = []string{
	"applier-widened", "created-unprotected", "plan-at-large", "plan-container", "plan-partial", "plan-unsafe", "production-forget",
}

func TestEveryPolicyOfPlansRefusesWhatItMustAndNothingElse(t *testing.T) {
	c := config.Default()
	a, err := assemble(t.Context(), c, parts{
		lookup: &given{}, recorder: discard{},
		now: func() time.Time { return time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	judge := func(t *testing.T, file string) operation.Decision {
		var op operation.Operation
		if read(t, file, &op); op.Surface != operation.Terraform {
			t.Fatalf("%s is no operation of a Terraform plan", file)
		}
		d := a.guard.Decide(t.Context(), op)
		d.ID = sameID
		return d
	}
	for _, policy := range seenInPlans {
		folder := filepath.Join(planCorpus, policy)
		for _, name := range cases(t, filepath.Join(folder, "deny")) {
			t.Run(policy+" denies "+name, func(t *testing.T) {
				file := filepath.Join(folder, "deny", name+".json")
				d := judge(t, file)
				if want := outcomeOf(c, policy); d.Outcome != want || !slices.Equal(violated(d), []string{policy}) {
					t.Errorf("%s by %v %s, want %s by %s alone", d.Outcome, violated(d), d.Error, want, policy)
				}
				compareDecision(t, d, beside(file, "decision"))
			})
		}
		for _, name := range cases(t, filepath.Join(folder, "allow")) {
			t.Run(policy+" allows "+name, func(t *testing.T) {
				file := filepath.Join(folder, "allow", name+".json")
				d := judge(t, file)
				if d.Outcome != operation.OutcomeAllow {
					t.Errorf("%s by %v %s, want it allowed", d.Outcome, violated(d), d.Error)
				}
				compareDecision(t, d, beside(file, "decision"))
			})
		}
	}
	entries, err := os.ReadDir(planCorpus)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, entry := range entries {
		folders = append(folders, entry.Name())
	}
	if diff := cmp.Diff(seenInPlans, folders); diff != "" {
		t.Errorf("policies, and folders of the corpus (-policies +folders):\n%s", diff)
	}
}
