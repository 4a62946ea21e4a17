package operation_test

import (
	"testing"

	"github.com/mollyguard/mollyguard/operation"
)

func TestASeverityThatNobodyKnowsIsNotMild(t *testing.T) {
	order := []operation.Severity{operation.Low, operation.Medium, operation.High, operation.Critical}
	for i, s := range order[1:] {
		if s.Rank() <= order[i].Rank() {
			t.Errorf("%s is not worse than %s", s, order[i])
		}
	}
	for _, s := range []operation.Severity{"", "dire", "LOW"} {
		if s.Rank() != operation.High.Rank() {
			t.Errorf("%q ranks %d", s, s.Rank())
		}
	}
}
