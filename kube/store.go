package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// The default of StoreOptions.Limit: a drain that is refused asks hundreds of
// times a minute for somebody who has no grant.
const (
	lookupsPerSecond = 10
	lookupBurst      = 20
)

// StoreOptions says what a Store is made of. Client and Cluster are required.
type StoreOptions struct {
	// Client reads past any cache: see NewClient.
	Client client.Client
	// Cluster is the cluster's name, as it is configured.
	Cluster string
	// Cache holds Watched, and is asked once CacheSynced says that it has seen them
	// all. Nil means that the API server is asked each time.
	Cache       client.Reader
	CacheSynced func() bool
	// Limit bounds how often the API server is asked for cases of subjects for whom
	// Cache has none; nil means 10 a second, 20 at once.
	Limit *rate.Limiter
	// Now is the clock of conditions; nil means time.Now.
	Now func() time.Time
}

// Store is a breakglass.Store in the cluster's own API, shared by all replicas.
// Each record is an object (package v1alpha1) whose name is its key, so that of
// all who create it at once the API server lets one. It keeps what is asked of
// this surface, Kubernetes, and no other.
//
// When a request was made and a verdict given is what the API server says, not
// what the caller says: nobody can forge it, and replicas need not agree on the
// time. All reads are of the latest state, but for the one that CasesOf
// describes.
type Store struct {
	client  client.Client
	cluster string
	cache   client.Reader
	synced  func() bool
	limit   *rate.Limiter
	now     func() time.Time
}

var _ breakglass.Store = (*Store)(nil)

// NewStore returns a Store.
func NewStore(o StoreOptions) *Store {
	s := &Store{
		// A field that the API server does not know is an error: it would be dropped,
		// and a grant that says less may open more.
		client:  client.WithFieldValidation(o.Client, metav1.FieldValidationStrict),
		cluster: o.Cluster, cache: o.Cache, synced: o.CacheSynced, limit: o.Limit, now: o.Now,
	}
	if s.limit == nil {
		s.limit = rate.NewLimiter(lookupsPerSecond, lookupBurst)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// CreateRequest implements breakglass.Store. Created is not kept: see Store.
func (s *Store) CreateRequest(ctx context.Context, r breakglass.Request) error {
	o, err := RequestToObject(r)
	if err != nil {
		return err
	}
	return storeError(s.client.Create(ctx, o))
}

// CreateVerdict implements breakglass.Store. At is not kept: see Store.
func (s *Store) CreateVerdict(ctx context.Context, v breakglass.Verdict) error {
	o := VerdictToObject(v)
	err := storeError(s.client.Create(ctx, o))
	if !errors.Is(err, breakglass.ErrExists) {
		return err
	}
	// A name holds only part of a digest, and ErrExists means that this very thing
	// was said: a denial must not be lost to an object in its place.
	var there v1alpha1.BreakGlassVerdict
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(o), &there); err != nil {
		return fmt.Errorf("look at the verdict that is there: %w", storeError(err))
	}
	if there.Spec.By.Name != v.By.Name {
		return fmt.Errorf("the name %s is taken by a verdict of somebody else", o.Name)
	}
	return breakglass.ErrExists
}

// CreateGrant implements breakglass.Store.
func (s *Store) CreateGrant(ctx context.Context, g breakglass.Grant) error {
	o, err := GrantToObject(g)
	if err != nil {
		return err
	}
	return storeError(s.client.Create(ctx, o))
}

// CreateUse implements breakglass.Store.
func (s *Store) CreateUse(ctx context.Context, u breakglass.Use) error {
	o, err := useToObject(u, s.cluster)
	if err != nil {
		return err
	}
	return storeError(s.client.Create(ctx, o))
}

// changeAttempts is how often a change is tried again when the object was changed
// in between. Each time somebody else has succeeded, and there are as many who
// change one object at once as there are replicas.
const changeAttempts = 10

// SetUseState implements breakglass.Store.
func (s *Store) SetUseState(ctx context.Context, grant string, slot int, from, to breakglass.UseState) error {
	if !breakglass.IsHandle(grant) {
		return breakglass.ErrNotFound
	}
	var err error
	for range changeAttempts {
		var o v1alpha1.BreakGlassUse
		if err := s.client.Get(ctx, client.ObjectKey{Name: useName(grant, slot)}, &o); err != nil {
			return storeError(err)
		}
		if useState(&o) != from {
			return breakglass.ErrConflict
		}
		o.Status.State = v1alpha1.UseState(capitalized(string(to)))
		if err = storeError(s.client.Update(ctx, &o)); !errors.Is(err, breakglass.ErrConflict) {
			return err
		}
	}
	return err
}
