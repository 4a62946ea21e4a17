package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pace"
)

// podUID is the environment variable that the Deployment puts the pod's uid into.
const podUID = "POD_UID"

// openPace has a book of what each actor does to production, which replicas share where
// there can be several. It is nil if any number is allowed, or where nothing can be
// stopped.
func (env *surroundings) openPace(c config.Configuration, log *slog.Logger, registerer prometheus.Registerer) (guard.Pace, error) {
	m := c.Kubernetes.MassChange
	if *m.Limit == 0 || env.auditOnly {
		return nil, nil
	}
	book, err := pace.New(pace.Options{Limit: *m.Limit, Window: m.Window})
	if err != nil {
		return nil, err
	}
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mollyguard_mass_change_actors",
		Help: "Actors who have deleted or weakened as much of production as kubernetes.massChange lets them.",
	}, func() float64 { return float64(book.AtLimit(time.Now())) }))
	if env.cluster != nil && env.cluster.inCluster { // outside there is one server
		env.run = append(env.run, sharePace(c, env.cluster, book, log))
	}
	return book, nil
}

func sharePace(c config.Configuration, cluster *clusterAccess, book *pace.Book, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		pod, err := os.Hostname() // the pod's name
		if err != nil {
			return fmt.Errorf("name this replica: %w", err)
		}
		return kube.PaceSharing{
			Clients: cluster.clients, Namespace: c.Kubernetes.Webhook.Service.Namespace,
			Pod: pod, PodUID: types.UID(os.Getenv(podUID)), Counts: book, Log: log,
		}.Run(ctx)
	}
}

// plannedRules are issuing rules that ask for as many approvals of a planned mass change
// as policies will want of it: an approval cannot be added to a grant that was issued.
type plannedRules struct {
	breakglass.Rules
	// limit is how many objects need no more approvals than one; 0 is any number.
	limit int
	// planned returns what will stand against the last of so many operations like this.
	planned func(ctx context.Context, actor operation.Actor, verb operation.Verb, target operation.Reference, objects int) ([]operation.Violation, error)
}

// Judge implements breakglass.Rules.
func (r plannedRules) Judge(ctx context.Context, q breakglass.Question) (breakglass.Answer, error) {
	answer, err := r.Rules.Judge(ctx, q)
	planned := q.Request
	// At use the operation itself says how bad it is.
	if err != nil || r.limit == 0 || planned.Objects <= r.limit || planned.Surface != operation.Kubernetes || q.Stage == breakglass.StageUse {
		return answer, err
	}
	actor := planned.Requester
	if planned.Subject != actor.Name {
		actor = operation.Actor{Identity: operation.Identity{Name: planned.Subject, Kind: operation.Service}}
	}
	if len(planned.Targets) == 0 {
		return breakglass.Answer{}, errors.New("ask what the policies hold against a request that names no object")
	}
	for _, verb := range planned.Verbs {
		violations, err := r.planned(ctx, actor, verb, planned.Targets[0], planned.Objects)
		if err != nil {
			return breakglass.Answer{}, fmt.Errorf("ask what the policies hold against %d of them: %w", planned.Objects, err)
		}
		for _, v := range violations {
			answer.Approvals = max(answer.Approvals, v.BreakGlass.Approvals)
		}
	}
	return answer, nil
}

// planned is violations for the last of a number of operations.
func (h *house) planned(ctx context.Context, actor operation.Actor, verb operation.Verb, target operation.Reference, objects int) ([]operation.Violation, error) {
	return h.assembly.reviewer.Assess(ctx, intending{h.assembly.guard, objects}, actor, verb, target)
}

// intending assesses an operation as one of many.
type intending struct {
	*guard.Guard
	objects int
}

// Assess implements webhook.Assessor.
func (i intending) Assess(ctx context.Context, op operation.Operation) ([]operation.Violation, error) {
	op.Recent.Count = i.objects
	return i.Guard.Assess(ctx, op)
}
