package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	// usualResources is the size of the plan that the budgets are for.
	usualResources = 100_000
	// minResources is the smallest: with a tenth of it there still is something to destroy.
	minResources = 1000
	// maxResources is the largest that is measured: its JSON is below what is read, 1 GiB.
	maxResources = 200_000
	// fewResources is the size of the plan whose memory is the program's own.
	fewResources = 100
	// planPerResource is what each resource takes in a round: it is in the largest plan and
	// in the one that destroys everything, and both are read twice.
	planPerResource = 350 * time.Microsecond
	// peakInterval is between two looks at how much memory a process has had at most. What
	// it takes after the last one before it ends is missed.
	peakInterval = 5 * time.Millisecond
)

// The ways of reading a plan, which are also the names of their columns.
const (
	planCheck  = "plan check"
	planDecode = "encoding/json"
)

// planRun is one run of a process over a plan.
type planRun struct {
	// Elapsed is from its start to its end, CPU what it used of the processors by then.
	Elapsed time.Duration `json:"elapsed_ns"`
	CPU     time.Duration `json:"cpu_ns"`
	// Peak is the most that it had in memory, in bytes.
	Peak int64 `json:"peak"`
}

// planRow is what was measured of one plan: medians of the rounds. Ratios are of
// mollyguard to encoding/json, medians of the rounds' ratios.
type planRow struct {
	Resources int                 `json:"resources"`
	Destroyed share               `json:"destroyed"`
	Bytes     int64               `json:"bytes"`
	Decisions int                 `json:"decisions"`
	Runs      map[string]*planRun `json:"runs"`
	Time      float64             `json:"time_ratio"`
	CPU       float64             `json:"cpu_ratio"`
}

// benchPlans measures the program over plans of three sizes, and over one that destroys
// all it has, beside what it costs to decode them with encoding/json.
func benchPlans(ctx context.Context, o options, program, dir string) (*plansReport, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	report := &plansReport{}
	plans := []madePlan{
		{fewResources, onePercent}, {o.resources / 10, onePercent}, {o.resources, onePercent}, {o.resources, everything},
	}
	for _, plan := range plans {
		row, err := plan.bench(ctx, o.rounds, program, self, dir)
		if err != nil {
			return nil, fmt.Errorf("%d resources, %s: %w", plan.resources, plan.destroyed, err)
		}
		report.Rows = append(report.Rows, row)
	}
	report.addBudgets()
	return report, nil
}

func (p madePlan) bench(ctx context.Context, rounds int, program, self, dir string) (_ *planRow, err error) {
	path, records := filepath.Join(dir, "plan.json"), filepath.Join(dir, "records.jsonl")
	if err := p.file(path); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	row := &planRow{Resources: p.resources, Destroyed: p.destroyed, Bytes: info.Size(), Runs: map[string]*planRun{}}
	runs := map[string][]planRun{}
	for range rounds {
		// The plans destroy what is production: they are refused.
		checked, err := runPlan(ctx, 3, records, program, "plan", "check", "-o", "json", "--dir", dir, "--workspace", "default", path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", planCheck, err)
		}
		decoded, err := runPlan(ctx, 0, os.DevNull, self, "-decode", path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", planDecode, err)
		}
		runs[planCheck], runs[planDecode] = append(runs[planCheck], checked), append(runs[planDecode], decoded)
	}
	row.add(runs)
	row.Decisions, err = countRecords(records)
	return row, err
}

func (r *planRow) add(runs map[string][]planRun) {
	elapsed := func(one planRun) float64 { return float64(one.Elapsed) }
	cpu := func(one planRun) float64 { return float64(one.CPU) }
	ratio := func(of func(planRun) float64) float64 {
		var ratios []float64
		for round, one := range runs[planCheck] {
			ratios = append(ratios, of(one)/of(runs[planDecode][round]))
		}
		return median(ratios)
	}
	r.Time, r.CPU = ratio(elapsed), ratio(cpu)
	for way, list := range runs {
		middle := func(of func(planRun) float64) float64 {
			var values []float64
			for _, one := range list {
				values = append(values, of(one))
			}
			return median(values)
		}
		r.Runs[way] = &planRun{
			Elapsed: time.Duration(middle(elapsed)), CPU: time.Duration(middle(cpu)),
			Peak: int64(middle(func(one planRun) float64 { return float64(one.Peak) })),
		}
	}
}

// runPlan runs a program to its end, which must be with that exit code, and measures it.
//
// Its peak is not the one that the kernel tells when it ends (ru_maxrss): that begins with
// the memory of this program, which it is forked from.
func runPlan(ctx context.Context, code int, stdout, program string, arguments ...string) (r planRun, err error) {
	output, err := os.Create(stdout)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, output.Close()) }()
	var talk bytes.Buffer
	command := exec.CommandContext(ctx, program, arguments...)
	command.Stdout, command.Stderr, command.SysProcAttr = output, &talk, processAttributes()
	start := time.Now()
	if err := command.Start(); err != nil {
		return r, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	ticker := time.NewTicker(peakInterval)
	defer ticker.Stop()
	for running := true; running; {
		// A process that has ended and was not waited for yet has no memory.
		if peak, err := peakBytes(command.Process.Pid); err == nil {
			r.Peak = max(r.Peak, peak)
		}
		select {
		case <-ticker.C:
		case err = <-ended:
			running = false
		}
	}
	r.Elapsed = time.Since(start)
	state := command.ProcessState
	r.CPU = state.UserTime() + state.SystemTime()
	switch exit := (*exec.ExitError)(nil); {
	case err != nil && !errors.As(err, &exit):
		return r, err
	case state.ExitCode() != code:
		return r, fmt.Errorf("exit code %d, not %d:\n%s", state.ExitCode(), code, talk.String())
	case r.Peak == 0:
		_, err := peakBytes(os.Getpid())
		return r, errors.Join(errors.New("its memory could not be read"), err)
	}
	return r, nil
}

// decodePlan is the reference: what a program does that wants to have the plan.
func decodePlan(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var plan any
	return json.Unmarshal(data, &plan)
}
