// Package logging reads log entries from Cloud Logging itself, for what has no log
// sink. It is for one active replica.
//
// Two readers hand out the same entries, and what both saw is handed out once as far
// as memory reaches; the Watcher judges it once in any case:
//
//	TailLogEntries ─► at once; but it ends each hour, may drop entries, cannot go on
//	                  where it ended, and says nothing of what came before it
//	ListLogEntries ─► all of it, in order, each minute, and whenever the tail has
//	                  ended, was suppressed, or is not to be had
//
// So the tail is for speed only, and the list alone is the record: the position, a
// watermark, moves by nothing but a list that came by there. Whatever the tail does,
// the next list has what it did not say. Each list begins Overlap before the watermark,
// as entries may come late.
//
// The watermark is the timestamp of an entry that was listed, or when Cloud Logging
// received it if that is earlier: entries may be dated up to a day ahead, and must not
// take the watermark along. It never comes from the clock of this machine, except for
// the first start.
//
// Up to some 5,000 entries a minute (after the filter) are read in time: a list has
// 1,000 a page, half of the quota of 60 calls a minute and project is used, and with
// an Overlap of 5 minutes each entry is listed several times. For more, use Pub/Sub.
package logging

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	apiv2 "cloud.google.com/go/logging/apiv2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/option"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/pause"
)

// The defaults of Options.
const (
	// overlap is how late entries may come to be found by a list: audit log entries
	// usually take seconds, sometimes minutes.
	overlap  = 5 * time.Minute
	lookBack = 10 * time.Minute
	// retention is what the _Default bucket keeps
	// (https://cloud.google.com/logging/quotas#logs_retention_periods).
	retention = 30 * 24 * time.Hour
	interval  = time.Minute
	// pollInterval is how often is listed while there is no tail: 6 calls a minute.
	pollInterval = 10 * time.Second
	// listsPerMinute is half of Google's quota for a project, which people and others
	// use too (https://cloud.google.com/logging/quotas).
	listsPerMinute = 30
	minPause       = time.Second
	maxPause       = time.Minute
	// patience is how long a reconnect takes at most.
	patience = time.Minute
	// settled is how long a tail that says nothing is open before it is taken to work.
	settled = 10 * time.Second
)

const (
	// maxFilter and maxResources are Cloud Logging's own.
	maxFilter    = 20_000
	maxResources = 100
	// filterReserve is what is added to a filter: a bound and a heartbeat's log id.
	filterReserve = 512
)

// resourceName is what entries can be read of
// (https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list).
var resourceName = regexp.MustCompile(`^(?:projects/[a-z0-9.:-]+|folders/[0-9]+|organizations/[0-9]+)(?:/locations/[a-z0-9-]+/buckets/[A-Za-z0-9_.-]+/views/[A-Za-z0-9_.-]+)?$`)

var logID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

