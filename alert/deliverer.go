package alert

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/pause"
)

// DelivererOptions says what a Deliverer works with. Ledger, Book and Sinks are
// required.
type DelivererOptions struct {
	Ledger *ledger.Ledger
	Book   *Book
	// Sinks has one for each name that the Book knows, and no other.
	Sinks map[string]Sink
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Entropy scatters the pauses; nil means crypto/rand.Reader.
	Entropy io.Reader
	// Log is told what cannot be delivered; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Deliverer sends what waits in the queues:
//
//	outbox ─► (1 goroutine: tell + ack) ─┐
//	                                     ▼
//	Book ─► incident + queue ─► worker of sink A ─► Send ─► delivered, later, or dead
//	                        └─► worker of sink B ─► …
//
// Each sink has a worker, so that one that is dead holds up no other. What is sent is
// the incident as it is then; a sink is told at least once, and after a crash perhaps
// again, under the same id.
type Deliverer struct {
	ledger  *ledger.Ledger
	book    *Book
	workers []*worker
	now     func() time.Time
	log     *slog.Logger
	// stir wakes the one who reads the outbox.
	stir chan struct{}
}

// NewDeliverer returns a Deliverer, or an error if the sinks are not those of the Book.
func NewDeliverer(o DelivererOptions) (*Deliverer, error) {
	if o.Ledger == nil || o.Book == nil {
		return nil, errors.New("deliver alerts: Ledger and Book are required")
	}
	names := slices.Sorted(maps.Keys(o.Sinks))
	if !slices.Equal(names, o.Book.sinks) {
		return nil, fmt.Errorf("deliver alerts: there are the sinks %q, and alerts are kept for %q", names, o.Book.sinks)
	}
	d := &Deliverer{ledger: o.Ledger, book: o.Book, now: o.Now, log: o.Log, stir: make(chan struct{}, 1)}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	m := newMetrics(o.Registerer, o.Ledger, names, d.now)
	backoff := &pause.Backoff{First: firstPause, Longest: maxPause, Entropy: o.Entropy}
	for _, name := range names {
		d.workers = append(d.workers, &worker{
			Deliverer: d, name: name, sink: o.Sinks[name], metrics: m.of(name), backoff: backoff, wake: make(chan struct{}, 1),
		})
	}
	return d, nil
}

// Wake has the queues looked at: to be called after each transaction in which
// something was told. It returns at once, and may be called concurrently.
func (d *Deliverer) Wake() {
	signal(d.stir)
	for _, w := range d.workers {
		signal(w.wake)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is about to look anyway
	}
}

const (
	// outboxInterval is how often the outbox is looked at: whoever puts something into
	// it need not know of the Deliverer.
	outboxInterval = time.Second
	// outboxBatch is how many entries one transaction tells.
	outboxBatch = 100
	// pruneInterval is how often old incidents are removed, and queues of sinks that
	// are not there any more looked for.
	pruneInterval = time.Hour
)

// Run delivers until ctx ends, and returns nil then. What it cannot do it logs and
// tries again: an error of the disk is no reason to tell people nothing. It is to be
// called once.
func (d *Deliverer) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range d.workers {
		group.Go(func() error { w.run(ctx); return nil })
	}
	group.Go(func() error { d.readOutbox(ctx); return nil })
	group.Go(func() error { d.tidy(ctx); return nil })
	return group.Wait()
}

// tidy removes what is old, and buries what nobody will ever send.
func (d *Deliverer) tidy(ctx context.Context) {
	for ctx.Err() == nil {
		if err := d.buryOrphans(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("queues of sinks that are not configured not looked for", "error", err)
		}
		if _, err := d.book.Prune(ctx, d.ledger); err != nil && ctx.Err() == nil {
			d.log.Error("old incidents not removed", "error", err)
		}
		sleep(ctx, pruneInterval, nil)
	}
}

// sleep waits for a time, for ctx to end, or to be woken.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}
