package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/webhook"
)

// keeping keeps what the API server is told: the webhook configurations, and the floor
// if there is one.
//
//	watches by name ─┐
//	CA bundle ───────┼─► Keeper ─► webhook configurations, policies, bindings, Floor
//	FloorContent ────┘                 (each as a whole, whatever was changed)
//	     └── parents that hold production, grants, clock
type keeping struct {
	c       config.Configuration
	env     *surroundings
	options webhook.ConfigurationOptions
	client  client.Client
	keeper  *webhook.Keeper
	// content is nil where no floor is wanted; floor says that there is one.
	content *webhook.FloorContent
	floor   bool
	// self is who this server is to the API server, once that is known.
	self string
	log  *slog.Logger
}

// configurationKeeper keeps what the API server is told, on the replica that leads.
func configurationKeeper(c config.Configuration, env *surroundings, ready func() bool, log *slog.Logger, registerer prometheus.Registerer) (func(context.Context) error, error) {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(known); err != nil {
			return nil, fmt.Errorf("make a client: %w", err)
		}
	}
	// Reads past the cache: what it writes has to follow from what is there now.
	direct, err := client.New(env.cluster.config, client.Options{HTTPClient: env.cluster.httpClient, Scheme: known, Mapper: env.cluster.mapper})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	options, err := webhookOptions(c)
	if err != nil {
		return nil, err
	}
	k := &keeping{c: c, env: env, options: options, client: direct, log: log}
	if wantsFloor(c, log) {
		k.content = webhook.NewFloorContent(webhook.FloorContentOptions{
			Client: direct, Name: options.Name, Parents: func() webhook.Parents { return env.parents }, Cases: func() webhook.Cases { return env.granted },
			Interval: env.floorInterval, Log: log, Registerer: registerer,
		})
	}
	env.corrections = newCorrections(c.Cluster, time.Now, log)
	k.keeper = webhook.NewKeeper(webhook.KeeperOptions{
		Client: direct, Desired: k.desired, Owner: owner(options), Tell: env.corrections.corrected, Log: log, Registerer: registerer,
	})
	return func(ctx context.Context) error { return k.run(ctx, ready) }, nil
}

// owner tells this server and its replicas from others: it is where they are found,
// whatever the port.
func owner(o webhook.ConfigurationOptions) string {
	if u, err := url.Parse(o.URL); err == nil && o.URL != "" { // validated by config
		return u.Hostname()
	}
	return o.ServiceNamespace + "/" + o.ServiceName
}

// desired is what should be there now.
func (k *keeping) desired() webhook.Desired {
	options := k.options
	options.CABundle = k.env.certificates.CABundle()
	options.CallSecret, options.Cases, options.Floor = k.env.webhook.callSecret(), k.env.webhook.cases, k.floor
	if k.self != "" { // what the server writes into the Floor is its work
		options.Own.Account = k.self
	}
	all := webhook.Configuration(options)
	if all.Mutating == nil {
		return webhook.Desired{Groups: [][]client.Object{{all.Validating}}, Unwanted: webhook.WithoutFloor(options.Name)}
	}
	options.Floor = false
	alone := webhook.Configuration(options).Validating
	options.Floor = true
	if k.self == "" { // no floor can be made without a name for whom to let through
		return webhook.Desired{Groups: [][]client.Object{{alone}}}
	}
	// A hook for deletions must be in its new place before it goes from the old one.
	d := webhook.Desired{Groups: [][]client.Object{{all.Mutating, all.Validating}}, Fallback: []client.Object{alone}}
	spec := k.content.Spec()
	if spec == nil { // it could not be read: what is there stays
		return d
	}
	d.Groups = append(d.Groups, []client.Object{webhook.FloorObject(options.Name, *spec)})
	generated := map[string]bool{}
	for _, p := range webhook.Floor(floorOptions(k.c, options, k.env, k.self)) {
		d.Groups = append(d.Groups, []client.Object{p.Policy, p.Binding})
		generated[p.Policy.Name] = true
	}
	for _, object := range webhook.WithoutFloor(options.Name) { // a policy that would refuse nothing is not there
		if name := object.GetName(); name != options.Name && !generated[name] {
			d.Unwanted = append(d.Unwanted, object)
		}
	}
	return d
}

