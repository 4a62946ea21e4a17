package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/pause"
	"github.com/mollyguard/mollyguard/webhook"
)

// deskCases is what the floor learns grants from.
type deskCases struct {
	breakglass.Store
	*breakglass.Desk
}

// wantsFloor says whether the configuration wants a floor. Where it could not do
// anything, the log says why.
func wantsFloor(c config.Configuration, log *slog.Logger) bool {
	if *c.Kubernetes.Floor.Manage && !*c.Policies.Embedded {
		log.Warn("there is no floor: it refuses what the embedded policies refuse, and they are not used")
	}
	return *c.Kubernetes.Floor.Manage && *c.Policies.Embedded
}

// errFloors says that the kind Floor came to be installed.
var errFloors = errors.New("the definition of the kind Floor is installed now")

// hasFloors asks the API server, until it answers, whether it has the kind Floor.
// Policies whose parameter is of no kind would refuse what they should not.
func hasFloors(ctx context.Context, mapper meta.RESTMapper, log *slog.Logger) bool {
	for ctx.Err() == nil {
		_, err := mapper.RESTMapping(v1alpha1.GroupVersion().WithKind("Floor").GroupKind())
		switch {
		case err == nil:
			return true
		case meta.IsNoMatchError(err):
			return false
		}
		log.Error("the API server does not say whether it has the kind Floor, asking again", "error", err)
		_ = pause.For(ctx, cacheRetry) // the loop looks whether ctx ended
	}
	return false
}

// awaitFloors returns errFloors once the API server has the kind Floor, and nil when ctx
// ends. Manifests that are applied all at once start the server before its definitions are
// served.
func awaitFloors(ctx context.Context, mapper meta.RESTMapper, every time.Duration, log *slog.Logger) error {
	log.Warn("there is no floor: the definition of the kind Floor is not installed; looking again from time to time")
	for pause.For(ctx, every) == nil {
		if hasFloors(ctx, mapper, log) {
			return errFloors
		}
	}
	return nil
}

// floorsAgain is how often is looked whether the kind Floor is there: soon enough for an
// installation, and two requests a minute for discovery where it never comes.
const floorsAgain = 30 * time.Second

// floorOptions is what the floor is made from.
func floorOptions(c config.Configuration, options webhook.ConfigurationOptions, env *surroundings, self string) webhook.FloorOptions {
	o := webhook.FloorOptions{
		ConfigurationOptions: options, Cluster: c.Cluster, Self: self,
		Enforcement: enforcementRules(c), DryRun: c.DryRunEnforcement,
	}
	o.Own = ownership(c)
	o.Own.Account = self
	o.Exempt = givenExemptions(c) // the control plane is among the options already
	o.Advice.BreakGlass = c.BreakGlass.Store != config.StoreNone
	if env != nil {
		o.Advice.BreakGlass = env.granted != nil
		if env.granted != nil && !env.webhook.cases {
			o.Advice.Server = c.API.URL
		}
	}
	return o
}

// ledgerInterval is how often a ledger is looked at for grants: it cannot be watched.
const ledgerInterval = 2 * time.Second

// floorInterval is how often the content of the floor is looked at without a reason.
func (env *surroundings) floorInterval() time.Duration {
	if env.granted != nil && !env.webhook.cases {
		return ledgerInterval
	}
	return 0
}

// watchGrants tells of what may change what is granted, until ctx ends.
func (env *surroundings) watchGrants(ctx context.Context, changed chan<- struct{}, log *slog.Logger) error {
	if !env.webhook.cases {
		return nil
	}
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // one is waiting already
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range []string{"BreakGlassVerdict", "Grant", "BreakGlassUse"} {
		group.Go(func() error {
			return notifyOf(ctx, env.cluster.caches, metadataOf(v1alpha1.GroupVersion().WithKind(kind)), notify, log)
		})
	}
	return group.Wait()
}

// selfPatience is how long a server asks who it is before it goes on without the answer,
// which comes within milliseconds unless it is refused.
const selfPatience = 10 * time.Second

// knownAs asks the API server who this server is to it, for a while. If it does not say,
// who this server should be counts.
func knownAs(ctx context.Context, clients kubernetes.Interface, should string, log *slog.Logger) string {
	patient, cancel := context.WithTimeout(ctx, selfPatience)
	defer cancel()
	ask := ownName(clients)
	for {
		self, err := ask(patient)
		if err == nil {
			return self.Name
		}
		if patient.Err() == nil {
			log.Error("the API server does not say who this server is, asking again", "error", err)
		}
		if pause.For(patient, cacheRetry) != nil {
			break
		}
	}
	if ctx.Err() == nil {
		log.Error("the API server does not say who this server is: going on as who it should be", "user", should)
	}
	return should
}
