// Package guard decides. Every surface hands it an operation and gets a decision
// back; the way from one to the other is the same for all of them:
//
//	production → policies → enforcement → exemption → grant → record
//
// The package owns that order and nothing else. What policies say, where records
// go and how an operation was read belong to others, behind the small interfaces
// declared here.
package guard

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// Evaluator says what the policies hold against an operation. The violations
// carry no Enforcement, and are the caller's to change. An error means that the policies
// could not be asked. It is called concurrently.
type Evaluator interface {
	Evaluate(ctx context.Context, op *operation.Operation, grant *operation.Grant) ([]operation.Violation, error)
}

// Recorder keeps decisions. When Record returns nil the decision is where it
// will be found later. It is called concurrently.
type Recorder interface {
	Record(ctx context.Context, decision operation.Decision) error
}

// BreakGlass finds grants. *breakglass.Desk is one. It is called concurrently.
type BreakGlass interface {
	Find(ctx context.Context, op *operation.Operation, severity operation.Severity) (breakglass.Finding, error)
}

// Options says what a Guard is made of. Evaluator, Recorder and Entropy are
// required.
type Options struct {
	Evaluator Evaluator
	Recorder  Recorder
	// BreakGlass lifts denials; nil means that nothing does.
	BreakGlass BreakGlass
	// Pace counts what actors do to production; nil means that nobody does.
	Pace Pace

	Production  ProductionRules
	Enforcement []EnforcementRule
	Exempt      []Exemption

	// DryRunEnforcement turns every denial, and every failure to decide, into a
	// warning: for a first installation that must not stop anybody.
	DryRunEnforcement bool
	// UnknownIsNotProduction is for offline review only, where there is no
	// cluster to ask: what is unknown is listed, but does not make a target
	// production.
	UnknownIsNotProduction bool

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Entropy makes decision ids unguessable; crypto/rand.Reader, except in tests.
	Entropy io.Reader
	// Log is told what could not be recorded; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Guard decides. It may be used concurrently.
type Guard struct {
	evaluator   Evaluator
	recorder    Recorder
	breakGlass  BreakGlass
	pace        Pace
	production  production
	enforcement enforcement
	exempt      exemptions

	dryRunEnforcement      bool
	unknownIsNotProduction bool

	now     func() time.Time
	log     *slog.Logger
	metrics metrics

	entropyLock sync.Mutex
	entropy     io.Reader
}

// New returns a Guard, or an error that lists every rule that does not parse.
func New(opts Options) (*Guard, error) {
	if opts.Evaluator == nil || opts.Recorder == nil || opts.Entropy == nil {
		return nil, errors.New("guard: Evaluator, Recorder and Entropy are required")
	}
	production, productionErr := newProduction(opts.Production)
	enforcement, enforcementErr := newEnforcement(opts.Enforcement)
	exempt, exemptErr := newExemptions(opts.Exempt)
	if err := errors.Join(productionErr, enforcementErr, exemptErr); err != nil {
		return nil, err
	}
	g := &Guard{
		evaluator: opts.Evaluator, recorder: opts.Recorder, breakGlass: opts.BreakGlass, pace: opts.Pace,
		production: production, enforcement: enforcement, exempt: exempt,
		dryRunEnforcement: opts.DryRunEnforcement, unknownIsNotProduction: opts.UnknownIsNotProduction,
		now: opts.Now, log: opts.Log, metrics: newMetrics(opts.Registerer), entropy: opts.Entropy,
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	return g, nil
}

// Decide judges an operation and records the decision before returning it.
//
// What has happened already cannot be denied any more: where policies would have
// denied it and no grant lifts that, the outcome is alert.
//
// It always returns a decision. One that could not be reached has the outcome
// undecided and says why in Error; so has one that would let production be
// touched but could not be recorded. A refusal that could not be recorded stays
// a refusal.
func (g *Guard) Decide(ctx context.Context, op operation.Operation) operation.Decision {
	start := g.now()
	op.Time = timeOf(&op, start)
	op.Production = g.production.judge(&op, !g.unknownIsNotProduction)
	g.look(&op)

	violations, err := g.evaluate(ctx, &op, nil)
	decision := g.decisionOn(&op, violations, err)
	if decision.Outcome == operation.OutcomeDeny && g.breakGlass != nil {
		decision = g.lift(ctx, &op, decision)
	}
	decision = afterTheFact(decision)
	g.count(&op, decision)
	decision = g.record(ctx, decision)
	g.metrics.observe(decision, g.now().Sub(start))
	return decision
}

// timeOf is when an operation is judged, or when it happened if it can only be
// judged afterwards. What claims to come from the future is judged as of now.
func timeOf(op *operation.Operation, now time.Time) time.Time {
	if op.Phase != operation.Requested && !op.Time.IsZero() && op.Time.Before(now) {
		now = op.Time
	}
	return now.UTC().Truncate(time.Millisecond)
}

// afterTheFact turns a denial of what has happened already into an alert: there is
// nobody left to deny it to.
func afterTheFact(d operation.Decision) operation.Decision {
	if d.Phase == operation.Requested || d.Outcome != operation.OutcomeDeny {
		return d
	}
	d.Outcome = operation.OutcomeAlert
	for i := range d.Violations {
		if d.Violations[i].Enforcement == operation.EnforceDeny {
			d.Violations[i].Enforcement = operation.EnforceAlert
		}
	}
	return d
}

// evaluate asks the policies about each verb of an operation: one that does several
// things at once is held to what they say of every one. Policies that do not look at
// the verb say the same each time, which is told once; what differs, if only in the
// approvals that it asks for, stays.
func (g *Guard) evaluate(ctx context.Context, op *operation.Operation, grant *operation.Grant) ([]operation.Violation, error) {
	violations, err := g.evaluator.Evaluate(ctx, op, grant)
	for _, verb := range op.Also {
		if err != nil {
			break
		}
		one := *op
		one.Verb = verb
		var more []operation.Violation
		if more, err = g.evaluator.Evaluate(ctx, &one, grant); err == nil {
			violations = append(violations, slices.DeleteFunc(more, func(v operation.Violation) bool { return slices.Contains(violations, v) })...)
		}
	}
	if err != nil {
		return nil, err
	}
	return violations, nil
}

// Assess returns the violations that would deny an operation which nobody has
// asked for yet, or nothing for an exempt actor. Where Recent.Count is set, so many like
// it are intended, and what counts is the last of them. It records nothing, and looks
// for no grant. An error means that the policies could not be asked.
func (g *Guard) Assess(ctx context.Context, op operation.Operation) ([]operation.Violation, error) {
	op.Time = g.now().UTC().Truncate(time.Millisecond)
	op.Production = g.production.judge(&op, !g.unknownIsNotProduction)
	g.intend(&op)
	violations, err := g.evaluator.Evaluate(ctx, &op, nil)
	if err != nil {
		return nil, err
	}
	if _, exempt := g.exempt.find(&op); exempt {
		return nil, nil
	}
	var denying []operation.Violation
	for _, v := range violations {
		if v.Enforcement = g.enforcement.of(v.Policy, &op); v.Enforcement == operation.EnforceDeny {
			denying = append(denying, v)
		}
	}
	return denying, nil
}

// Undecidable is the decision on something that could not even be read as an
// operation: op holds what is known of it. It is recorded like any other.
func (g *Guard) Undecidable(ctx context.Context, op operation.Operation, cause error) operation.Decision {
	op.Time = timeOf(&op, g.now())
	if !g.unknownIsNotProduction {
		op.Production = operation.Production{Is: true, Target: true, Because: []string{"it could not be read, and unknown counts as production"}}
	}
	decision := g.record(ctx, g.decisionOn(&op, nil, cause))
	g.metrics.count(decision)
	return decision
}

func (g *Guard) decisionOn(op *operation.Operation, violations []operation.Violation, err error) operation.Decision {
	id := op.DecisionID
	if id == "" {
		id = g.newID(op.Time)
	}
	decision := operation.Decision{
		ID: id, Time: op.Time,
		Surface: op.Surface, Verb: op.Verb, Also: op.Also, Phase: op.Phase,
		Actor: op.Actor.Identity, Target: op.Target.Reference,
		Production: op.Production, Changes: op.Changes, Dependents: op.Dependents, Volumes: op.Volumes,
		Violations: violations, DryRun: op.DryRun, Unknown: op.Unknown, Source: op.Source,
		Project: op.Target.Project, Location: op.Target.Location, Origin: op.Origin, Mediation: op.Mediation,
		Address: op.Target.Address,
	}
	if err != nil {
		decision.Outcome, decision.Error = operation.OutcomeUndecided, err.Error()
	} else {
		decision.Outcome = operation.OutcomeAllow
		for i := range violations {
			violations[i].Enforcement = g.enforcement.of(violations[i].Policy, op)
			decision.Outcome = stronger(decision.Outcome, outcomeOf(violations[i].Enforcement))
		}
	}
	if decision.Outcome == operation.OutcomeAllow {
		return decision
	}
	if name, ok := g.exempt.find(op); ok {
		decision.Outcome, decision.Exempt = operation.OutcomeAllow, name
	} else if g.dryRunEnforcement && decision.Refused() {
		decision.Outcome = operation.OutcomeWarn
		for i := range violations {
			if violations[i].Enforcement == operation.EnforceDeny {
				violations[i].Enforcement = operation.EnforceWarn
			}
		}
	}
	return decision
}
