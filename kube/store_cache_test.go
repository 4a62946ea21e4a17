package kube_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/kube"
)

// counted is a client that counts lists.
type counted struct {
	client.Client
	lists *atomic.Int32
}

func (c counted) List(context.Context, client.ObjectList, ...client.ListOption) error {
	c.lists.Add(1)
	return nil
}

// cached answers for a cache: with one object for those subjects.
type cached struct {
	client.Reader
	subjects map[string]bool
	err      error
}

func (c cached) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	for subject := range c.subjects {
		value, _ := o.LabelSelector.RequiresExactMatch(kube.LabelSubject)
		if value == kube.SubjectLabel(subject) {
			list.(*metav1.PartialObjectMetadataList).Items = make([]metav1.PartialObjectMetadata, 1)
		}
	}
	return c.err
}

func TestTheAPIServerIsAskedForSubjectsThatTheCacheDoesNotKnowOnlyAsOftenAsAllowed(t *testing.T) {
	const lookups = 50
	for _, tt := range []struct {
		name   string
		cache  client.Reader
		synced bool
		limit  *rate.Limiter
		want   int
	}{
		{"without a cache each time", nil, false, nil, lookups},
		{"of one who is in the cache each time", cached{subjects: map[string]bool{"alice": true}}, true, rate.NewLimiter(0, 0), lookups},
		{"of one who is not, as often as allowed", cached{subjects: map[string]bool{"bob": true}}, true, rate.NewLimiter(0, 3), 3},
		{"before the cache has seen everything each time", cached{}, false, rate.NewLimiter(0, 0), lookups},
		{"when the cache does not answer each time", cached{err: errors.New("no cache")}, true, rate.NewLimiter(0, 0), lookups},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := counted{newClient(t, &rest.Config{Host: "http://127.0.0.1:1"}), &atomic.Int32{}}
			store := kube.NewStore(kube.StoreOptions{
				Client: c, Cluster: "prod-eu", Cache: tt.cache, CacheSynced: func() bool { return tt.synced }, Limit: tt.limit,
			})
			for range lookups {
				if cases, err := store.CasesOf(t.Context(), "alice"); err != nil || len(cases) > 0 {
					t.Fatalf("got %v, %v", cases, err)
				}
			}
			if got := int(c.lists.Load()) / 2; got != tt.want { // requests and grants
				t.Errorf("asked %d times, want %d", got, tt.want)
			}
		})
	}
}
