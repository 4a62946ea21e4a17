package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// caseStore chooses where break-glass cases are kept. Without a store there is no
// break glass, and no error: the log says why.
func (env *surroundings) caseStore(c config.Configuration, book *ledger.Ledger, log *slog.Logger) (store breakglass.Store, inCluster bool, err error) {
	kind := c.BreakGlass.Store
	if kind == config.StoreAuto {
		kind = env.bestStore(c, book, log)
	}
	switch kind {
	case config.StoreKubernetes:
		if env.cluster == nil {
			return nil, false, &exitError{code: exitUndecided, err: errors.New("breakGlass.store is kubernetes, and there is no cluster"),
				hint: "set breakGlass.store to ledger, or name a cluster with --kubeconfig"}
		}
		store, err := env.clusterStore(c, log)
		return store, true, err
	case config.StoreLedger:
		return book, false, nil
	}
	return nil, false, nil
}

// bestStore is what auto means here. A ledger alone, without keys to sign with, is there
// for alerts.
func (env *surroundings) bestStore(c config.Configuration, book *ledger.Ledger, log *slog.Logger) string {
	if env.cluster != nil {
		_, err := env.cluster.mapper.RESTMapping(v1alpha1.GroupVersion().WithKind("BreakGlassRequest").GroupKind())
		if !meta.IsNoMatchError(err) {
			return config.StoreKubernetes
		}
		if book == nil {
			log.Warn("break glass is off: its CRDs are not installed; apply the manifests and start the server again")
		}
	}
	if book != nil && (c.BreakGlass.Keys.File != "" || env.cluster != nil && !env.auditOnly) {
		return config.StoreLedger
	}
	return config.StoreNone
}

// clusterStore keeps cases in the cluster. What happens to them there brings them
// up to date on the replica that leads.
func (env *surroundings) clusterStore(c config.Configuration, log *slog.Logger) (breakglass.Store, error) {
	direct, err := kube.NewClient(env.cluster.config, env.cluster.httpClient)
	if err != nil {
		return nil, err
	}
	var synced atomic.Bool
	env.run = append(env.run, func(ctx context.Context) error {
		var all []toolscache.InformerSynced
		for _, object := range kube.Watched() {
			informer := informerFor(ctx, env.cluster.caches, object, log)
			if informer == nil {
				return nil
			}
			all = append(all, informer.HasSynced)
		}
		synced.Store(toolscache.WaitForCacheSync(ctx.Done(), all...))
		return nil
	})
	return kube.NewStore(kube.StoreOptions{
		Client: direct, Cluster: c.Cluster, Cache: env.cluster.caches, CacheSynced: synced.Load,
	}), nil
}

// maxChanged is how many handles wait to be looked at; more are found by the next
// sweep.
const maxChanged = 256

// watchCases tells of the handles of requests, verdicts and uses that appear, until
// ctx ends.
func (env *surroundings) watchCases(ctx context.Context, changed chan<- string, log *slog.Logger) (err error) {
	label := func(o client.Object) string { return o.GetLabels()[kube.LabelRequest] }
	handleOf := map[string]func(o client.Object) string{
		"BreakGlassRequest": func(o client.Object) string { return o.GetName() },
		"BreakGlassVerdict": label,
		"BreakGlassUse":     label,
	}
	for kind, handle := range handleOf {
		informer := informerFor(ctx, env.cluster.caches, metadataOf(v1alpha1.GroupVersion().WithKind(kind)), log)
		if informer == nil {
			break
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: func(object any) {
			o, ok := object.(client.Object)
			if !ok {
				return
			}
			select {
			case changed <- handle(o):
			default: // the next sweep finds it
			}
		}})
		if err != nil {
			return fmt.Errorf("watch break-glass objects: %w", err)
		}
		defer func() { err = errors.Join(err, informer.RemoveEventHandler(registration)) }()
	}
	<-ctx.Done()
	return nil
}

func metadataOf(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(kind)
	return m
}

// fate looks whether the object of a use is gone.
func (env *surroundings) fate(ctx context.Context, use breakglass.Use) (bool, error) {
	if _, ok := operation.ParseKubernetesRef(use.Target.Ref); !ok || env.cluster == nil {
		return false, breakglass.ErrNotFound
	}
	return env.cluster.lookup.Gone(ctx, use.Target)
}

// checkKind refuses a target that the cluster does not have by that name: who
// approves reads the kind, and what is opened is the resource.
func (env *surroundings) checkKind(target operation.Reference) error {
	name, ok := operation.ParseKubernetesRef(target.Ref)
	if !ok {
		return nil
	}
	resource := schema.GroupVersionResource{Group: name.Group, Resource: name.Resource}
	if env.cluster == nil { // nobody to ask: by the convention that Kubernetes itself guesses by
		plural, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: name.Group, Kind: target.Kind})
		if target.Kind != "" && plural.Resource != name.Resource {
			return &breakglass.Refusal{Reason: fmt.Sprintf("%s is not a %s", operation.Printable(target.Ref), operation.Printable(target.Kind))}
		}
		return nil
	}
	kind, err := env.cluster.mapper.KindFor(resource)
	switch {
	case meta.IsNoMatchError(err):
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s: this cluster has no %s", operation.Printable(target.Ref), resource.GroupResource())}
	case err != nil:
		return fmt.Errorf("find out what %s are: %w", resource.GroupResource(), err)
	case target.Kind != "" && target.Kind != kind.Kind:
		return &breakglass.Refusal{Reason: fmt.Sprintf("%s is a %s, not a %s", operation.Printable(target.Ref), kind.Kind, operation.Printable(target.Kind))}
	}
	return nil
}
