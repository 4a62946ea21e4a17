package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pause"
	"github.com/mollyguard/mollyguard/webhook"
)

const (
	// floorPatience is how long an answer waits for the floor to learn of a grant: the
	// floor looks at a ledger every other second (ledgerInterval), and is written within
	// one.
	floorPatience = 3 * time.Second
	// floorMargin is left of the time that the API server waits for an answer.
	floorMargin = 500 * time.Millisecond
	// floorPoll is between two looks.
	floorPoll = 50 * time.Millisecond
	// floorSeen is how long API servers have to see what was written: they watch it.
	floorSeen = 150 * time.Millisecond
)

// floorWait is a Decider that lets nothing through by a grant before the floor knows of
// the grant. The API server asks the floor in the same request, a moment after the
// webhook has answered. A grant that was only just issued, and a token of which nothing
// is known here before it is presented, would be refused there.
type floorWait struct {
	webhook.Decider
	floors client.Reader
	// name is the Floor's.
	name string
	log  *slog.Logger
}

// floorWait returns what makes a Decider wait for the floor, or nil where none is wanted.
func (env *surroundings) floorWait(c config.Configuration, log *slog.Logger) (func(webhook.Decider) webhook.Decider, error) {
	wanted := *c.Kubernetes.Webhook.Manage && *c.Kubernetes.Floor.Manage && *c.Policies.Embedded
	if env.cluster == nil || env.auditOnly || !wanted {
		return nil, nil
	}
	known := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(known); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	floors, err := client.New(env.cluster.config, client.Options{HTTPClient: env.cluster.httpClient, Scheme: known, Mapper: env.cluster.mapper})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return func(next webhook.Decider) webhook.Decider {
		return &floorWait{Decider: next, floors: floors, name: c.Kubernetes.Webhook.Name, log: log}
	}, nil
}

// Decide implements webhook.Decider.
func (w *floorWait) Decide(ctx context.Context, op operation.Operation) operation.Decision {
	d := w.Decider.Decide(ctx, op)
	// What is tried as a dry run uses nothing up, so the floor does not learn of it.
	if d.Grant == "" || d.Refused() || op.DryRun || !slices.ContainsFunc(op.Verbs(), webhook.FloorJudges) {
		return d
	}
	if err := w.wait(ctx, d.Grant, op.Target.Ref, op.Target.Within); err != nil {
		w.log.Warn("whether the floor knows of a grant was not found out: it may refuse what was let through", "decision", d.ID, "grant", d.Grant, "error", err)
	}
	return d
}

// wait returns nil once the floor knows of a grant for one of the objects, or where there
// is no floor.
func (w *floorWait) wait(ctx context.Context, grant string, refs ...string) error {
	patience := floorPatience
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline)-floorMargin)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for look := 0; ; look++ {
		var floor v1alpha1.Floor
		err := w.floors.Get(ctx, client.ObjectKey{Name: w.name}, &floor)
		switch {
		case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
			return nil
		case err != nil:
			return fmt.Errorf("read what the floor knows: %w", err)
		}
		knows := slices.ContainsFunc(floor.Spec.Grants, func(g v1alpha1.FloorGrant) bool {
			return g.Grant == grant && slices.Contains(refs, g.Ref)
		})
		switch {
		case knows && look == 0:
			return nil
		case knows:
			_ = pause.For(ctx, floorSeen) // the floor knows either way
			return nil
		}
		if err := pause.For(ctx, floorPoll); err != nil {
			return fmt.Errorf("wait for the floor to learn of it: %w", err)
		}
	}
}
