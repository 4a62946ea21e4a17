package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/tfplan"
)

func TestAMadePlanIsOneAndDestroysSomeOfEachKind(t *testing.T) {
	for name, c := range map[string]struct {
		plan     madePlan
		destroys int
	}{
		"one of a hundred": {madePlan{5000, onePercent}, 50},
		"everything":       {madePlan{1500, everything}, 1500},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "plan.json")
			if err := c.plan.file(path); err != nil {
				t.Fatal(err)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			document, err := tfplan.Open(t.Context(), file, info.Size())
			if err != nil {
				t.Fatal(err)
			}
			head := document.Head()
			if got, want := []int{head.Managed, head.Changes, head.Destroys}, []int{c.plan.resources, c.plan.resources, c.destroys}; !cmp.Equal(got, want) {
				t.Errorf("managed, changes, destroys: %v, want %v", got, want)
			}
			addresses, destroyed := map[string]bool{}, map[string]bool{}
			for change, err := range document.Changes(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if addresses[change.Address] {
					t.Errorf("%s comes twice", change.Address)
				}
				addresses[change.Address] = true
				if change.Destroys() {
					destroyed[change.Type] = true
				}
				for _, left := range []string{"ENV", "CHANGED", "-N", "-M"} {
					if strings.Contains(string(change.Before), left) {
						t.Fatalf("%s is left in %s", left, change.Before)
					}
				}
			}
			if len(destroyed) != len(madeKinds)+1 {
				t.Errorf("of %d kinds are destroyed: %v", len(madeKinds)+1, destroyed)
			}
		})
	}
}

func TestAPlanThatTakesTooMuchTimeOrMemoryIsOver(t *testing.T) {
	row := func(resources int, destroyed share, ratio float64, peak int64) *planRow {
		return &planRow{Resources: resources, Destroyed: destroyed, Time: ratio, Runs: map[string]*planRun{planCheck: {Peak: peak}}}
	}
	r := plansReport{Rows: []*planRow{
		row(100, onePercent, 7, 80<<20), row(10_000, onePercent, 2, 96<<20), row(100_000, onePercent, 2.5, 97<<20), row(100_000, everything, 9, 99<<20),
	}}
	r.addBudgets()
	want := []planBudget{
		{"10000 resources, 1 % destroyed: ≤ 2 × the time of encoding/json", 2, true},
		{"10000 resources, 1 % destroyed: ≤ 16 MiB above that of 100", 16, true},
		{"100000 resources, 1 % destroyed: ≤ 2 × the time of encoding/json", 2.5, false},
		{"100000 resources, 1 % destroyed: ≤ 16 MiB above that of 100", 17, false},
	}
	if diff := cmp.Diff(want, r.Budgets); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAProgramThatEndsOtherwiseIsNotMeasured(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The reference cannot decode what is not there.
	_, err = runPlan(t.Context(), 0, os.DevNull, self, "-decode", filepath.Join(t.TempDir(), "none.json"))
	if err == nil || !strings.Contains(err.Error(), "exit code 1, not 0") || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("%v", err)
	}
}
