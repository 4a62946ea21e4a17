package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// report is what is printed. Times are medians of the rounds, in microseconds; a
// ratio is the median of the rounds' ratios, since what is measured in the same
// minute compares best.
type report struct {
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	CPUs     int      `json:"cpus"`
	Duration string   `json:"duration"`
	Rounds   int      `json:"rounds"`
	Rows     []row    `json:"rows"`
	Budgets  []budget `json:"budgets"`
	// Objects is how many there are in the cluster of the mollyguard that is called; 0 if it
	// has none.
	Objects int `json:"objects"`
	// ResidentBytes is what mollyguard holds in memory after all that.
	ResidentBytes int64 `json:"resident_bytes"`
	// Audit is nil if the watcher was not measured.
	Audit *auditReport `json:"audit,omitempty"`
	// Index is nil if the index was not measured.
	Index *indexReport `json:"index,omitempty"`
	// Plans is nil if no plans were measured.
	Plans *plansReport `json:"plans,omitempty"`
}

type row struct {
	Review      string           `json:"review"`
	Bytes       int              `json:"bytes"`
	Concurrency int              `json:"concurrency"`
	Servers     map[string]times `json:"servers"`
	CPUToBare   float64          `json:"cpu_to_bare"`
	CPUToNoop   float64          `json:"cpu_to_noop"`
	P99ToNoop   float64          `json:"p99_to_noop"`
}

type times struct {
	Reviews int     `json:"reviews"` // in all rounds
	CPU     float64 `json:"cpu_us"`  // per review
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
}

// budget is a line of the table in the design that this program can measure.
type budget struct {
	Budget   string  `json:"budget"`
	Limit    float64 `json:"limit"`
	Measured float64 `json:"measured"`
	OK       bool    `json:"ok"`
}

// budgetConcurrency is the concurrency that the budgets are for.
const budgetConcurrency = 8

// addReviews adds what was measured of the servers.
func (r *report) addReviews(cells []*cell, objects int, resident int64) {
	r.Objects, r.ResidentBytes = objects, resident
	for _, c := range cells {
		r.Rows = append(r.Rows, c.row())
	}
	for _, row := range r.Rows {
		if row.Concurrency != budgetConcurrency {
			continue
		}
		add := func(what string, limit, measured float64) {
			r.Budgets = append(r.Budgets, budget{row.Review + ": " + what, limit, measured, measured <= limit})
		}
		switch row.Review {
		case smallDenied:
			add("CPU ≤ no-op", 1, row.CPUToNoop)
		case largeDenied:
			add("CPU ≤ 0.6 × bare", 0.6, row.CPUToBare)
		}
		add("p99 ≤ 1.5 × no-op", 1.5, row.P99ToNoop)
	}
}

func (c *cell) row() row {
	cpu := sample.cpuPerReview
	p99 := func(s sample) float64 { return s.percentile(99) }
	row := row{
		Review: c.review.name, Bytes: len(c.review.body), Concurrency: c.concurrency, Servers: map[string]times{},
		CPUToBare: c.ratio(bare, cpu), CPUToNoop: c.ratio(noop, cpu), P99ToNoop: c.ratio(noop, p99),
	}
	for name, samples := range c.samples {
		t := times{
			CPU: microseconds(samples, cpu),
			P50: microseconds(samples, func(s sample) float64 { return s.percentile(50) }),
			P99: microseconds(samples, p99),
		}
		for _, s := range samples {
			t.Reviews += len(s.latencies)
		}
		row.Servers[name] = t
	}
	return row
}

// ratio compares mollyguard with a reference.
func (c *cell) ratio(reference string, of func(sample) float64) float64 {
	var ratios []float64
	for round, s := range c.samples[mollyguard] {
		ratios = append(ratios, of(s)/of(c.samples[reference][round]))
	}
	return median(ratios)
}

func microseconds(samples []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s)/1000)
	}
	return median(values)
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

func (r report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

func (r report) writeTable(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%s %s, %d CPUs; medians of %d rounds\n", r.Go, r.Platform, r.CPUs, r.Rounds)
	if len(r.Rows) > 0 {
		r.writeReviews(w)
	}
	if r.Audit != nil {
		r.Audit.write(w)
	}
	if r.Index != nil {
		r.Index.write(w)
	}
	if r.Plans != nil {
		r.Plans.write(w)
	}
	return w.Flush()
}

func (r report) writeReviews(w io.Writer) {
	fmt.Fprintf(w, "\nadmission reviews: TLS, HTTP/2, ECDSA P-256; %s a server; a cluster of %d objects\n", r.Duration, r.Objects)
	fmt.Fprintf(w, "\nCPU of the server, µs a review\n")
	fmt.Fprintf(w, "%-22s %7s %10s %10s %11s %8s %8s\n", "review", "at once", bare, noop, mollyguard, "× bare", "× no-op")
	for _, row := range r.Rows {
		s := row.Servers
		fmt.Fprintf(w, "%-22s %7d %10.0f %10.0f %11.0f %8.2f %8.2f\n", row.Review, row.Concurrency,
			s[bare].CPU, s[noop].CPU, s[mollyguard].CPU, row.CPUToBare, row.CPUToNoop)
	}
	fmt.Fprintf(w, "\nlatency, p50 / p99 in ms\n")
	fmt.Fprintf(w, "%-22s %7s %15s %15s %15s %12s\n", "review", "at once", bare, noop, mollyguard, "p99 × no-op")
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%-22s %7d", row.Review, row.Concurrency)
		for _, name := range serverNames {
			fmt.Fprintf(w, " %7.2f /%6.2f", row.Servers[name].P50/1000, row.Servers[name].P99/1000)
		}
		fmt.Fprintf(w, " %12.2f\n", row.P99ToNoop)
	}
	fmt.Fprintf(w, "\n%-46s %9s\n", fmt.Sprintf("budget, at %d at once", budgetConcurrency), "measured")
	for _, b := range r.Budgets {
		fmt.Fprintf(w, "%-46s %9.2f  %s\n", b.Budget, b.Measured, verdict(b.OK))
	}
	fmt.Fprintf(w, "\nmollyguard's resident memory after the load: %.0f MiB\n", float64(r.ResidentBytes)/(1<<20))
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "over"
}
