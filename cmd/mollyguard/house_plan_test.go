package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestAPlanThatIsOnlyKnownByItsDigestAsksForAnApproval(t *testing.T) {
	// Neither a cluster nor an inventory is there to ask.
	got, err := (&house{}).violations(t.Context(), &surroundings{}, alice(), operation.Delete, operation.PlanReference(planDigest))
	if err != nil {
		t.Fatal(err)
	}
	want := []operation.Violation{{
		Policy: "plan", Severity: operation.High, Enforcement: operation.EnforceDeny,
		Message: "the plan was refused where it was checked", BreakGlass: operation.BreakGlass{Approvals: 1},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
