// Package pubsub reads log entries from a Pub/Sub subscription that a log sink feeds:
// the system of record, and what several replicas read together.
//
// Pub/Sub keeps count of what was read. A message that is not acknowledged comes
// again, to this replica or another, so nothing is lost whenever this one dies; the
// source itself goes on nowhere and has no positions.
//
// It needs roles/pubsub.subscriber on the subscription, and nothing else: that a
// subscription works is known from the stream itself (see health), not from
// GetSubscription, which would need roles/pubsub.viewer.
package pubsub

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/pause"
)

const (
	// maxOutstanding is how many messages are between Pub/Sub and the ledger. It is
	// what the Watcher holds (4,096) or less, as more would only keep messages from
	// other replicas. At 100 ms from receipt to acknowledgement it is 20,000 a second.
	maxOutstanding = 2000
	// maxOutstandingBytes is the memory they take: 2,000 entries of 4 KiB, which is a
	// large one, are 8 MiB; entries have at most 512 KiB
	// (https://cloud.google.com/logging/quotas), of which 64 MiB hold 128.
	maxOutstandingBytes = 64 << 20
	// ackPatience is how long a message is kept from others while the ledger cannot be
	// written. Then it comes again.
	ackPatience = 60 * time.Minute
	// lease is how long Pub/Sub keeps a message from others at a time: when a replica
	// dies, what it had comes to another after that. 10 s is the least there is, and
	// would be lost to a machine that stalls.
	lease = 20 * time.Second
	// stopPatience is how long a stop waits for what was not acknowledged to be given
	// back.
	stopPatience = 2 * time.Second
	// minPause and maxPause are between two attempts to subscribe.
	minPause = time.Second
	maxPause = time.Minute
	// patience is how long a reconnect takes at most: Pub/Sub ends each stream every
	// half hour or so, and it is there again within seconds.
	patience = time.Minute
	// settled is how long a stream that says nothing is open before it is taken to
	// work. The client pings each 30 s, and Pub/Sub answers; emulators may not.
	settled = 35 * time.Second
)

var (
	// projectID and resourceID are what Google takes
	// (https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names). They need no
	// quoting in a shell.
	projectID  = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]*$`)
	resourceID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._~+%-]{0,254}$`)
)

