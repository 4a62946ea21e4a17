package auditlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// Book writes down what people are to be told, in the transaction that it is passed.
// *alert.Book is one.
type Book interface {
	// TellDecision returns the incident that the decision went into, "" if nobody is to
	// be told. Telling it again changes nothing.
	TellDecision(tx *ledger.Tx, d operation.Decision) (incident string, err error)
	// UpdateOperation says how the operation with this decision id went on.
	UpdateOperation(tx *ledger.Tx, incident string, d operation.Decision) error
	TellTrouble(tx *ledger.Tx, t alert.Trouble) (incident string, err error)
}

// Options says what a Watcher is made of. All but Wake, Silence, Now, Log and
// Registerer are required.
type Options struct {
	Sources  []Source
	Mapper   Mapper
	Judging  Judging
	Decider  Decider
	Recorder Recorder
	Book     Book
	Ledger   *ledger.Ledger
	// Wake is called when there may be something to tell.
	Wake func()
	// Silence is how long a source may hand out nothing, not even a heartbeat, before
	// that is a trouble; zero means for ever.
	Silence time.Duration

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told what cannot be kept; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Watcher reads sources until it is stopped.
type Watcher struct {
	Options
	metrics metrics

	ordered  chan *item
	work     chan *item
	troubles chan alert.Trouble

	// ending is held for reading by who sends to the channels, which are closed when
	// ended is set.
	ending sync.RWMutex
	ended  bool

	// others passes on what is reported by others than sources.
	others reports

	silence silence
	stuck   stuck
}

// item is a message on its way.
type item struct {
	Message
	source string
	// ready is closed when reading and err are set.
	ready   chan struct{}
	reading Reading
	err     error
	// replaces is the key of the same entry among those that could not be read.
	replaces string
}

const (
	// maxWaiting is how many messages are between a source and the ledger: with
	// entries of 4 KiB, which is a large one, 16 MiB.
	maxWaiting = 4096
	// maxBatch is how many messages go into one transaction: at 50 µs for each, 13 ms,
	// about as long as the sync of a slow disk, so that neither waits for the other.
	maxBatch = 256
)

// New returns a Watcher.
func New(o Options) (*Watcher, error) {
	if len(o.Sources) == 0 || o.Mapper == nil || o.Judging.Marks == nil || o.Decider == nil || o.Recorder == nil || o.Book == nil || o.Ledger == nil {
		return nil, errors.New("audit log: Sources, Mapper, Judging, Decider, Recorder, Book and Ledger are required")
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{
		Options: o, metrics: newMetrics(o.Registerer),
		ordered: make(chan *item, maxWaiting), work: make(chan *item, maxWaiting), troubles: make(chan alert.Trouble, maxBatch),
	}
	w.others.to = w.troubles
	w.silence.begin(o.Sources, o.Now())
	return w, nil
}

// Ready says why the watcher does not keep what it reads, or nil.
func (w *Watcher) Ready() error { return w.stuck.err() }

// Run watches until ctx ends, or a source says that it can never work.
func (w *Watcher) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	var sources sync.WaitGroup
	for _, source := range w.Sources {
		sources.Add(1)
		group.Go(func() error {
			defer sources.Done()
			return w.read(ctx, source)
		})
	}
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error { return w.mapAll(ctx) })
	}
	group.Go(func() error { // sources that end, such as a file that is read once
		sources.Wait()
		w.ending.Lock()
		defer w.ending.Unlock()
		w.ended = true
		close(w.ordered)
		close(w.work)
		return nil
	})
	finished := make(chan struct{})
	group.Go(func() error {
		defer close(finished)
		return w.keep(ctx)
	})
	group.Go(func() error { return w.watchSilence(ctx, finished) })
	group.Go(func() error { return w.prune(ctx, finished) })
	return group.Wait()
}

func (w *Watcher) read(ctx context.Context, source Source) error {
	name := source.Name()
	position, err := w.position(ctx, name)
	if err != nil {
		return err
	}
	reports := &reports{to: w.troubles}
	first := sync.OnceFunc(func() { reports.sees(ctx, name) })
	err = source.Run(ctx, position, func(ctx context.Context, m Message) error {
		first()
		return w.hand(ctx, name, m)
	}, func(t alert.Trouble) { reports.tell(ctx, t) })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// hand takes a message from a source. What nobody can care about goes no further,
// unless the source wants to know how far it got.
func (w *Watcher) hand(ctx context.Context, source string, m Message) error {
	w.silence.heard(source, m.Received)
	it := &item{Message: m, source: source}
	if !w.Mapper.Cares(m.Data) {
		w.metrics.entry(source, Ignore)
		if m.Position == "" {
			m.acknowledge()
			return nil
		}
		it.Data = nil
		return send(ctx, w.ordered, it)
	}
	it.ready = make(chan struct{})
	return w.pass(ctx, it)
}

// pass hands an item to those who read and keep it. Sources have ended before the
// channels are closed, but not everybody else.
func (w *Watcher) pass(ctx context.Context, it *item) error {
	w.ending.RLock()
	defer w.ending.RUnlock()
	if w.ended {
		return errNotRunning
	}
	if err := send(ctx, w.ordered, it); err != nil {
		return err
	}
	return send(ctx, w.work, it)
}

func send(ctx context.Context, to chan<- *item, it *item) error {
	select {
	case to <- it:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// mapAll reads what waits for it.
func (w *Watcher) mapAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case it, more := <-w.work:
			if !more {
				return nil
			}
			it.reading, it.err = w.Mapper.Map(it.Data)
			if it.err == nil && it.reading.Care == Judge {
				w.Judging.Complete(ctx, &it.reading)
			}
			close(it.ready)
		}
	}
}

// Report takes a trouble of somebody else than a source: the inventory. It returns
// when there is room for it, or ctx ends.
func (w *Watcher) Report(ctx context.Context, t alert.Trouble) { w.others.tell(ctx, t) }

func (m Message) acknowledge() {
	if m.Ack != nil {
		m.Ack()
	}
}
