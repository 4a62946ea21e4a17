package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/mollyguard/mollyguard/pause"
)

// How the garbage collector weighs memory against CPU (GOGC) while there is an index. What
// lives on the heap is then some 38 MiB for 100,000 objects, and Go's 100 would always let
// as much garbage lie beside it.
const (
	// calmPercent makes the process 25 MiB smaller at that size.
	calmPercent = 50
	// busyPercent lets the process grow by some 70 MiB while the load lasts. With calmPercent
	// an answer would cost a fifth more CPU, and the slowest would be slower by half.
	busyPercent = 200
	// usualPercent is Go's own.
	usualPercent = 100
	// busyRate is how much is allocated in a second where CPU counts for more than memory:
	// 1,000 reviews of 35 KiB. A cluster of 100,000 objects changes 100 times a second,
	// at some 6 KiB each.
	busyRate = 32 << 20
	// weighInterval is how often it is looked at.
	weighInterval = 5 * time.Second
)

// saveMemory keeps the garbage collector at what suits the load until ctx ends, unless the
// environment has said what GOGC is. Until synced returns nil what is allocated is the
// reading of the cluster, which is in no hurry.
func saveMemory(ctx context.Context, synced func() error) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	debug.SetGCPercent(calmPercent)
	defer debug.SetGCPercent(usualPercent) // for whoever goes on in this process
	last, percent, read := allocated(), calmPercent, false
	for pause.For(ctx, weighInterval) == nil {
		now := allocated()
		if wanted := percentFor(now - last); read && wanted != percent {
			percent = wanted
			debug.SetGCPercent(percent)
		}
		last, read = now, synced() == nil
	}
	return nil
}

// percentFor is GOGC after an interval in which so many bytes were allocated.
func percentFor(bytes uint64) int {
	if bytes > busyRate*uint64(weighInterval/time.Second) {
		return busyPercent
	}
	return calmPercent
}

// allocated is how many bytes were ever allocated on the heap.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
