package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// syncTimeout is how long the program may take to read a cluster.
	syncTimeout = 5 * time.Minute
	// settleTurns is for how many times -duration Go's scavenger may give memory back: 10 s
	// with the usual 2 s.
	settleTurns = 5
	// lookInterval is between two looks at the metrics, which cost about 1 ms.
	lookInterval = 50 * time.Millisecond
)

// The metrics by which the program says how much it knows.
const (
	syncedMetric  = "mollyguard_index_synced"
	objectsMetric = "mollyguard_index_objects"
)

// processReport is what was measured of the program with a cluster.
type processReport struct {
	Objects int `json:"objects"`
	Kinds   int `json:"kinds"`
	// Sync is from the start of the process until all was read, SyncCPU its CPU time by
	// then.
	Sync    time.Duration `json:"sync_ns"`
	SyncCPU time.Duration `json:"sync_cpu_ns"`
	// ChurnCPU is what the events took, churnRate of them a second.
	Events   int           `json:"churn_events"`
	ChurnCPU time.Duration `json:"churn_cpu_ns"`
	Memory   []memoryRow   `json:"memory"`
}

// memoryRow is what the process holds at a time, in bytes.
type memoryRow struct {
	When     string `json:"when"`
	Resident int64  `json:"resident"`
	// Peak is the highest Resident by then. Mapped are pages of files.
	Peak   int64 `json:"peak"`
	Mapped int64 `json:"mapped"`
	// Heap is what Go's heap holds alive or has not collected yet, Goal when it collects.
	Heap int64 `json:"heap"`
	Goal int64 `json:"heap_goal"`
}

// process is the program with a cluster.
type process struct {
	command *exec.Cmd
	output  *lines
	metrics string
	// settle is how long it is left alone in the end.
	settle time.Duration
}

// benchProcess measures the program with a cluster of so many objects.
func benchProcess(ctx context.Context, o options, objects int, program, dir string) (_ *processReport, err error) {
	dir = filepath.Join(dir, fmt.Sprintf("cluster-%d", objects))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	c, err := newCertificate(dir)
	if err != nil {
		return nil, err
	}
	cluster, err := startCluster(objects, c)
	if err != nil {
		return nil, err
	}
	defer cluster.stop()
	kubeconfig, err := cluster.kubeconfig(dir, c)
	if err != nil {
		return nil, err
	}
	arguments, err := mollyguardArguments(dir, filepath.Join(dir, "decisions.jsonl"), kubeconfig, c)
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(program, arguments...), output: newLines(), settle: settleTurns * o.duration}
	start := time.Now()
	at, err := launch(ctx, p.command, p.output)
	if err != nil {
		return nil, fmt.Errorf("start mollyguard: %w", err)
	}
	defer end(p.command, p.output)
	p.metrics = "http://" + at.StatusAddress + "/metrics"
	report := &processReport{Objects: objects}
	if err := p.measure(ctx, cluster, start, report); err != nil {
		return nil, errors.Join(err, cluster.err())
	}
	return report, cluster.err()
}

func (p *process) measure(ctx context.Context, cluster *fakeCluster, start time.Time, r *processReport) error {
	pid := p.command.Process.Pid
	at, err := p.await(ctx, syncedMetric, 1)
	if err != nil {
		return err
	}
	r.Sync = at.Sub(start)
	if r.SyncCPU, err = cpuTime(pid); err != nil {
		return err
	}
	if err := r.look(ctx, p, "after the start"); err != nil {
		return err
	}
	have, kinds, err := p.known(ctx)
	if err != nil {
		return err
	}
	if have != float64(cluster.objects) {
		return fmt.Errorf("%v objects are known, and there are %d", have, cluster.objects)
	}
	r.Kinds = int(kinds)
	before, err := cpuTime(pid)
	if err != nil {
		return err
	}
	events, more, err := cluster.churn(ctx, float64(r.Objects)/usualObjects)
	if err != nil {
		return err
	}
	if _, err := p.await(ctx, objectsMetric, have+float64(more)); err != nil {
		return err
	}
	after, err := cpuTime(pid)
	if err != nil {
		return err
	}
	r.Events, r.ChurnCPU = events, after-before
	if err := r.look(ctx, p, "after ten minutes' changes"); err != nil {
		return err
	}
	select {
	case <-time.After(p.settle):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return r.look(ctx, p, fmt.Sprintf("%v later", p.settle))
}

// look adds what the process holds now.
func (r *processReport) look(ctx context.Context, p *process, when string) error {
	pid, row := p.command.Process.Pid, memoryRow{When: when}
	series, err := p.series(ctx)
	if err != nil {
		return err
	}
	row.Heap, row.Goal = int64(series["go_memstats_heap_alloc_bytes"]), int64(series["go_memstats_next_gc_bytes"])
	for field, read := range map[*int64]func(int) (int64, error){&row.Resident: residentBytes, &row.Peak: peakBytes, &row.Mapped: mappedBytes} {
		if *field, err = read(pid); err != nil {
			return err
		}
	}
	r.Memory = append(r.Memory, row)
	return nil
}

// known is how many objects and kinds the process knows.
func (p *process) known(ctx context.Context) (objects, kinds float64, err error) {
	series, err := p.series(ctx)
	return series[objectsMetric], series[`mollyguard_index_kinds{phase="synced"}`], err
}

// await waits until a metric has a value, and says when that was.
func (p *process) await(ctx context.Context, name string, value float64) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	for {
		series, err := p.series(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if series[name] == value {
			return time.Now(), nil
		}
		select {
		case <-time.After(lookInterval):
		case <-p.output.ended:
			return time.Time{}, fmt.Errorf("mollyguard ended:\n%s", p.output.last)
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s is %v and not %v: %w", name, series[name], value, ctx.Err())
		}
	}
}

// series are the process's metrics.
func (p *process) series(ctx context.Context) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.metrics, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	series := map[string]float64{}
	scanner := bufio.NewScanner(response.Body)
	for scanner.Scan() {
		name, text, ok := strings.Cut(scanner.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if series[name], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
	}
	return series, scanner.Err()
}