// run keeps until ctx ends. If the floor becomes possible meanwhile, it begins anew with
// one.
func (k *keeping) run(ctx context.Context, ready func() bool) error {
	for {
		err := k.keep(ctx, ready)
		if !errors.Is(err, errFloors) || ctx.Err() != nil {
			return err
		}
		k.log.Info("beginning anew, with a floor", "reason", err)
	}
}

func (k *keeping) keep(ctx context.Context, ready func() bool) error {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // one is waiting already
		}
	}
	if k.content != nil {
		k.floor, k.self = hasFloors(ctx, k.env.cluster.mapper, k.log), knownAs(ctx, k.env.cluster.clients, ownership(k.c).Account, k.log)
		if k.floor && k.self == "" && ctx.Err() == nil {
			k.log.Error("the floor stays as it is: it would refuse what this server writes, since nobody says who it is")
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if k.content != nil && !k.floor {
		group.Go(func() error { return awaitFloors(ctx, k.env.cluster.mapper, floorsAgain, k.log) })
	}
	if k.floor {
		// So that all is written at once, in an order in which nothing is refused
		// meanwhile.
		if err := k.look(ctx); err != nil && ctx.Err() == nil {
			k.log.Error("the floor does not know all that it should yet", "error", err)
		}
		cases := make(chan struct{}, 1)
		group.Go(func() error { return k.env.watchGrants(ctx, cases, k.log) })
		group.Go(func() error { return k.content.Run(ctx, cases, notify) })
	}
	for name, objects := range k.watched() {
		caches, err := cache.New(k.env.cluster.config, cache.Options{
			HTTPClient: k.env.cluster.httpClient, Scheme: k.client.Scheme(), Mapper: k.env.cluster.mapper,
			DefaultTransform: lean, DefaultFieldSelector: fields.OneTermEqualSelector("metadata.name", name),
		})
		if err != nil {
			return fmt.Errorf("watch %s: %w", name, err)
		}
		group.Go(func() error { return caches.Start(ctx) })
		for _, object := range objects {
			group.Go(func() error { return notifyOf(ctx, caches, object, notify, k.log) })
		}
	}
	group.Go(func() error { return k.keeper.Run(ctx, ready, changed, k.env.certificates.Changed()) })
	return group.Wait()
}

// firstLook bounds the wait for what the floor should know.
const firstLook = 10 * time.Second

func (k *keeping) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	_, _, err := k.content.Look(ctx)
	return err
}

// watched are the objects to watch, by name: rights can be bound to a name only if each
// watch is for one.
func (k *keeping) watched() map[string][]client.Object {
	name := k.options.Name
	watched := map[string][]client.Object{name: {&admissionregistrationv1.ValidatingWebhookConfiguration{}}}
	if !k.floor {
		return watched
	}
	watched[name] = append(watched[name], &admissionregistrationv1.MutatingWebhookConfiguration{}, metadataOf(v1alpha1.GroupVersion().WithKind("Floor")))
	for _, policy := range webhook.FloorNames(name) {
		watched[policy] = []client.Object{&admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}}
	}
	return watched
}

// notifyOf tells of every change to objects of a kind, until ctx ends.
func notifyOf(ctx context.Context, caches cache.Cache, object client.Object, notify func(), log *slog.Logger) error {
	informer := informerFor(ctx, caches, object, log)
	if informer == nil {
		return nil
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	})
	if err != nil {
		return fmt.Errorf("watch %T: %w", object, err)
	}
	<-ctx.Done()
	return informer.RemoveEventHandler(registration)
}
