package operation_test

import (
	"testing"

	"github.com/mollyguard/mollyguard/operation"
)

func TestEveryHazardHasWordsAndAnotherStandsForItself(t *testing.T) {
	for _, name := range operation.Hazard("").Values() {
		if words := operation.Hazard(name).Words(); words == name {
			t.Errorf("%s has no words", name)
		}
	}
	if got := operation.Hazard("something-new").Words(); got != "something-new" {
		t.Errorf("got %q", got)
	}
}
