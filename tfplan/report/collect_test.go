package report_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

func TestTheWorstAreKeptInWhateverOrderTheyCome(t *testing.T) {
	warned := violated(decision("a.warned", operation.Delete, operation.OutcomeWarn), "p", operation.Critical, operation.EnforceWarn, "m")
	low := violated(decision("a.low", operation.Delete, operation.OutcomeDeny), "p", operation.Low, operation.EnforceDeny, "m")
	high := violated(decision("z.high", operation.Delete, operation.OutcomeDeny), "p", operation.High, operation.EnforceDeny, "m")
	off := violated(low, "q", operation.Critical, operation.EnforceOff, "m")
	off.Address = "b.off"
	prod := production(low, "label")
	prod.Address = "z.production"
	all := rows(
		decision("a.allowed", operation.Delete, operation.OutcomeAllow), decision("b.allowed", operation.Delete, operation.OutcomeAllow),
		decision("a.undecided", operation.Delete, operation.OutcomeUndecided), decision("a.alert", operation.Delete, operation.OutcomeAlert),
		warned, low, high, off, prod, whole(operation.OutcomeAllow),
	)
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		collector := report.Collector{Keep: 6}
		for _, row := range all {
			collector.Add(row)
		}
		var kept []string
		for _, row := range collector.Rows() {
			kept = append(kept, row.Decision.Address)
		}
		want := []string{"z.high", "z.production", "a.low", "b.off", "a.undecided", "a.warned", ""}
		if diff := cmp.Diff(want, kept); diff != "" {
			t.Fatalf("seed %d: kept (-want +got):\n%s", seed, diff)
		}
		left := map[operation.Outcome]int{operation.OutcomeAllow: 2, operation.OutcomeAlert: 1}
		if diff := cmp.Diff(left, collector.Left()); diff != "" {
			t.Fatalf("seed %d: left (-want +got):\n%s", seed, diff)
		}
		if got := collector.Outcome(); got != operation.OutcomeDeny {
			t.Fatalf("outcome %s", got)
		}
	}
}

func TestAnEmptyCollectorAllows(t *testing.T) {
	var c report.Collector
	if len(c.Rows()) != 0 || len(c.Left()) != 0 || c.Outcome() != operation.OutcomeAllow {
		t.Errorf("rows %v, left %v, outcome %s", c.Rows(), c.Left(), c.Outcome())
	}
}

func TestOfEqualDecisionsTheFirstAreKept(t *testing.T) {
	collector := report.Collector{Keep: 2}
	for i := range 5 {
		d := decision("a.b", operation.Delete, operation.OutcomeDeny)
		d.ID = fmt.Sprint(i)
		collector.Add(report.Row{Decision: d})
	}
	var kept []string
	for _, row := range collector.Rows() {
		kept = append(kept, row.Decision.ID)
	}
	if diff := cmp.Diff([]string{"0", "1"}, kept); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkCollector(b *testing.B) {
	denied := report.Row{Decision: decision("a.b", operation.Delete, operation.OutcomeDeny)}
	var c report.Collector
	for b.Loop() {
		c.Add(denied)
	}
}
