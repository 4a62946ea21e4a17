package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/auditlog/file"
	"github.com/mollyguard/mollyguard/auditlog/heartbeat"
	"github.com/mollyguard/mollyguard/auditlog/inventory"
	"github.com/mollyguard/mollyguard/auditlog/logging"
	"github.com/mollyguard/mollyguard/auditlog/mapping"
	"github.com/mollyguard/mollyguard/auditlog/pubsub"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// watching is what watches the audit log, put together from a configuration. A nil
// watching is off.
type watching struct {
	mapper    *mapping.Mapper
	inventory *inventory.Inventory
	watcher   *auditlog.Watcher
	judging   auditlog.Judging
	heart     *heartbeat.Heart // nil if none beats
}

// openWatching returns nil if there are no sources.
func openWatching(ctx context.Context, c config.Configuration, env *surroundings, books *books, recorder auditlog.Recorder, a *assembly, people *alerting, log *slog.Logger, registerer prometheus.Registerer) (*watching, error) {
	if len(c.Audit.Sources) == 0 {
		return nil, nil
	}
	mapper, err := newMapper(c, a)
	if err != nil {
		return nil, err
	}
	w := &watching{mapper: mapper}
	report := func(t alert.Trouble) { w.watcher.Report(ctx, t) }
	assets := c.Audit.Assets
	w.inventory, err = inventory.New(inventory.Options{
		Ledger: books.ledger, Scopes: assets.Scopes, Endpoint: assets.Endpoint, ClientOptions: googleClient(assets.Endpoint),
		RefreshInterval: assets.RefreshInterval,
		FeedProject:     assets.Feed.Project, FeedSubscription: assets.Feed.Subscription,
		FeedEndpoint: assets.Feed.Endpoint, FeedClientOptions: googleClient(assets.Feed.Endpoint),
		Log: log, Registerer: registerer,
		Report: report,
	})
	if err != nil {
		return nil, fmt.Errorf("audit.assets: %w", err)
	}
	if beat := c.Audit.Heartbeat; beat.Parent != "" {
		w.heart, err = heartbeat.New(ctx, heartbeat.Options{
			Parent: beat.Parent, Log: beat.Log, Interval: beat.Interval, Endpoint: beat.Endpoint, ClientOptions: googleClient(beat.Endpoint),
			Report: report, Logger: log,
		})
		if err != nil {
			return nil, fmt.Errorf("audit.heartbeat: %w", err)
		}
	}
	sources, err := auditSources(c, env, func(ctx context.Context, source string) (string, error) {
		return auditlog.PositionOf(ctx, books.ledger, source)
	}, log, registerer)
	if err != nil {
		return nil, err
	}
	selectors, err := parseSelectors(c.Production.Selectors)
	if err != nil {
		return nil, err
	}
	w.judging = auditlog.Judging{Inventory: w.inventory, Marks: marksOf(selectors)}
	w.watcher, err = auditlog.New(auditlog.Options{
		Sources: sources, Mapper: mapper, Judging: w.judging, Decider: a.guard, Recorder: durable{recorder, books.decisions}, Book: people.book,
		Ledger: books.ledger, Wake: people.deliverer.Wake, Silence: c.Audit.Silence, Log: log, Registerer: registerer,
	})
	return w, err
}

// durable is a Recorder of which what it took can be made durable.
type durable struct {
	auditlog.Recorder
	log *ledger.Log
}

// Sync returns nil when all that was recorded is on disk.
func (d durable) Sync(ctx context.Context) error { return d.log.Sync(ctx) }

// newMapper reads log entries. a says who is whom; it may be nil.
func newMapper(c config.Configuration, a *assembly) (*mapping.Mapper, error) {
	o := mapping.Options{Own: c.Audit.Own, OwnNames: c.Audit.OwnNames, HeartbeatLog: c.Audit.Heartbeat.Log, Files: map[string][]byte{}, Cluster: c.Cluster}
	for _, cluster := range c.Audit.Clusters {
		o.Clusters = append(o.Clusters, mapping.Cluster{
			Project: cluster.Project, Location: cluster.Location, Name: cluster.Name, Ref: cluster.Cluster,
			Guarded: cluster.Guarded, Namespace: cluster.Namespace, WebhookName: cluster.WebhookName,
		})
	}
	for _, path := range c.Audit.Mappings {
		data, err := readTable(path)
		if err != nil {
			return nil, fmt.Errorf("audit.mappings: %w", err)
		}
		o.Files[path] = data
	}
	if a != nil {
		o.KindOf = kindOf(a)
	}
	return mapping.New(o)
}

// maxTable is how large a file with a mapping table may be: the largest embedded one has
// 20 KiB.
const maxTable = 1 << 20

func readTable(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxTable+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxTable {
		return nil, fmt.Errorf("%s: larger than %d KiB", path, maxTable>>10)
	}
	return data, nil
}

// kindOf says what an actor of the audit log is: what the configuration calls an agent
// or the cluster's own machinery is that, and of the others service accounts are
// services.
func kindOf(a *assembly) func(name string) operation.ActorKind {
	return func(name string) operation.ActorKind {
		kind := a.reviewer.KindOf(name)
		if kind == operation.Human && strings.HasSuffix(name, ".gserviceaccount.com") {
			return operation.Service
		}
		return kind
	}
}

