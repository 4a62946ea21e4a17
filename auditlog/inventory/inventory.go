// Package inventory knows cloud resources: their labels and tags, and what project and
// folders they are in, as of a time. It implements auditlog.Inventory.
//
// Who deletes a resource takes its labels with it, and no audit log entry has them.
// So they are kept beforehand, in the ledger, and outlast the resource:
//
//	SearchAllResources ─► seed, refresh ─┐
//	feed (Pub/Sub) ─────► Feed ──────────┼─► ledger.TableAssets ─► Find
//	BatchGetAssetsHistory, if asked for ─┘
//
// Of each resource there are the last few label sets, with their times. One that is
// gone is kept for another 30 days. History is asked only for what is not in the
// ledger: its quota is small, and an alert does not wait for it longer than
// Options.HistoryTimeout.
//
// A ledger's file belongs to one process (ledger.Open), so there is one Inventory that
// fills it. Two on one open Ledger would do each other's work, and harm nothing.
package inventory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	asset "cloud.google.com/go/asset/apiv1"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	"google.golang.org/api/option"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/pause"
)

var _ auditlog.Inventory = (*Inventory)(nil)

const (
	// DefaultRefreshInterval is how often everything is searched again: 500,000 assets
	// are 1000 pages of 500, four minutes at our pace.
	DefaultRefreshInterval = time.Hour
	// DefaultHistoryTimeout is how long one question to asset history may hold up an
	// alert, of which people are to know within seconds.
	DefaultHistoryTimeout = 3 * time.Second
	// MaxAssets is how many resources are known at once. A record takes about 400 bytes
	// with its key, so that they are 200 MB of the ledger's 1 GiB, twice that in pages
	// that are half full. What is beyond is not known, which counts as production.
	MaxAssets = 500_000
	// FormerWindow is how long a label set counts after it was replaced: long enough
	// that taking off the label first does not hide the delete of that evening's work.
	FormerWindow = time.Hour
	// KeepGone is how long a resource is kept that is no more. Asset history goes back 35
	// days (https://cloud.google.com/asset-inventory/docs/overview).
	KeepGone = 30 * 24 * time.Hour
)

// Options says where an Inventory looks.
type Options struct {
	// Ledger is where resources are kept.
	Ledger *ledger.Ledger
	// Scopes are what is searched: projects/ID, folders/NUMBER, organizations/NUMBER.
	// Without any, Find answers from the ledger and the feed alone.
	Scopes []string
	// AssetTypes are the types that are kept
	// (https://cloud.google.com/asset-inventory/docs/asset-types); nil means
	// DefaultAssetTypes. Projects, folders and organizations are always among them.
	AssetTypes []string
	// Endpoint is HOST:PORT of the Cloud Asset API; empty means Google's.
	Endpoint string
	// ClientOptions are for the client of the Cloud Asset API.
	ClientOptions []option.ClientOption
	// RefreshInterval is how often everything is searched again; zero means
	// DefaultRefreshInterval.
	RefreshInterval time.Duration
	// FeedProject and FeedSubscription name the subscription of the asset feed, by their
	// ids. Without, the inventory is as current as the last refresh. The feed should not
	// cover more than Scopes do: what no search finds is taken for gone.
	FeedProject, FeedSubscription string
	// FeedEndpoint is HOST:PORT of Pub/Sub; empty means Google's, or what
	// PUBSUB_EMULATOR_HOST says. FeedClientOptions are for its client.
	FeedEndpoint      string
	FeedClientOptions []option.ClientOption
	// HistoryTimeout bounds how long Find waits for asset history; zero means
	// DefaultHistoryTimeout, less than that never to ask.
	HistoryTimeout time.Duration
	// Now is the time; nil means time.Now.
	Now func() time.Time
	// Rand makes pauses differ; nil means crypto/rand.
	Rand io.Reader
	// Log is nil for none.
	Log *slog.Logger
	// Report is told what keeps the inventory from knowing; nil is nobody. It may be
	// called from any goroutine.
	Report auditlog.Report
	// Registerer gets the metrics; nil is none.
	Registerer prometheus.Registerer
}

// Inventory knows cloud resources. Its methods may be called concurrently.
type Inventory struct {
	o        Options
	client   *asset.Client     // nil without scopes
	static   map[string][]byte // of FromFile, instead of a ledger
	types    map[string]bool
	metrics  metrics
	troubles troubles
	known    atomic.Int64 // records of resources, in the ledger
	seeded   atomic.Int64 // start of the last complete search, in seconds; 0 is never
	created  time.Time
	most     int64         // MaxAssets, fewer in tests
	pace     *rate.Limiter // of searches

	refreshing sync.Mutex
	running    *refresh        // the search that was interrupted, with what it saw; under refreshing
	rejected   map[string]bool // asset types that the API does not know; under refreshing

	rewrites pause.Backoff // of what the feed brought
	unkept   int           // how often in a row it was not written; of takeFeed alone

	history history
}

// scopePattern is what SearchAllResources takes
// (https://cloud.google.com/asset-inventory/docs/reference/rest/v1/TopLevel/searchAllResources).
var scopePattern = regexp.MustCompile(`^(?:projects/[a-z0-9][a-z0-9.:-]*|folders/[0-9]+|organizations/[0-9]+)$`)

