package main

import (
	"context"
	"fmt"
	"log/slog"
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
	env.index, env.parents = known, known
	env.run = append(env.run, feed.Run, func(ctx context.Context) error { return saveMemory(ctx, known.Synced) })
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
