package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
)

// plansReport is what was measured of Terraform plans.
type plansReport struct {
	Rows    []*planRow   `json:"rows"`
	Budgets []planBudget `json:"budgets"`
}

// planBudget is a line of the table in the design.
type planBudget struct {
	Budget   string  `json:"budget"`
	Measured float64 `json:"measured"`
	OK       bool    `json:"ok"`
}

// The budgets.
const (
	planTimeBudget = 2.0 // times encoding/json
	// planMemoryBudget is how much more memory than for fewResources there may be: what
	// Go's heap grows by until it is collected, not the plan.
	planMemoryBudget = 16 << 20
)

// addBudgets adds the budgets, which are for plans that destroy little.
func (r *plansReport) addBudgets() {
	few := r.Rows[0]
	for _, row := range r.Rows[1:] {
		if row.Destroyed != onePercent {
			continue
		}
		name := fmt.Sprintf("%d resources, %s: ", row.Resources, row.Destroyed)
		more := row.Runs[planCheck].Peak - few.Runs[planCheck].Peak
		r.Budgets = append(r.Budgets,
			planBudget{fmt.Sprintf("%s≤ %.0f × the time of %s", name, planTimeBudget, planDecode), row.Time, row.Time <= planTimeBudget},
			planBudget{fmt.Sprintf("%s≤ %d MiB above that of %d", name, planMemoryBudget>>20, few.Resources), mib(more), more <= planMemoryBudget})
	}
}

func (r *plansReport) write(w *bufio.Writer) {
	fmt.Fprintf(w, "\nTerraform plans, as JSON: %s beside %s, medians\n", planCheck, planDecode)
	fmt.Fprintf(w, "%9s %-13s %8s %9s  %-13s %8s %8s %9s %7s %7s\n", "resources", "", "MiB", "decisions", "", "s", "CPU s", "peak MiB", "× time", "× CPU")
	for _, row := range r.Rows {
		for _, way := range []string{planCheck, planDecode} {
			run := row.Runs[way]
			if way == planCheck {
				fmt.Fprintf(w, "%9d %-13s %8.1f %9d", row.Resources, row.Destroyed, mib(row.Bytes), row.Decisions)
			} else {
				fmt.Fprintf(w, "%42s", "")
			}
			fmt.Fprintf(w, "  %-13s %8.2f %8.2f %9.0f", way, run.Elapsed.Seconds(), run.CPU.Seconds(), mib(run.Peak))
			if way == planCheck {
				fmt.Fprintf(w, " %7.2f %7.2f", row.Time, row.CPU)
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintf(w, "\n%-68s %9s\n", "budget", "measured")
	for _, b := range r.Budgets {
		fmt.Fprintf(w, "%-68s %9.2f  %s\n", b.Budget, b.Measured, verdict(b.OK))
	}
}

// countRecords is how many decision records are in a file, a line for each.
func countRecords(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	if len(data) == 0 {
		return 0, errors.New("nothing was decided")
	}
	return bytes.Count(data, []byte("\n")), nil
}
