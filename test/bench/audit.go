package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// auditReport is what was measured of the watcher.
type auditReport struct {
	Rates   []rateRow     `json:"rates"`
	Latency quantiles     `json:"latency"` // from publishing to the arrival of the alert
	Fsync   quantiles     `json:"fsync"`   // of 4 KiB, in the same folder
	Budgets []auditBudget `json:"budgets"`
	// ResidentBytes is what the watcher holds in memory after all that, MappedBytes what
	// of it are pages of files, PeakBytes the most that it held.
	ResidentBytes int64 `json:"resident_bytes"`
	MappedBytes   int64 `json:"mapped_bytes"`
	PeakBytes     int64 `json:"peak_bytes"`
}

// rateRow has medians of the rounds; a ratio is the median of the rounds' ratios.
type rateRow struct {
	Kind         entryKind `json:"entries"`
	Way          way       `json:"way"`
	Bytes        int       `json:"bytes"` // of an entry, on average
	PerCPUSecond float64   `json:"per_cpu_second"`
	Lowest       float64   `json:"lowest_per_cpu_second"`
	Highest      float64   `json:"highest_per_cpu_second"`
	PerSecond    float64   `json:"per_second"` // on all CPUs
	CPUToFloor   float64   `json:"cpu_to_encoding_json"`
}

// quantiles are in microseconds.
type quantiles struct {
	Samples int     `json:"samples"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Max     float64 `json:"max_us"`
}

// auditBudget is a line of the table in the design.
type auditBudget struct {
	Budget   string  `json:"budget"`
	Measured float64 `json:"measured"`
	OK       bool    `json:"ok"`
}

// The budgets.
const (
	ignoredBudget = 50_000 // entries per CPU second
	judgedBudget  = 5_000
	latencyBudget = time.Second // p99
)

// benchAudit measures the watcher.
func benchAudit(ctx context.Context, o options, program, dir string) (*auditReport, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	l, err := newLog(root)
	if err != nil {
		return nil, err
	}
	w, err := startWatcher(ctx, program, dir)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	ctx, cancel := w.whileItRuns(ctx)
	defer cancel()
	warm := options{duration: min(o.duration, warmUp), rounds: 1}
	if _, err := measureRates(ctx, warm, w, l); err != nil {
		return nil, err
	}
	report := &auditReport{}
	fsync, err := measureFsync(dir)
	if err != nil {
		return nil, err
	}
	latencies, err := measureLatency(ctx, o, w, l)
	if err != nil {
		return nil, err
	}
	report.Fsync, report.Latency = quantilesOf(fsync), quantilesOf(latencies)
	rates, err := measureRates(ctx, o, w, l)
	if err != nil {
		return nil, err
	}
	report.add(rates)
	return report, report.weigh(w.command.Process.Pid)
}

// weigh adds what a process holds in memory.
func (r *auditReport) weigh(pid int) (err error) {
	if r.ResidentBytes, err = residentBytes(pid); err != nil {
		return err
	}
	if r.MappedBytes, err = mappedBytes(pid); err != nil {
		return err
	}
	r.PeakBytes, err = peakBytes(pid)
	return err
}

func quantilesOf(sorted []time.Duration) quantiles {
	s := sample{latencies: sorted}
	return quantiles{len(sorted), s.percentile(50) / 1000, s.percentile(99) / 1000, s.percentile(100) / 1000}
}

// add adds the rows, and the budgets.
func (r *auditReport) add(rates []*rate) {
	floors := map[entryKind]*rate{}
	for _, one := range rates {
		if one.way == unmarshal {
			floors[one.kind] = one
		}
	}
	for _, one := range rates {
		r.Rates = append(r.Rates, one.row(floors[one.kind]))
	}
	for _, row := range r.Rates {
		if row.Way != whole && row.Way != wholeCloud {
			continue
		}
		limit := judgedBudget
		if row.Kind == ignored {
			limit = ignoredBudget
		}
		r.Budgets = append(r.Budgets, auditBudget{
			fmt.Sprintf("%s; %s: ≥ %d a CPU second", row.Kind, row.Way, limit), row.PerCPUSecond, row.PerCPUSecond >= float64(limit),
		})
	}
	p99 := r.Latency.P99 / 1e6
	r.Budgets = append(r.Budgets, auditBudget{"published → alert at the sink: p99 < 1 s", p99, p99 < latencyBudget.Seconds()})
}

func (r *rate) row(floor *rate) rateRow {
	row := rateRow{Kind: r.kind, Way: r.way}
	var perCPU, perSecond, ratios []float64
	for round, one := range r.samples {
		row.Bytes = one.bytes / one.entries
		perCPU, perSecond = append(perCPU, one.perCPUSecond()), append(perSecond, one.perSecond())
		ratios = append(ratios, one.cpuPerEntry()/floor.samples[round].cpuPerEntry())
	}
	row.PerCPUSecond, row.PerSecond, row.CPUToFloor = median(perCPU), median(perSecond), median(ratios)
	row.Lowest, row.Highest = perCPU[0], perCPU[len(perCPU)-1] // median has sorted them
	return row
}

func (r *auditReport) write(w io.Writer) {
	fmt.Fprintf(w, "\naudit log: entries for each second of CPU, median (lowest to highest round)\n")
	fmt.Fprintf(w, "%-20s %6s %-17s %8s %19s %10s %15s\n", "entries", "bytes", "read by", "per CPU s", "", "per second", "CPU × enc./json")
	for _, row := range r.Rates {
		fmt.Fprintf(w, "%-20s %6d %-17s %8.0f %19s %10.0f %15.2f\n", row.Kind, row.Bytes, row.Way, row.PerCPUSecond,
			fmt.Sprintf("(%.0f to %.0f)", row.Lowest, row.Highest), row.PerSecond, row.CPUToFloor)
	}
	fmt.Fprintf(w, "\n%-44s %7s %8s %8s %8s\n", "time, ms", "samples", "p50", "p99", "highest")
	for _, line := range []struct {
		what string
		quantiles
	}{
		{"published → alert at the sink, 500 entries/s", r.Latency},
		{"fsync of 4 KiB on that disk", r.Fsync},
	} {
		fmt.Fprintf(w, "%-44s %7d %8.1f %8.1f %8.1f\n", line.what, line.Samples, line.P50/1000, line.P99/1000, line.Max/1000)
	}
	fmt.Fprintf(w, "\n%-62s %9s\n", "budget", "measured")
	for _, b := range r.Budgets {
		fmt.Fprintf(w, "%-62s %9s  %s\n", b.Budget, fmt.Sprintf("%.*f", decimals(b.Measured), b.Measured), verdict(b.OK))
	}
	fmt.Fprintf(w, "\nthe watcher's resident memory after the load: %.0f MiB, of which %.0f MiB are pages of files (program, ledger); at most %.0f MiB\n",
		float64(r.ResidentBytes)/(1<<20), float64(r.MappedBytes)/(1<<20), float64(r.PeakBytes)/(1<<20))
}

// decimals are as many as a small number needs.
func decimals(number float64) int {
	if number < 100 {
		return 2
	}
	return 0
}
