package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// indexPatience is how long a server that has just started calls itself not ready while
// it reads the cluster: 100,000 objects take some ten seconds. After that it is better
// than none: what it does not know yet counts as production.
const indexPatience = time.Minute

// gcPercent is the garbage collector's GOGC while there is an index: what lives on the heap
// is then some 38 MiB for 100,000 objects, and Go's 100 would let as much garbage lie
// beside it. 50 makes the process 25 MiB smaller at all times, for about a tenth of the
// CPU when thousands of reviews come in a second (docs/benchmarks.md). What is less than
// 50 costs more and saves little.
const gcPercent = 50

// saveMemory sets gcPercent, unless the environment has said what GOGC is.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// openIndex begins to know what is in the cluster, unless that is switched off.
func (env *surroundings) openIndex(c config.Configuration, log *slog.Logger, registerer prometheus.Registerer) error {
	if !*c.Kubernetes.Index.Enabled {
		return nil
	}
	marks, err := guard.NewMarks(productionRules(c))
	if err != nil {
		return err
	}
	known := index.New(index.Options{
		Production: index.Production{Object: marks.Object, Namespace: marks.Namespace},
		Registerer: registerer,
	})
	feed, err := index.NewFeed(index.FeedOptions{
		Config: env.cluster.config, HTTPClient: env.cluster.httpClient, Sink: known, Exclude: c.Kubernetes.Index.Exclude, Log: log,
	})
	if err != nil {
		return fmt.Errorf("watch the cluster: %w", err)
	}
	saveMemory()
	env.index, env.parents = known, known
	env.run = append(env.run, feed.Run)
	return nil
}

// indexCheck says whether the cluster has been read, or should have been.
func indexCheck(known *index.Index, now func() time.Time) check {
	var read atomic.Bool
	start := now()
	return check{"index", func() (string, error) {
		err := known.Synced()
		switch {
		case err == nil:
			read.Store(true)
			return "", nil
		case read.Load() || now().Sub(start) > indexPatience:
			return "not all of the cluster is known: " + err.Error(), nil
		}
		return "", err
	}}
}
