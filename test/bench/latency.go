package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// tick is between two entries of the steady load, and every 25th is a deletion: 500
	// entries a second, 20 of them deletions of production, each by another person and
	// so an alert of its own.
	tick         = 2 * time.Millisecond
	deletionTick = 25
	// latencyTurns is for how many times -duration the load lasts: 20 s with the usual 2 s.
	latencyTurns = 10
	// arrivalTimeout is how long the last alert may take.
	arrivalTimeout = 30 * time.Second
	// fsyncs is how often the disk is tried.
	fsyncs = 200
)

// measureLatency publishes entries steadily, and returns how long it took from each
// publishing of a deletion until its alert had arrived.
func measureLatency(ctx context.Context, o options, w *watcher, l *auditLog) ([]time.Duration, error) {
	published := map[string]time.Time{}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	start := time.Now()
	for n := 0; time.Since(start) < latencyTurns*o.duration; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if n%deletionTick != 0 {
			w.stream.publish(l.one(ignored, time.Now()))
			continue
		}
		entry, target := l.deletion(time.Now())
		published[target] = time.Now()
		w.stream.publish(entry)
	}
	ctx, cancel := context.WithTimeout(ctx, arrivalTimeout)
	defer cancel()
	var latencies []time.Duration
	for target, at := range published {
		arrived, err := w.arrival(ctx, target)
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, arrived.Sub(at))
	}
	slices.Sort(latencies)
	return latencies, nil
}

// arrival waits until people are told of a target.
func (w *watcher) arrival(ctx context.Context, target string) (time.Time, error) {
	for {
		at, told, err := w.receiver.when(target)
		if told || err != nil {
			return at, err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return at, fmt.Errorf("nobody was told of %s within %v", target, arrivalTimeout)
		}
	}
}

// measureFsync returns how long it takes to make 4 KiB durable in a folder, which is
// what no ledger can do without.
func measureFsync(dir string) (times []time.Duration, err error) {
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	page := make([]byte, 4<<10)
	for range fsyncs {
		if _, err := file.WriteAt(page, 0); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := file.Sync(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times, nil
}
