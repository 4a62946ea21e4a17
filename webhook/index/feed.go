package index

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/mollyguard/mollyguard/pause"
)

// What the feed asks of the API server at once, and how long it waits.
const (
	// maxPages is how many pages of lists are read at once, so that a start does not
	// flood the API server: its default is 400 requests at once for everybody
	// (kube-apiserver --max-requests-inflight).
	maxPages = 8
	// pageSize is how many objects a page of a list has; kubectl and client-go ask for
	// as many (client-go tools/pager). A page is never held: its objects are read one by
	// one as they arrive.
	pageSize = 500
	// pageTimeout bounds the reading of a page. The API server itself gives up after a
	// minute (kube-apiserver --request-timeout).
	pageTimeout = time.Minute
	// maxSilence is how long a watch may say nothing before it is begun again from where
	// it was. The API server sends a bookmark about every minute, so three are missing.
	// One that sends none costs a request each time, and nothing is lost.
	maxSilence = 3 * time.Minute
	// maxStale is how long what was read of a kind is believed while it can't be watched.
	// A watch that the API server ends, as it does every five to ten minutes, is begun
	// again within milliseconds.
	maxStale = time.Minute
	// maxKinds bounds the kinds that are followed, at some 60 KiB each: 120 MiB. Large
	// clusters have a few hundred. What is beyond is Unserved.
	maxKinds = 2000
)

// sink is what the feed needs of the index.
type sink interface {
	Put(o Object)
	Remove(resource schema.GroupResource, namespace, name string)
	// Begin begins a list of a kind, and End drops what was not put since.
	Begin(resource schema.GroupResource) Sweep
	End(s Sweep)
	// Forget drops a kind that is not there any more.
	Forget(resource schema.GroupResource)
	SetState(resource schema.GroupResource, state State)
	SetDiscovered(d Discovery)
}

var _ sink = (*Index)(nil)

// FeedOptions are what a Feed needs.
type FeedOptions struct {
	// Config says how the API server is reached; required. Its QPS and Burst bound all
	// requests of the feed together, client-go's defaults if they are 0.
	Config *rest.Config
	// HTTPClient must have no Timeout, which would end watches. Nil means one that
	// Config makes.
	HTTPClient *http.Client
	// Sink is the *Index that is fed; required.
	Sink sink
	// Exclude names kinds that are not followed, beside those that hold nothing: RESOURCE
	// or RESOURCE.GROUP, as kubectl writes them.
	Exclude []string
	// Log is told what can't be read; nil means nobody.
	Log *slog.Logger
}

// Feed reads what lives in a cluster into an index, and keeps it current.
//
//	           ┌────────────── a definition or an API service has changed ──────────────┐
//	           ▼                                                                        │
//	discovery (one goroutine) ──► starts and ends followers, one for each kind:         │
//	                                reflector ──► pages and events ──► distiller ──► sink
//
// All goroutines are in one group, but for those that client-go starts for a follower,
// which end with it.
type Feed struct {
	client     *apiClient
	discoverer discoverer
	sink       sink
	excluded   map[schema.GroupResource]bool
	log        *slog.Logger
	// patient and impatient are the pauses of followers: after an answer that only
	// somebody's change can turn, and after all else.
	patient, impatient *pause.Backoff
	// changed has an entry if the kinds may have changed since they were looked at.
	changed chan struct{}
	// What follows belongs to the goroutine of discovery: unserved are the groups whose
	// server did not answer, and again says to look once more soon.
	followed map[schema.GroupResource]*following
	unserved map[string]string
	again    bool
}

// NewFeed returns a Feed. It does not ask the API server anything yet.
func NewFeed(o FeedOptions) (*Feed, error) {
	if o.Config == nil || o.Sink == nil {
		return nil, errors.New("a feed needs a configuration and a sink")
	}
	excluded, err := exclusions(o.Exclude)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(o.Config)
	if config.RateLimiter == nil && config.QPS >= 0 { // each client would make its own
		config.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(
			cmp.Or(config.QPS, rest.DefaultQPS), cmp.Or(config.Burst, rest.DefaultBurst))
	}
	if o.HTTPClient == nil {
		config.Timeout = 0
		if o.HTTPClient, err = rest.HTTPClientFor(config); err != nil {
			return nil, fmt.Errorf("make an HTTP client: %w", err)
		}
	}
	if o.HTTPClient.Timeout != 0 {
		return nil, fmt.Errorf("the HTTP client of a feed gives up after %s, and watches with it", o.HTTPClient.Timeout)
	}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion() // for errors
	client, err := rest.UnversionedRESTClientForConfigAndClient(config, o.HTTPClient)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	discoverer, err := discovery.NewDiscoveryClientForConfigAndClient(config, o.HTTPClient)
	if err != nil {
		return nil, fmt.Errorf("make a discovery client: %w", err)
	}
	return &Feed{
		client: &apiClient{rest: client, slots: make(chan struct{}, maxPages)}, discoverer: discoverer,
		sink: o.Sink, excluded: excluded, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		patient:   &pause.Backoff{First: time.Second, Longest: 5 * time.Minute, Least: 0.5, Entropy: rand.Reader},
		impatient: &pause.Backoff{First: time.Second, Longest: 30 * time.Second, Least: 0.5, Entropy: rand.Reader},
		changed:   make(chan struct{}, 1), followed: map[schema.GroupResource]*following{},
	}, nil
}

// Run feeds the index until ctx ends, and then returns nil. It is called once. What
// can't be read is said in the index, and tried again.
func (f *Feed) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.followKinds(ctx, g) })
	return g.Wait()
}

// look has discovery look at the kinds again. It returns at once.
func (f *Feed) look() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
