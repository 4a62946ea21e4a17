package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

func TestPlanSumsAreWhatAGrantNeeds(t *testing.T) {
	decision := func(id string, outcome operation.Outcome, verb operation.Verb, approvals int) operation.Decision {
		return operation.Decision{
			ID: id, Outcome: outcome, Verb: verb, Target: operation.Reference{Ref: "gcp://x/" + id, Kind: "X", Name: id},
			Violations: []operation.Violation{
				{Policy: "p", Enforcement: operation.EnforceDeny, BreakGlass: operation.BreakGlass{Approvals: approvals}},
				{Policy: "w", Enforcement: operation.EnforceWarn, BreakGlass: operation.BreakGlass{Approvals: 9, Never: true}},
			},
		}
	}
	lifted := decision("lifted", operation.OutcomeAllow, operation.Forget, 2)
	lifted.Grant = "bg-k7m4-q9tx"
	var sum planSum
	for _, d := range []operation.Decision{
		decision("allowed", operation.OutcomeAllow, operation.Update, 3), lifted, decision("denied", operation.OutcomeDeny, operation.Delete, 1),
		decision("undecided", operation.OutcomeUndecided, operation.Unprotect, 1), decision("warned", operation.OutcomeWarn, operation.Replace, 3),
	} {
		sum.add(d)
	}
	want := receipt.Decision{
		Outcome: operation.OutcomeUndecided, Denied: 2, Lifted: 1, Verbs: []operation.Verb{operation.Forget, operation.Delete, operation.Unprotect}, Approvals: 2,
		Targets: []operation.Reference{
			{Ref: "gcp://x/denied", Kind: "X", Name: "denied"}, {Ref: "gcp://x/undecided", Kind: "X", Name: "undecided"}, {Ref: "gcp://x/lifted", Kind: "X", Name: "lifted"},
		},
		IDs: []string{"denied", "undecided", "lifted"},
	}
	if diff := cmp.Diff(want, sum.decision(operation.OutcomeUndecided), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	never := decision("never", operation.OutcomeDeny, operation.Delete, 1)
	never.Violations[0].BreakGlass = operation.BreakGlass{Never: true}
	if sum.add(never); !sum.Never {
		t.Error("a policy lets nobody through, and the sum does not say so")
	}
}

func TestPlansAreJudgedWithoutAReviewer(t *testing.T) {
	a, err := assemble(t.Context(), config.Default(), parts{recorder: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	if a.reviewer != nil || a.guard == nil || a.engine == nil {
		t.Errorf("reviewer %v, guard %v, engine %v", a.reviewer, a.guard, a.engine)
	}
}