// Options says what is read, and how. Project and Subscription are required.
type Options struct {
	// Project and Subscription are ids.
	Project, Subscription string
	// Endpoint is HOST:PORT, for Private Service Connect; empty means Google's.
	Endpoint string
	// ClientOptions are for the client library, credentials for example.
	ClientOptions []option.ClientOption
	// MaxOutstanding and MaxOutstandingBytes bound the messages that were handed out
	// and are not acknowledged; zero means 2,000 and 64 MiB.
	MaxOutstanding, MaxOutstandingBytes int
	// MinPause and MaxPause are between attempts to subscribe; zero means a second and
	// a minute.
	MinPause, MaxPause time.Duration
	// Patience is how long nobody may answer before that is a trouble, Settled how
	// long a silent stream is open before it is taken to work; zero means one minute
	// and 35 seconds.
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

// Source is a subscription. It implements auditlog.Source.
type Source struct {
	Options
	name    string
	metrics metrics
	backoff *pause.Backoff
}

// New returns a Source. It connects to nothing. An error says what is wrong with the
// options.
func New(o Options) (*Source, error) {
	if !projectID.MatchString(o.Project) {
		return nil, fmt.Errorf("pub/sub: %q is not the id of a project", o.Project)
	}
	if !resourceID.MatchString(o.Subscription) {
		return nil, fmt.Errorf("pub/sub: %q is not the id of a subscription (without projects/…/subscriptions/)", o.Subscription)
	}
	orInt(&o.MaxOutstanding, maxOutstanding)
	orInt(&o.MaxOutstandingBytes, maxOutstandingBytes)
	orInt(&o.MinPause, minPause)
	orInt(&o.MaxPause, maxPause)
	orInt(&o.Patience, patience)
	orInt(&o.Settled, settled)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{Options: o, name: "projects/" + o.Project + "/subscriptions/" + o.Subscription}
	s.metrics = newMetrics(o.Registerer, s.Name())
	s.backoff = &pause.Backoff{First: o.MinPause, Longest: o.MaxPause, Least: 0.5, Entropy: o.Rand}
	return s, nil
}

func orInt[N ~int | ~int64](n *N, otherwise N) {
	if *n <= 0 {
		*n = otherwise
	}
}

// Name implements auditlog.Source.
func (s *Source) Name() string { return "pubsub:" + s.name }

// Run implements auditlog.Source. hand is called by one goroutine at a time. The
// position is of no use to it. It returns nil when ctx has ended: what was not
// acknowledged then is given back.
func (s *Source) Run(ctx context.Context, _ string, hand auditlog.Hand, report auditlog.Report) error {
	h := &health{source: s, report: report}
	defer h.stop()
	for attempt := 0; ; attempt++ {
		before := h.worked()
		err := s.receive(ctx, h, hand)
		if ctx.Err() != nil {
			return nil
		}
		if h.worked() != before {
			attempt = 0
		}
		s.Log.Warn("subscription ended, trying again", "source", s.Name(), "error", err)
		h.ended(err)
		if err := pause.For(ctx, s.backoff.After(attempt+1)); err != nil {
			return nil
		}
	}
}

// receive reads until ctx ends or the stream does for good. Of Receive's own errors
// only those are seen here that it does not retry: see health for the others.
func (s *Source) receive(ctx context.Context, h *health, hand auditlog.Hand) error {
	options := s.ClientOptions
	if s.Endpoint != "" {
		options = append(options[:len(options):len(options)], option.WithEndpoint(s.Endpoint))
	}
	options = append(options[:len(options):len(options)],
		option.WithGRPCDialOption(grpc.WithChainStreamInterceptor(h.watch)))
	client, err := pubsub.NewClient(ctx, s.Project, options...)
	if err != nil {
		return &credentialsError{err}
	}
	defer func() {
		if err := client.Close(); err != nil {
			s.Log.Warn("close the client", "source", s.Name(), "error", err)
		}
	}()
	subscriber := client.Subscriber(s.name)
	subscriber.ReceiveSettings = pubsub.ReceiveSettings{
		MaxExtension:               ackPatience,
		MaxDurationPerAckExtension: lease,
		MaxOutstandingMessages:     s.MaxOutstanding,
		MaxOutstandingBytes:        s.MaxOutstandingBytes,
		EnablePerStreamFlowControl: true,
		NumGoroutines:              1,
		// Whoever handed it out does not acknowledge it any more when ctx has ended.
		ShutdownOptions: &pubsub.ShutdownOptions{Timeout: stopPatience, Behavior: pubsub.ShutdownBehaviorNackImmediately},
	}
	var turn sync.Mutex
	return subscriber.Receive(ctx, func(ctx context.Context, m *pubsub.Message) {
		settled := make(chan struct{})
		done := sync.OnceFunc(func() { close(settled) })
		handed := auditlog.Message{
			Data: m.Data, Received: s.Now(), Redelivers: true,
			Ack:  func() { defer done(); s.acknowledge(m) },
			Nack: func() { defer done(); m.Nack() },
		}
		turn.Lock()
		err := hand(ctx, handed)
		turn.Unlock()
		if err != nil {
			m.Nack()
			return
		}
		// Receive counts those messages as outstanding whose function has not returned.
		select {
		case <-settled:
		case <-ctx.Done():
		}
	})
}

// acknowledge returns at once. Only a subscription with exactly-once delivery says
// later whether it worked; if it did not, the message comes again, and is known.
func (s *Source) acknowledge(m *pubsub.Message) {
	result := m.AckWithResult()
	select {
	case <-result.Ready():
		s.acknowledged(result)
	default:
		go func() {
			<-result.Ready()
			s.acknowledged(result)
		}()
	}
}

func (s *Source) acknowledged(result *pubsub.AckResult) {
	if status, err := result.Get(context.Background()); err != nil {
		s.metrics.unacked.Inc()
		s.Log.Warn("a message could not be acknowledged, it comes again", "source", s.Name(), "status", int(status), "error", err)
	}
}
