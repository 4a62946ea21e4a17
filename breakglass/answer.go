package breakglass

import (
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// AnswerOf sums up what issuing policies say: a violation that nothing can lift
// refuses, and the others ask for approvals, of which the most count.
func AnswerOf(violations []operation.Violation) Answer {
	answer := Answer{Approvals: 1}
	for _, v := range violations {
		if v.BreakGlass.Never {
			answer.Refused = append(answer.Refused, v.Message)
		}
		answer.Approvals = max(answer.Approvals, v.BreakGlass.Approvals)
	}
	slices.Sort(answer.Refused)
	answer.Refused = slices.Compact(answer.Refused)
	return answer
}
