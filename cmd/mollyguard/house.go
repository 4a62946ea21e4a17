package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
)

// house is what a server does its work with, put together from a configuration. What
// is off is nil: the desk, alerting, watching.
type house struct {
	assembly *assembly
	desk     *desk
	alerting *alerting
	watching *watching
	copies   *copies
	// emergency are the sinks for when the ledger cannot be written.
	emergency *sinks
	log       *slog.Logger
}

// furnish puts a house together. Its parts ask each other while it runs, so some of
// them are told where to find others before those are there.
func furnish(ctx context.Context, s streams, c config.Configuration, env *surroundings, books *books, log *slog.Logger, registry *prometheus.Registry) (*house, error) {
	h := &house{log: log}
	var err error
	if h.desk, err = env.openDesk(ctx, c, books, h, log, registry); err != nil {
		return nil, err
	}
	recorder := guard.Recorder(telling{Recorder: books.recent, to: func() *alerting { return h.alerting }})
	p := parts{lookup: env.lookup, log: log, registerer: registry}
	if env.index != nil {
		p.dependents = env.index
	}
	if h.desk != nil {
		p.breakGlass = h.desk
	}
	if p.pace, err = env.openPace(c, log, registry); err != nil {
		return nil, err
	}
	if p.around, err = env.floorWait(c, log); err != nil {
		return nil, err
	}
	if d := c.Alerts.Decisions; d != nil {
		if h.copies, err = newCopies(ctx, recorder, *d, log, registry); err != nil {
			return nil, err
		}
		recorder = h.copies
	}
	p.recorder = recorder
	if h.assembly, err = assemble(ctx, c, p); err != nil {
		return nil, err
	}
	if h.alerting, err = openAlerting(ctx, s, c, books.ledger, h.assembly.engine, env.webhook.cases, log, registry); err != nil {
		return nil, err
	}
	if h.watching, err = openWatching(ctx, c, env, books, recorder, h.assembly, h.alerting, log, registry); err != nil {
		h.close(&err)
		return nil, err
	}
	if h.watching != nil {
		// Sinks of its own: one takes one alert at a time, and theirs are the deliverer's.
		if h.emergency, err = openSinks(ctx, s, c, log); err != nil {
			h.close(&err)
			return nil, err
		}
	}
	if env.certificates != nil {
		certificateMetrics(registry, env.certificates)
	}
	return h, nil
}

// violations are what would stand against what somebody intends to do, wherever that
// is.
func (h *house) violations(ctx context.Context, env *surroundings, actor operation.Actor, verb operation.Verb, target operation.Reference) ([]operation.Violation, error) {
	if _, _, inCloud := operation.ParseGCPRef(target.Ref); inCloud {
		return h.watching.assess(ctx, h.assembly, actor, verb, target)
	}
	if _, planned := operation.ParsePlanRef(target.Ref); planned {
		return againstPlan(), nil
	}
	if err := env.checkKind(target); err != nil {
		return nil, err
	}
	return h.assembly.reviewer.Assess(ctx, h.assembly.guard, actor, verb, target)
}

// againstPlan is what stands against a Terraform plan that is only known by its digest:
// whoever asks has been refused by policies elsewhere, and says how many approvals those
// demand (breakglass.Request.Approvals).
func againstPlan() []operation.Violation {
	return []operation.Violation{{
		Policy: "plan", Severity: operation.High, Enforcement: operation.EnforceDeny,
		Message: "the plan was refused where it was checked", BreakGlass: operation.BreakGlass{Approvals: 1},
	}}
}

// checks say whether the server is ready.
func (h *house) checks(env *surroundings) []check {
	checks := []check{{"policies", func() (string, error) { return policyDetail(h.assembly.engine), nil }}}
	if env.certificates != nil {
		checks = append(checks, check{"certificate", func() (string, error) { return certificateDetail(env.certificates), env.certificates.Ready() }})
	}
	checks = append(checks, check{"caches", func() (string, error) { return "", env.synced() }})
	if env.index != nil {
		checks = append(checks, indexCheck(env.index, time.Now))
	}
	if h.watching != nil {
		checks = append(checks, check{"audit", func() (string, error) {
			err := h.watching.watcher.Ready()
			if err != nil && !env.auditOnly { // a full disk must not take the webhook out of its Service
				return "but what is read cannot be kept: " + err.Error(), nil
			}
			return "", err
		}})
	}
	return checks
}

// tasks are what runs as long as the server, on every replica.
func (h *house) tasks(c config.Configuration, env *surroundings) []func(context.Context) error {
	tasks := append(env.run, func(ctx context.Context) error { return h.assembly.engine.Watch(ctx, c.Policies.ReloadInterval) })
	if env.certificates != nil {
		tasks = append(tasks, env.certificates.Run)
	}
	if h.desk != nil {
		tasks = append(tasks, h.desk.run(c)...)
	}
	if h.copies != nil {
		for range copyWorkers {
			tasks = append(tasks, h.copies.run)
		}
	}
	var tell func(context.Context, operation.Decision) error
	if h.alerting != nil {
		tell = h.alerting.tell
		tasks = append(tasks, h.alerting.deliverer.Run)
	}
	if env.corrections != nil {
		tasks = append(tasks, func(ctx context.Context) error { return env.corrections.run(ctx, h.assembly.guard.Decide, tell) })
	}
	if h.watching != nil {
		e := &emergency{
			sinks: h.emergency.byName, trouble: h.watching.watcher.Ready, cluster: c.Cluster, help: c.Help, now: time.Now, log: h.log,
		}
		tasks = append(tasks, e.run)
	}
	return append(tasks, h.watching.run()...)
}

// close ends what is connected to others.
func (h *house) close(err *error) {
	h.alerting.close(err)
	h.copies.close(err)
	if h.emergency != nil {
		*err = errors.Join(*err, h.emergency.Close())
	}
}
