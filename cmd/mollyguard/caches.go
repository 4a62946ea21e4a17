package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/pause"
	"github.com/mollyguard/mollyguard/webhook"
)

type httpClient = *http.Client

// cacheState says whether the caches have seen the cluster.
type cacheState struct{ synced atomic.Bool }

var errNotSynced = errors.New("the namespaces have not been read yet: if it stays so, the log says why")

func (s *cacheState) err() error {
	if s.synced.Load() {
		return nil
	}
	return errNotSynced
}

// wait asks for the namespaces, which starts their cache, until it has them. It
// returns nil when ctx ends.
func (s *cacheState) wait(ctx context.Context, caches cache.Cache, log *slog.Logger) error {
	informer := informerFor(ctx, caches, webhook.NamespaceMetadata(), log)
	if informer != nil && toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		s.synced.Store(true)
	}
	return nil
}

// informerFor asks for an informer until it has one: an API server that does not
// answer yet is no reason to end. It returns nil when ctx ends.
func informerFor(ctx context.Context, caches cache.Cache, object client.Object, log *slog.Logger) cache.Informer {
	for ctx.Err() == nil {
		informer, err := caches.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err == nil {
			return informer
		}
		log.Error("objects cannot be watched, trying again", "error", err)
		_ = pause.For(ctx, cacheRetry) // the loop looks whether ctx ended
	}
	return nil
}

// cacheRetry is between two attempts to reach an API server that is not there.
const cacheRetry = time.Second
