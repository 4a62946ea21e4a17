package main

import (
	"context"
	"log/slog"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

const (
	// maxCorrections is how many corrections wait to be told: the keeper makes nine of
	// each of seven objects at once, and then one every other second.
	maxCorrections = 64
	// correctionTimeout bounds one decision and what is told of it.
	correctionTimeout = 10 * time.Second
)

// corrections tell people that what the API server is told was changed, and was put
// right. No webhook is asked about such a change, so each is judged afterwards, like an
// entry of the audit log: the policy guard-weakened speaks, the decision log has it, and
// its enforcement decides who is told. Who it was only the audit log knows.
type corrections struct {
	cluster string
	waiting chan operation.Operation
	now     func() time.Time
	log     *slog.Logger
}

func newCorrections(cluster string, now func() time.Time, log *slog.Logger) *corrections {
	return &corrections{cluster: cluster, waiting: make(chan operation.Operation, maxCorrections), now: now, log: log}
}

// corrected is what the keeper calls. It never holds it up: putting right comes first.
// What an installation or an upgrade leaves to put right is not told.
func (c *corrections) corrected(_ context.Context, found webhook.Correction) {
	if found.Upgrade {
		return
	}
	select {
	case c.waiting <- c.operation(found):
	default:
		c.log.Error("a correction is not told: too many wait", "kind", found.Kind, "name", found.Name)
	}
}

// operation is what was done to an object that was put right.
func (c *corrections) operation(found webhook.Correction) operation.Operation {
	group := admissionregistrationv1.GroupName
	if found.Kind == "Floor" {
		group = v1alpha1.GroupVersion().Group
	}
	plural, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: group, Kind: found.Kind})
	verb, change := operation.Unprotect, found.What
	if found.What == webhook.CorrectedDeletion {
		verb = operation.Delete
	}
	if found.By != webhook.ByUnknown {
		change += " with " + operation.Printable(found.By)
	}
	return operation.Operation{
		Surface: operation.Kubernetes, Verb: verb, Phase: operation.Finished, Time: c.now(),
		Target: operation.Target{
			Reference: operation.Reference{
				Ref: operation.KubernetesRef(c.cluster, group, plural.Resource, "", found.Name), Kind: found.Kind, Name: found.Name,
			},
			Group: group, Resource: plural.Resource, Cluster: c.cluster, Own: true,
		},
		Changes: []string{change + ", and put right by mollyguard"},
	}
}

// run judges and tells until ctx ends. tell may be nil.
func (c *corrections) run(ctx context.Context, decide func(context.Context, operation.Operation) operation.Decision, tell func(context.Context, operation.Decision) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case op := <-c.waiting:
			c.judge(ctx, op, decide, tell)
		}
	}
}

func (c *corrections) judge(ctx context.Context, op operation.Operation, decide func(context.Context, operation.Operation) operation.Decision, tell func(context.Context, operation.Decision) error) {
	ctx, cancel := context.WithTimeout(ctx, correctionTimeout)
	defer cancel()
	d := decide(ctx, op)
	if tell == nil {
		return
	}
	if err := tell(ctx, d); err != nil {
		c.log.Error("a correction could not be told", "error", err, "decision", d.ID)
	}
}
