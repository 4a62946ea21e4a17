package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/mollyguard/mollyguard/webhook"
)

type httpClient = *http.Client

// cacheState says whether the caches have seen the cluster.
type cacheState struct{ synced atomic.Bool }

var errNotSynced = errors.New("the list of namespaces has not been read yet")

func (s *cacheState) err() error {
	if s.synced.Load() {
		return nil
	}
	return errNotSynced
}

// wait asks for the namespaces, which starts their cache, and waits until it has
// them. It returns nil when ctx ends.
func (s *cacheState) wait(ctx context.Context, caches cache.Cache) error {
	if _, err := caches.GetInformer(ctx, webhook.NamespaceMetadata()); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if caches.WaitForCacheSync(ctx) {
		s.synced.Store(true)
	}
	return nil
}
