package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

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

// wait asks for the namespaces, which starts their cache, and waits until it has
// them. It returns nil when ctx ends.
func (s *cacheState) wait(ctx context.Context, caches cache.Cache) error {
	informer, err := caches.GetInformer(ctx, webhook.NamespaceMetadata(), cache.BlockUntilSynced(false))
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("watch namespaces: %w", err)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		s.synced.Store(true)
	}
	return nil
}
