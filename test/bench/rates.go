package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/auditlog/mapping"
)

// way is one way of reading entries.
type way string

// The ways.
const (
	unmarshal  way = "encoding/json" // the floor: into a map
	caresAlone way = "Cares"
	mapAlone   way = "Map"
	whole      way = "watcher, file"
	wholeCloud way = "watcher, Pub/Sub"
)

// waysOf are those that a kind of entries is read in.
func waysOf(kind entryKind) []way {
	if kind == ignored {
		return []way{unmarshal, caresAlone, whole, wholeCloud}
	}
	return []way{unmarshal, mapAlone, whole, wholeCloud}
}

// How many entries are read at once for each second of -duration. With the usual two
// seconds a turn takes about one second of CPU in each of the watcher's ways.
const (
	ignoredPerSecond = 25_000
	judgedPerSecond  = 2_500
	// maxEntriesAtOnce is 100 MB of entries in memory, and in a file.
	maxEntriesAtOnce = 50_000
)

func entriesOf(kind entryKind, o options) int {
	perSecond := judgedPerSecond
	if kind == ignored {
		perSecond = ignoredPerSecond
	}
	return max(1, min(maxEntriesAtOnce, int(o.duration.Seconds()*float64(perSecond))))
}

// rate is what was measured of one way to read one kind of entries: one sample for
// each round.
type rate struct {
	kind    entryKind
	way     way
	samples []reading
}

// reading is one turn.
type reading struct {
	entries, bytes int
	cpu, wall      time.Duration
}

func (r reading) cpuPerEntry() float64 { return float64(r.cpu) / float64(r.entries) }

func (r reading) perCPUSecond() float64 { return float64(r.entries) / r.cpu.Seconds() }

func (r reading) perSecond() float64 { return float64(r.entries) / r.wall.Seconds() }

// reader reads entries in one way.
type reader struct {
	// pid is the process of which the CPU time counts.
	pid  int
	read func(ctx context.Context, kind entryKind, entries [][]byte) error
}

func readers(w *watcher) (map[way]reader, error) {
	mapper, err := mapping.New(mapping.Options{})
	if err != nil {
		return nil, err
	}
	here := func(check func(kind entryKind, entry []byte) error) reader {
		return reader{os.Getpid(), func(_ context.Context, kind entryKind, entries [][]byte) error {
			for _, entry := range entries {
				if err := check(kind, entry); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	return map[way]reader{
		unmarshal: here(func(_ entryKind, entry []byte) error {
			var into map[string]any
			return json.Unmarshal(entry, &into)
		}),
		caresAlone: here(func(kind entryKind, entry []byte) error {
			if mapper.Cares(entry) != (kind != ignored) {
				return fmt.Errorf("cares wrongly about %s", entry)
			}
			return nil
		}),
		mapAlone: here(func(_ entryKind, entry []byte) error {
			if r, err := mapper.Map(entry); err != nil || r.Care != auditlog.Judge {
				return fmt.Errorf("reads %s wrongly: %v", entry, err)
			}
			return nil
		}),
		whole:      {w.command.Process.Pid, w.fromFile},
		wholeCloud: {w.command.Process.Pid, w.fromStream},
	}, nil
}

// measureRates lets each way read each kind of entries, in turns.
func measureRates(ctx context.Context, o options, w *watcher, l *auditLog) ([]*rate, error) {
	readers, err := readers(w)
	if err != nil {
		return nil, err
	}
	var rates []*rate
	for _, kind := range entryKinds {
		for _, way := range waysOf(kind) {
			rates = append(rates, &rate{kind: kind, way: way})
		}
	}
	for range o.rounds {
		for _, r := range rates {
			// Nothing comes twice: what was judged before costs less.
			one, err := readers[r.way].measure(ctx, r.kind, l.take(r.kind, entriesOf(r.kind, o)))
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", r.kind, r.way, err)
			}
			r.samples = append(r.samples, one)
		}
	}
	return rates, nil
}

func (r reader) measure(ctx context.Context, kind entryKind, entries [][]byte) (reading, error) {
	runtime.GC() // what making the entries left behind
	one := reading{entries: len(entries), bytes: bytesOf(entries)}
	before, err := cpuTime(r.pid)
	if err != nil {
		return one, err
	}
	start := time.Now()
	if err := r.read(ctx, kind, entries); err != nil {
		return one, err
	}
	one.wall = time.Since(start)
	after, err := cpuTime(r.pid)
	one.cpu = after - before
	return one, err
}