// maxScopes is how many scopes there may be: each costs at least two calls a refresh, of
// 400 a minute.
const maxScopes = 100

// New returns an Inventory that answers from what the ledger has. It asks nobody before
// Run or Refresh, but needs credentials if there are scopes.
func New(o Options) (*Inventory, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	i := &Inventory{
		o: o, types: map[string]bool{}, created: o.Now(), most: MaxAssets, rejected: map[string]bool{},
		pace:     rate.NewLimiter(searchesPerSecond, searchBurst),
		rewrites: pause.Backoff{First: firstRewrite, Longest: lastRewrite, Least: 0.5, Entropy: o.Rand},
		history:  history{pace: rate.NewLimiter(historyPerSecond, historyBurst), again: map[string]time.Time{}, group: &singleflight.Group{}},
	}
	for _, t := range slices.Concat(hierarchyTypes(), o.AssetTypes) {
		i.types[t] = true
	}
	i.troubles = troubles{report: o.Report, open: map[troubleKey]bool{}}
	if err := i.load(); err != nil {
		return nil, err
	}
	if len(o.Scopes) > 0 {
		client, err := newClient(o)
		if err != nil {
			return nil, err
		}
		i.client = client
	}
	i.metrics = newMetrics(o.Registerer, i)
	return i, nil
}

func (o *Options) complete() error {
	var problems []error
	if o.Ledger == nil {
		problems = append(problems, errors.New("inventory: no ledger"))
	}
	if len(o.Scopes) > maxScopes {
		problems = append(problems, fmt.Errorf("inventory: %d scopes, %d are the limit: name the folder or organization instead", len(o.Scopes), maxScopes))
	}
	for _, scope := range o.Scopes {
		if !scopePattern.MatchString(scope) {
			problems = append(problems, fmt.Errorf("inventory: scope %q is not projects/ID, folders/NUMBER or organizations/NUMBER", scope))
		}
	}
	if (o.FeedProject == "") != (o.FeedSubscription == "") {
		problems = append(problems, errors.New("inventory: the feed needs both a project and a subscription"))
	}
	if o.AssetTypes == nil {
		o.AssetTypes = DefaultAssetTypes()
	}
	if o.RefreshInterval <= 0 {
		o.RefreshInterval = DefaultRefreshInterval
	}
	if o.HistoryTimeout == 0 {
		o.HistoryTimeout = DefaultHistoryTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Report == nil {
		o.Report = func(alert.Trouble) {}
	}
	return errors.Join(problems...)
}

func newClient(o Options) (*asset.Client, error) {
	options := slices.Clone(o.ClientOptions)
	if o.Endpoint != "" {
		options = append(options, option.WithEndpoint(o.Endpoint))
	}
	client, err := asset.NewClient(context.Background(), options...)
	if err != nil {
		return nil, fmt.Errorf("inventory: connect to Cloud Asset Inventory: %w", err)
	}
	// The client's own retries know neither our pace nor when an alert has to go out.
	client.CallOptions.SearchAllResources = nil
	client.CallOptions.BatchGetAssetsHistory = nil
	return client, nil
}

// load reads when the ledger was filled, and counts what is in it.
func (i *Inventory) load() error {
	count, at, err := int64(0), int64(0), error(nil)
	viewErr := i.o.Ledger.View(context.Background(), func(tx *ledger.Tx) error {
		at, err = readSeeded(tx)
		tx.Scan(ledger.TableAssets, prefixAsset, "", func(string, []byte) bool { count++; return true })
		return err
	})
	if viewErr != nil {
		return fmt.Errorf("inventory: %w", viewErr)
	}
	i.known.Store(count)
	i.seeded.Store(at)
	return nil
}

// Close gives back the connection. Find answers from the ledger after it.
func (i *Inventory) Close() error {
	if i.client == nil {
		return nil
	}
	return i.client.Close()
}

// Run keeps the inventory current until ctx ends, and returns nil then: it searches at
// the start if the last search is older than the interval, and then at each interval,
// and receives the feed. What goes wrong is reported, and tried again for ever.
func (i *Inventory) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if i.client != nil {
		group.Go(func() error { i.refreshLoop(ctx); return nil })
	}
	if i.o.FeedSubscription != "" {
		group.Go(func() error { i.feedLoop(ctx); return nil })
	}
	<-ctx.Done()
	return group.Wait()
}

// staleIntervals is after how many intervals without a complete search labels are
// called old: two that failed, and the one that is under way.
const staleIntervals = 3

// Ready returns an error as long as nothing was searched completely, and if the last
// complete search is older than three intervals. Find answers all the same.
func (i *Inventory) Ready() error {
	if i.client == nil {
		return nil
	}
	at := i.seeded.Load()
	if at == 0 {
		return errors.New("the inventory of cloud resources was not filled yet")
	}
	if age := i.o.Now().Sub(time.Unix(at, 0)); age > staleIntervals*i.o.RefreshInterval {
		return fmt.Errorf("the inventory of cloud resources is %s old", age.Round(time.Second))
	}
	return nil
}

// wanted lists the asset types that are searched, in order.
func (i *Inventory) wanted() []string { return slices.Sorted(maps.Keys(i.types)) }