// marksOf says what labels tell, by the selectors that say what production is. Labels
// tell something if they have a key that a selector asks for.
func marksOf(selectors []labels.Selector) auditlog.Marks {
	keys := map[string]bool{}
	for _, selector := range selectors {
		requirements, _ := selector.Requirements()
		for _, requirement := range requirements {
			keys[requirement.Key()] = true
		}
	}
	return func(set map[string]string) (production, told bool) {
		for _, selector := range selectors {
			if len(set) > 0 && selector.Matches(labels.Set(set)) {
				return true, true
			}
		}
		for key := range set {
			if keys[key] {
				return false, true
			}
		}
		return false, false
	}
}

// auditSources are the sources of a configuration.
func auditSources(c config.Configuration, env *surroundings, position func(ctx context.Context, source string) (string, error), log *slog.Logger, registerer prometheus.Registerer) ([]auditlog.Source, error) {
	var sources []auditlog.Source
	var errs []error
	for i, o := range c.Audit.Sources {
		beat := ""
		if c.Audit.Heartbeat.Parent != "" {
			beat = c.Audit.Heartbeat.Log
		}
		source, err := auditSource(o, beat, log, registerer)
		if err != nil {
			errs = append(errs, fmt.Errorf("audit.sources[%d]: %w", i, err))
			continue
		}
		if o.PubSub == nil && env.cluster != nil && env.cluster.inCluster { // Pub/Sub itself shares out what there is
			source = &alone{Source: source, position: position, lead: func(others func(bool), do func(context.Context) error) func(context.Context) error {
				return leading(c, env.cluster.clients, true, auditLease, others, log, do)
			}}
		}
		sources = append(sources, source)
	}
	return sources, errors.Join(errs...)
}

// auditSource makes one. beat is the log that heartbeats are in, empty if there are
// none.
func auditSource(o config.AuditSource, beat string, log *slog.Logger, registerer prometheus.Registerer) (auditlog.Source, error) {
	switch {
	case o.PubSub != nil:
		return pubsub.New(pubsub.Options{
			Project: o.PubSub.Project, Subscription: o.PubSub.Subscription, Endpoint: o.PubSub.Endpoint,
			ClientOptions: googleClient(o.PubSub.Endpoint), Log: log, Registerer: registerer,
		})
	case o.Logging != nil:
		return logging.New(logging.Options{
			Resources: o.Logging.Resources, Filter: o.Logging.Filter, Heartbeat: beat, Endpoint: o.Logging.Endpoint,
			ClientOptions: googleClient(o.Logging.Endpoint), Log: log, Registerer: registerer,
		})
	}
	return file.New(file.Options{Path: o.File.Path, Follow: true, Log: log})
}

// auditLease is held by the replica that reads what only one should.
const auditLease = "mollyguard-audit"

// alone is a source that one replica at a time reads.
type alone struct {
	auditlog.Source
	lead func(others func(bool), do func(context.Context) error) func(context.Context) error
	// position is how far this replica got: it may lead again long after it began.
	position func(ctx context.Context, source string) (string, error)
	// others is true while another replica is known to hold the lease. One that nobody
	// may read, or contest, is held by nobody: that is silence.
	others atomic.Bool
}

// Run implements auditlog.Source.
func (a *alone) Run(ctx context.Context, _ string, hand auditlog.Hand, report auditlog.Report) error {
	return a.lead(a.others.Store, func(ctx context.Context) error {
		position, err := a.position(ctx, a.Name())
		if err != nil {
			return err
		}
		return a.Source.Run(ctx, position, hand, report)
	})(ctx)
}

// Idle reports whether another replica reads.
func (a *alone) Idle() bool { return a.others.Load() }

// run are the tasks of watching.
func (w *watching) run() []func(ctx context.Context) error {
	if w == nil {
		return nil
	}
	tasks := []func(context.Context) error{w.inventory.Run, w.watcher.Run}
	if w.heart != nil {
		tasks = append(tasks, w.heart.Run)
	}
	return tasks
}

// assess returns what would stand against an operation on a cloud resource that nobody
// has asked for yet.
func (w *watching) assess(ctx context.Context, a *assembly, actor operation.Actor, verb operation.Verb, target operation.Reference) ([]operation.Violation, error) {
	if w == nil {
		return nil, &breakglass.Refusal{Reason: operation.Printable(target.Ref) + ": this server does not watch the audit log: ask the one that does"}
	}
	if err := w.identify(verb, &target); err != nil {
		return nil, err
	}
	service, path, _ := operation.ParseGCPRef(target.Ref)
	r := auditlog.Reading{Operation: operation.Operation{
		Surface: operation.GCP, Verb: verb, Phase: operation.Requested, Actor: actor,
		Target: operation.Target{Reference: target, Group: service, Project: segmentAfter(path, "projects"), Location: segmentAfter(path, "locations", "zones", "regions")},
	}}
	w.judging.Complete(ctx, &r)
	return a.guard.Assess(ctx, r.Operation)
}

// identify fills in a target's kind. A *breakglass.Refusal says that no entry will ever
// have that name: such a grant would be missed on the night that it is for. What no table
// knows has a name and a kind from its entry.
func (w *watching) identify(verb operation.Verb, target *operation.Reference) error {
	if verb == operation.Unknown {
		return nil
	}
	kind, problem := w.mapper.Knows(target.Ref)
	switch {
	case problem != "":
		return &breakglass.Refusal{Reason: operation.Printable(target.Ref + ": " + problem)}
	case target.Kind != "" && target.Kind != kind:
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s is a %s, not a %s", operation.Printable(target.Ref), kind, operation.Printable(target.Kind))}
	}
	target.Kind = kind
	return nil
}

// segmentAfter is what follows one of some words in a path.
func segmentAfter(path string, words ...string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments[:len(segments)-1] {
		for _, word := range words {
			if segment == word {
				return segments[i+1]
			}
		}
	}
	return ""
}
