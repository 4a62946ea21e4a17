package main

import (
	"bufio"
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// The cluster of the reviews, as the recordings of the demo and configMapReview have it.
const (
	reviewedDeployment = "2a50d2bc-ea78-490c-b40b-bcf27c77f023"
	reviewedConfigMap  = "5e1c3a52-6a31-4b57-9f3e-3f1f0c1d7a10"
)

const (
	// usualObjects is the size of the cluster that the budgets are for.
	usualObjects = 100_000
	// maxObjects is the largest that is measured: the store at ten times as many would
	// take this program more than 20 GB.
	maxObjects = 1_000_000
)

// indexReport is what was measured of the index of what is in a cluster.
type indexReport struct {
	Stores []storeRow `json:"stores"`
	// Processes are the program with an empty cluster, and with one of objects.
	Processes []*processReport `json:"processes"`
	Budgets   []indexBudget    `json:"budgets"`
}

// indexBudget is a line of the table in the design.
type indexBudget struct {
	Budget   string  `json:"budget"`
	Measured float64 `json:"measured"`
	OK       bool    `json:"ok"`
}

// benchIndex measures the index alone, and the program that has one.
func benchIndex(ctx context.Context, o options, program, dir string) (*indexReport, error) {
	report := &indexReport{}
	for _, objects := range []int{o.objects / 10, o.objects, 10 * o.objects} {
		if objects == 0 {
			continue
		}
		row, err := benchStore(ctx, objects)
		if err != nil {
			return nil, err
		}
		report.Stores = append(report.Stores, *row)
	}
	debug.FreeOSMemory() // the largest store was some GB
	for _, objects := range []int{0, o.objects} {
		one, err := benchProcess(ctx, o, objects, program, dir)
		if err != nil {
			return nil, fmt.Errorf("with %d objects: %w", objects, err)
		}
		report.Processes = append(report.Processes, one)
	}
	report.addBudgets(o.objects)
	return report, nil
}

// The budgets.
const (
	bytesBudget  = 300 // per object
	lookupBudget = time.Millisecond
	memoryBudget = 128 << 20
)

func (r *indexReport) addBudgets(objects int) {
	for _, s := range r.Stores {
		r.Budgets = append(r.Budgets, indexBudget{fmt.Sprintf("%d objects: ≤ %d bytes each", s.Objects, bytesBudget), s.Bytes[compact], s.Bytes[compact] <= bytesBudget})
		if s.Objects == objects {
			took := s.Lookups[ofNamespace][compact]
			r.Budgets = append(r.Budgets, indexBudget{fmt.Sprintf("a namespace of %d objects: < %v, ms", s.Objects, lookupBudget), took.Seconds() * 1000, took < lookupBudget})
		}
	}
	peak := r.Processes[len(r.Processes)-1].peak()
	r.Budgets = append(r.Budgets, indexBudget{fmt.Sprintf("%d objects: ≤ %d MiB resident at any time", objects, memoryBudget>>20), mib(peak), peak <= memoryBudget})
}

// peak is the most that the process held in memory.
func (p *processReport) peak() (most int64) {
	for _, m := range p.Memory {
		most = max(most, m.Peak)
	}
	return most
}

func (r *indexReport) write(w *bufio.Writer) {
	r.writeStores(w)
	r.writeProcesses(w)
	fmt.Fprintf(w, "\n%-60s %9s\n", "budget", "measured")
	for _, b := range r.Budgets {
		fmt.Fprintf(w, "%-60s %9.2f  %s\n", b.Budget, b.Measured, verdict(b.OK))
	}
}

func (r *indexReport) writeStores(w *bufio.Writer) {
	fmt.Fprintf(w, "\nwhat is in a cluster: bytes and CPU for each object; lookups of a parent that has them all below it, median in ms\n")
	fmt.Fprintf(w, "%9s %-13s %7s %10s", "objects", "store", "bytes", "µs to put")
	for _, q := range questions {
		fmt.Fprintf(w, " %11s", q)
	}
	fmt.Fprintln(w)
	for _, s := range r.Stores {
		for _, name := range storeNames {
			fmt.Fprintf(w, "%9d %-13s %7.0f %10.2f", s.Objects, name, s.Bytes[name], float64(s.Put[name])/float64(time.Microsecond))
			for _, q := range questions {
				fmt.Fprintf(w, " %11.3f", s.Lookups[q][name].Seconds()*1000)
			}
			fmt.Fprintln(w)
		}
	}
}

func (r *indexReport) writeProcesses(w *bufio.Writer) {
	fmt.Fprintf(w, "\nmollyguard with a cluster\n%9s %6s %9s %11s %8s %12s\n", "objects", "kinds", "read in s", "of it CPU s", "changes", "CPU µs each")
	for _, p := range r.Processes {
		fmt.Fprintf(w, "%9d %6d %9.1f %11.1f %8d", p.Objects, p.Kinds, p.Sync.Seconds(), p.SyncCPU.Seconds(), p.Events)
		if p.Events > 0 {
			fmt.Fprintf(w, " %12.1f", float64(p.ChurnCPU)/float64(time.Microsecond)/float64(p.Events))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nmemory of the process, MiB\n%9s %-28s %9s %6s %8s %6s %6s\n", "objects", "", "resident", "peak", "of files", "heap", "goal")
	for _, p := range r.Processes {
		for _, m := range p.Memory {
			fmt.Fprintf(w, "%9d %-28s %9.0f %6.0f %8.0f %6.0f %6.0f\n", p.Objects, m.When, mib(m.Resident), mib(m.Peak), mib(m.Mapped), mib(m.Heap), mib(m.Goal))
		}
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
