package auditlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

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

	ordered chan *item
	work    chan *item
	// stopped is closed when nothing is kept any more.
	stopped chan struct{}

	// ending is held for reading by who sends to the channels, which are closed when
	// ended is set.
	ending sync.RWMutex
	ended  bool

	bytes   *semaphore.Weighted
	reports reports
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
	// bytes is how much of maxBytes it takes.
	bytes int64
	// replaces is the key of the same entry among those that could not be read.
	replaces string
}

const (
	// maxWaiting is how many messages are between a source and the ledger, maxBytes how
	// large they are together: entries have 2 to 4 KiB, and may have 256. One that is
	// larger than maxBytes goes alone.
	maxWaiting = 4096
	maxBytes   = 64 << 20
	// maxBatch is how many messages go into one transaction: at 50 to 200 µs for each,
	// 50 to 200 ms, in which one sync of the disk is not felt. It is half of what Pub/Sub
	// hands out at once, so that the next batch comes in meanwhile.
	maxBatch = 1024
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
		ordered: make(chan *item, maxWaiting), work: make(chan *item, maxWaiting), stopped: make(chan struct{}),
		bytes: semaphore.NewWeighted(maxBytes), reports: newReports(),
	}
	w.silence.begin(o.Sources, o.Now())
	return w, nil
}

// Ready says why the watcher does not keep what it reads, or nil.
func (w *Watcher) Ready() error { return w.stuck.err() }

// Run watches until ctx ends, a source says that it can never work, or all sources have
// ended. It is called once.
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
	group.Go(func() error {
		defer close(w.stopped)
		return w.keep(ctx)
	})
	group.Go(func() error { return w.watchSources(ctx) })
	group.Go(func() error { return w.prune(ctx) })
	return group.Wait()
}

func (w *Watcher) read(ctx context.Context, source Source) error {
	name := source.Name()
	position, err := PositionOf(ctx, w.Ledger, name)
	if err != nil {
		return err
	}
	err = source.Run(ctx, position, func(ctx context.Context, m Message) error {
		return w.hand(ctx, name, m)
	}, func(t alert.Trouble) { w.Report(ctx, t) })
	w.silence.ended(name)
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
	if !w.cares(m.Data) {
		w.metrics.entry(source, Ignore)
		if m.Position == "" {
			m.acknowledge()
			return nil
		}
		it.Data = nil
		return w.send(ctx, w.ordered, it)
	}
	it.ready, it.bytes = make(chan struct{}), min(int64(len(m.Data)), maxBytes)
	if err := w.bytes.Acquire(ctx, it.bytes); err != nil {
		return err
	}
	if err := w.pass(ctx, it); err != nil {
		w.bytes.Release(it.bytes)
		return err
	}
	return nil
}

// pass hands an item to those who read and keep it. Sources have ended before the
// channels are closed, but not everybody else. An item whose sender gives up on the way
// may have been read in vain, but nobody waits for one that is never read.
func (w *Watcher) pass(ctx context.Context, it *item) error {
	w.ending.RLock()
	defer w.ending.RUnlock()
	if w.ended {
		return errNotRunning
	}
	if err := w.send(ctx, w.work, it); err != nil {
		return err
	}
	return w.send(ctx, w.ordered, it)
}

func (w *Watcher) send(ctx context.Context, to chan<- *item, it *item) error {
	select {
	case to <- it:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
		return errNotRunning
	}
}

// every calls do at each interval. It returns nil when ctx ends, or the watcher is stopped.
func (w *Watcher) every(ctx context.Context, interval time.Duration, do func()) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.stopped:
			return nil
		case <-ticker.C:
			do()
		}
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
			it.reading, it.err = w.understand(ctx, it.Data)
			close(it.ready)
		}
	}
}

// understand reads an entry and completes what it says. A panic is an error like any
// other: the entry would come again, and end every process that reads it.
func (w *Watcher) understand(ctx context.Context, data []byte) (r Reading, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			w.Log.Error("an entry made the reader panic: this is a bug, please report it", "panic", problem, "stack", string(debug.Stack()))
			r, err = Reading{}, fmt.Errorf("the reader panicked: %v", problem)
		}
	}()
	if r, err = w.Mapper.Map(data); err == nil && r.Care == Judge {
		w.Judging.Complete(ctx, &r)
	}
	return r, err
}

// cares is Mapper.Cares. What makes it panic is looked into by Map.
func (w *Watcher) cares(data []byte) (cares bool) {
	defer func() {
		if recover() != nil {
			cares = true
		}
	}()
	return w.Mapper.Cares(data)
}

// Report takes a trouble of whoever cannot see: a source, the inventory. It returns at
// once, whether Run is running or not; what is reported after ctx has ended is nobody's
// trouble any more.
func (w *Watcher) Report(ctx context.Context, t alert.Trouble) {
	if ctx.Err() == nil {
		w.reports.tell(t)
	}
}

func (m Message) acknowledge() {
	if m.Ack != nil {
		m.Ack()
	}
}
