package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/alert/sink"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// alerting tells people, put together from a configuration. A nil alerting tells
// nobody.
type alerting struct {
	book      *alert.Book
	deliverer *alert.Deliverer
	ledger    *ledger.Ledger
	sinks     *sinks
}

// openAlerting returns nil if there are no sinks.
func openAlerting(ctx context.Context, s streams, c config.Configuration, book *ledger.Ledger, e *engine.Engine, inCluster bool, log *slog.Logger, registerer prometheus.Registerer) (*alerting, error) {
	if len(c.Alerts.Sinks) == 0 {
		return nil, nil
	}
	sinks, err := openSinks(ctx, s, c, log)
	if err != nil {
		return nil, err
	}
	a := &alerting{ledger: book, sinks: sinks}
	if a.book, err = newBook(c, e, inCluster); err != nil {
		return nil, errors.Join(err, sinks.Close())
	}
	a.deliverer, err = alert.NewDeliverer(alert.DelivererOptions{Ledger: book, Book: a.book, Sinks: sinks.byName, Log: log, Registerer: registerer})
	if err != nil {
		return nil, errors.Join(err, sinks.Close())
	}
	return a, nil
}

// approveAt is the command that approves a request where cases are in the cluster, or
// else at the API.
func approveAt(c config.Configuration, inCluster bool) func(handle string) string {
	if inCluster || c.API.URL == "" {
		return nil
	}
	return func(handle string) string {
		return "mollyguard break-glass approve " + handle + " --server " + c.API.URL
	}
}

func newBook(c config.Configuration, e *engine.Engine, inCluster bool) (*alert.Book, error) {
	o := alert.BookOptions{Cluster: c.Cluster, Help: c.Help, UpdateInterval: c.Alerts.UpdateInterval, Approve: approveAt(c, inCluster), Runbooks: map[string]string{}}
	for _, sink := range c.Alerts.Sinks {
		o.Sinks = append(o.Sinks, sink.Name)
	}
	for _, r := range c.Alerts.Routes {
		route := alert.Route{Severities: r.Severities, Surfaces: r.Surfaces, Projects: r.Projects, Sinks: r.Sinks}
		for _, kind := range r.Kinds {
			route.Kinds = append(route.Kinds, alert.Kind(kind))
		}
		o.Routes = append(o.Routes, route)
	}
	for _, policy := range e.Current().Policies() {
		if policy.Runbook != "" {
			o.Runbooks[policy.Name] = policy.Runbook
		}
	}
	return alert.NewBook(o)
}

// close ends the connections of the sinks.
func (a *alerting) close(err *error) {
	if a != nil {
		*err = errors.Join(*err, a.sinks.Close())
	}
}

// tell tells people of a decision that was made at a door.
func (a *alerting) tell(ctx context.Context, d operation.Decision) error {
	err := a.ledger.Update(ctx, func(tx *ledger.Tx) error {
		_, err := a.book.TellDecision(tx, d)
		return err
	})
	if err == nil {
		a.deliverer.Wake()
	}
	return err
}

// telling is a Recorder that tells people of what went through a door though a policy
// wants them to know. What was seen afterwards is told by who saw it.
type telling struct {
	guard.Recorder
	// to is nil, or returns nil, if nobody is to be told.
	to func() *alerting
}

// Record implements guard.Recorder.
func (t telling) Record(ctx context.Context, d operation.Decision) error {
	if err := t.Recorder.Record(ctx, d); err != nil {
		return err
	}
	if d.Outcome != operation.OutcomeAlert || d.Phase != operation.Requested || d.DryRun || t.to == nil {
		return nil
	}
	if a := t.to(); a != nil {
		return a.tell(ctx, d)
	}
	return nil
}

const (
	// maxCopies is how many decisions wait to be written to Cloud Logging: at 10 KiB,
	// 10 MiB.
	maxCopies = 1000
	// copyTimeout bounds one write.
	copyTimeout = 10 * time.Second
	copyWorkers = 4
)

// copies is a Recorder that also writes decisions to Cloud Logging. They are a copy:
// what does not get there is counted, and holds nobody up.
type copies struct {
	guard.Recorder
	waiting chan operation.Decision
	to      *sink.CloudLogging
	unsent  prometheus.Counter
	log     *slog.Logger
}

func newCopies(ctx context.Context, next guard.Recorder, o config.CloudLogging, log *slog.Logger, registerer prometheus.Registerer) (*copies, error) {
	to, err := newCloudLogging(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("alerts.decisions: %w", err)
	}
	c := &copies{Recorder: next, waiting: make(chan operation.Decision, maxCopies), to: to, log: log, unsent: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mollyguard_decisions_not_copied_total",
		Help: "Decisions that could not be written to Cloud Logging beside the decision log.",
	})}
	registerer.MustRegister(c.unsent)
	return c, nil
}

// close ends the connection.
func (c *copies) close(err *error) {
	if c != nil {
		*err = errors.Join(*err, c.to.Close())
	}
}

// Record implements guard.Recorder. What touches no production and breaks no policy is
// not copied.
func (c *copies) Record(ctx context.Context, d operation.Decision) error {
	if err := c.Recorder.Record(ctx, d); err != nil {
		return err
	}
	if d.Outcome == operation.OutcomeAllow && len(d.Violations) == 0 {
		return nil
	}
	select {
	case c.waiting <- d:
	default:
		c.unsent.Inc()
	}
	return nil
}

// run writes until ctx ends.
func (c *copies) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-c.waiting:
			if err := c.copy(ctx, d); err != nil && ctx.Err() == nil {
				c.unsent.Inc()
				c.log.Error("decision not written to Cloud Logging", "error", err, "decision", d.ID)
			}
		}
	}
}

func (c *copies) copy(ctx context.Context, d operation.Decision) error {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	return c.to.WriteDecision(ctx, d)
}