// Options says what is read, and how. Resources is required.
type Options struct {
	// Resources are projects/ID, folders/NUMBER, organizations/NUMBER, or views of log
	// buckets; 100 at most.
	Resources []string
	// Filter is in the Logging query language; empty means DefaultFilter.
	Filter string
	// Heartbeat is the id of the log that Mollyguard writes to, which is read as well,
	// whatever Filter says; empty means none.
	Heartbeat string
	// Endpoint is HOST:PORT, for Private Service Connect; empty means Google's.
	Endpoint string
	// ClientOptions are for the client library, credentials for example.
	ClientOptions []option.ClientOption

	// Overlap is how late entries may come; zero means 5 minutes.
	Overlap time.Duration
	// LookBack is how far back the first start begins; zero means 10 minutes.
	LookBack time.Duration
	// Retention is how long Cloud Logging keeps entries; zero means 30 days.
	Retention time.Duration
	// Interval is between lists while the tail works, PollInterval while it does not;
	// zero means a minute and 10 seconds.
	Interval, PollInterval time.Duration
	// ListsPerMinute is what may be used of the quota; zero means 30.
	ListsPerMinute int
	// MinPause and MaxPause are between attempts; zero means a second and a minute.
	MinPause, MaxPause time.Duration
	// Patience is how long nobody may answer before that is a trouble, Settled how
	// long a silent tail is open before it is taken to work; zero means one minute and
	// 10 seconds.
	Patience, Settled time.Duration

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Rand makes pauses differ; nil means crypto/rand.
	Rand io.Reader
	// Log is told of failures; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Source is Cloud Logging. It implements auditlog.Source.
type Source struct {
	Options
	name    string
	metrics metrics
	backoff *pause.Backoff
}

// New returns a Source. It connects to nothing. An error says what is wrong with the
// options.
func New(o Options) (*Source, error) {
	if len(o.Resources) == 0 || len(o.Resources) > maxResources {
		return nil, fmt.Errorf("cloud logging: %d resources: 1 to %d say what is read", len(o.Resources), maxResources)
	}
	for _, name := range o.Resources {
		if !resourceName.MatchString(name) {
			return nil, fmt.Errorf("cloud logging: %q is not projects/ID, folders/NUMBER, organizations/NUMBER or a view of a log bucket", name)
		}
	}
	if o.Heartbeat != "" && !logID.MatchString(o.Heartbeat) {
		return nil, fmt.Errorf("cloud logging: %q is not the id of a log", o.Heartbeat)
	}
	if o.Filter == "" {
		o.Filter = DefaultFilter
	}
	if len(o.Filter) > maxFilter-filterReserve {
		return nil, fmt.Errorf("cloud logging: the filter has %d characters, and may have %d", len(o.Filter), maxFilter-filterReserve)
	}
	o.complete()
	resources := slices.Clone(o.Resources)
	slices.Sort(resources)
	s := &Source{Options: o, name: "logging:" + strings.Join(slices.Compact(resources), ",")}
	s.metrics = newMetrics(o.Registerer, s.name)
	s.backoff = &pause.Backoff{First: o.MinPause, Longest: o.MaxPause, Least: 0.5, Entropy: o.Rand}
	return s, nil
}

func (o *Options) complete() {
	or(&o.Overlap, overlap)
	or(&o.LookBack, lookBack)
	or(&o.Retention, retention)
	or(&o.Interval, interval)
	or(&o.PollInterval, pollInterval)
	or(&o.ListsPerMinute, listsPerMinute)
	or(&o.MinPause, minPause)
	or(&o.MaxPause, maxPause)
	or(&o.Patience, patience)
	or(&o.Settled, settled)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func or[N ~int | ~int64](n *N, otherwise N) {
	if *n <= 0 {
		*n = otherwise
	}
}

// Name implements auditlog.Source.
func (s *Source) Name() string { return s.name }

// Run implements auditlog.Source. hand is called by one goroutine at a time: while it
// blocks, neither the tail nor a list is read. A position that cannot be read is a Gap,
// and is taken for none.
func (s *Source) Run(ctx context.Context, position string, hand auditlog.Hand, report auditlog.Report) error {
	r := &reader{
		Source: s, hand: hand, troubles: &troubles{source: s, report: report},
		wake: make(chan struct{}, 1), seen: newSeen(maxSeen),
	}
	r.begin(position)
	client, err := s.connect(ctx, r.troubles)
	if err != nil {
		return nil
	}
	defer func() {
		if err := client.Close(); err != nil {
			s.Log.Warn("close the client", "source", s.name, "error", err)
		}
	}()
	r.client = client
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.tail(ctx) })
	group.Go(func() error { return r.list(ctx) })
	_ = group.Wait() // they end with ctx only
	return nil
}

// connect returns a client. What it needs for that are credentials, which may not be
// there yet. An error means that ctx ended.
func (s *Source) connect(ctx context.Context, t *troubles) (*apiv2.Client, error) {
	options := s.ClientOptions
	if s.Endpoint != "" {
		options = append(options[:len(options):len(options)], option.WithEndpoint(s.Endpoint))
	}
	for attempt := 0; ; attempt++ {
		client, err := apiv2.NewClient(ctx, options...)
		if err == nil {
			t.works(connecting)
			// Each attempt is seen, paced and reported here, not in the library.
			client.CallOptions.ListLogEntries, client.CallOptions.TailLogEntries = nil, nil
			return client, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		t.failed(connecting, &credentialsError{err})
		if err := pause.For(ctx, s.backoff.After(attempt+1)); err != nil {
			return nil, err
		}
	}
}

// filter is what is read, from a time on if that is not zero. Lines are joined by AND;
// the filter has lines of its own, as it may end in a comment.
func (s *Source) filter(from time.Time) string {
	text := "(\n" + s.Filter + "\n)"
	if s.Heartbeat != "" {
		text = "(" + text + " OR log_id(\"" + s.Heartbeat + "\"))"
	}
	if !from.IsZero() {
		text += "\ntimestamp>=\"" + from.UTC().Format(time.RFC3339Nano) + "\""
	}
	return text
}
