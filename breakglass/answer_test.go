package breakglass_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAnAnswerRefusesWhatAnyPolicyRefusesAndAsksForTheMostApprovals(t *testing.T) {
	never := func(message string) operation.Violation {
		return operation.Violation{Message: message, BreakGlass: operation.BreakGlass{Never: true}}
	}
	approvals := func(n int) operation.Violation {
		return operation.Violation{Message: "ask", BreakGlass: operation.BreakGlass{Approvals: n}}
	}
	for _, tt := range []struct {
		name       string
		violations []operation.Violation
		want       breakglass.Answer
	}{
		{"nothing is said: one approval", nil, breakglass.Answer{Approvals: 1}},
		{"the most approvals count", []operation.Violation{approvals(2), approvals(3), approvals(1)}, breakglass.Answer{Approvals: 3}},
		{"a refusal takes no approvals", []operation.Violation{never("no")}, breakglass.Answer{Refused: []string{"no"}, Approvals: 1}},
		{
			"refusals are sorted, each said once", []operation.Violation{never("z"), approvals(2), never("a"), never("z")},
			breakglass.Answer{Refused: []string{"a", "z"}, Approvals: 2},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, breakglass.AnswerOf(tt.violations)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
