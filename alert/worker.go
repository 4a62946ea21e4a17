package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/pause"
)

// worker sends to one sink.
type worker struct {
	*Deliverer
	name    string
	sink    Sink
	metrics sinkMetrics
	backoff *pause.Backoff
	wake    chan struct{}

	// failures counts how often in a row the sink failed, whatever it was sent; until
	// rest nothing is sent.
	failures int
	rest     time.Time
}

const (
	// dueBatch is how many alerts are sent before it is looked what is worst now: after
	// a long outage it is long.
	dueBatch = 16
	// maxSleep is how long a worker sleeps at most, in case nobody wakes it.
	maxSleep = time.Minute
)

// item is an incident that waits, with its key as it is in the queue.
type item struct {
	key, id string
	queued
	err error // it could not be read
}

func (i item) due() time.Time {
	if i.NotBefore.After(i.Since) {
		return i.NotBefore
	}
	return i.Since
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		due, next, err := w.look(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.log.Error("queue not read", "sink", w.name, "error", err)
			}
			sleep(ctx, w.tired(), nil)
			continue
		}
		if len(due) == 0 {
			sleep(ctx, next, w.wake)
			continue
		}
		for _, i := range due {
			if ctx.Err() != nil || w.rest.After(w.now()) {
				break
			}
			w.handle(ctx, i)
		}
	}
}

// look returns what is to be sent now, the worst first and of that what is due longest,
// or for how long there is nothing. Refusals, which anybody can cause by the thousand,
// must not hold up what was done.
func (w *worker) look(ctx context.Context) (due []item, wait time.Duration, err error) {
	now := w.now()
	wait = maxSleep
	if rest := w.rest.Sub(now); rest > 0 {
		return nil, min(rest, wait), nil
	}
	err = w.ledger.View(ctx, func(tx *ledger.Tx) error {
		tx.Scan(ledger.TableQueue, w.name+"/", "", func(key string, text []byte) bool {
			_, id := splitKey(key)
			q, err := decodeQueued(text)
			i := item{key, id, q, err}
			if early := q.NotBefore.Sub(now); early > 0 {
				wait = min(wait, early)
			} else {
				due = append(due, i)
			}
			return true
		})
		return nil
	})
	slices.SortStableFunc(due, func(a, b item) int {
		return cmp.Or(b.queued.Severity.Rank()-a.queued.Severity.Rank(), a.due().Compare(b.due()), cmp.Compare(a.key, b.key))
	})
	return due[:min(len(due), dueBatch)], wait, err
}

// tired counts a failure of the sink, or of the ledger, and returns how long to rest.
func (w *worker) tired() time.Duration {
	w.failures++
	rest := w.backoff.After(w.failures)
	w.rest = w.now().Add(rest)
	return rest
}

// errGone is an incident that is waited for, and is not there.
var errGone = errors.New("the incident is not there any more")

// read returns what is to be sent. What cannot be decoded of it is an *unreadable.
func (w *worker) read(ctx context.Context, i item) (a Alert, err error) {
	if i.err != nil {
		return Alert{}, &unreadable{ledger.TableQueue, i.key, i.err}
	}
	err = w.ledger.View(ctx, func(tx *ledger.Tx) error {
		in, err := readIncident(tx, i.id)
		if err == nil && in == nil {
			err = errGone
		}
		if err != nil {
			return err
		}
		var bad []*unreadable
		if a, bad = w.book.compose(tx, in); len(bad) > 0 {
			return bad[0]
		}
		return nil
	})
	return a, err
}

// sift sets aside what cannot be decoded. What is left waits as before, and comes again
// at once.
func (w *worker) sift(ctx context.Context, i item, reason error) {
	if err := w.ledger.Update(ctx, func(tx *ledger.Tx) error { return w.book.sift(tx, i.key) }); err != nil {
		if ctx.Err() == nil {
			w.log.Error("record not set aside", "sink", w.name, "incident", i.id, "error", err)
		}
		w.tired()
		return
	}
	w.log.Error("record cannot be read and is set aside: look at mollyguard alert dead list", "sink", w.name, "incident", i.id, "error", reason)
	signal(w.stir)
}

// handle sends one alert and keeps what came of it.
func (w *worker) handle(ctx context.Context, i item) {
	a, err := w.read(ctx, i)
	if _, bad := errors.AsType[*unreadable](err); bad {
		w.sift(ctx, i, err)
		return
	}
	var outcome outcome
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errGone):
		outcome = w.weigh(i, &Rejected{err.Error()})
	case err != nil: // of the disk
		w.log.Error("alert not read", "sink", w.name, "incident", i.id, "error", err)
		w.tired()
		return
	default:
		err := w.attempt(ctx, a)
		if err != nil && ctx.Err() != nil {
			return // it is called off, and comes again after the start
		}
		outcome = w.weigh(i, err)
	}
	// What was sent is noted, even if the end has come meanwhile.
	if err := w.note(context.WithoutCancel(ctx), i, a, outcome); err != nil {
		w.log.Error("what became of an alert not kept: it will be sent again", "sink", w.name, "incident", i.id, "error", err)
		w.tired()
		return
	}
	w.tell(i, a, outcome)
}

// outcome is what came of an attempt.
type outcome struct {
	result string // of the metric
	err    error
	// again is when to try again; zero if never.
	again time.Time
}

// weigh says what follows from an attempt, and lets the sink rest if it failed. What
// is rejected says nothing against the sink.
func (w *worker) weigh(i item, err error) outcome {
	if err == nil {
		w.failures, w.rest = 0, time.Time{}
		return outcome{result: resultDelivered}
	}
	if _, ok := errors.AsType[*Rejected](err); ok {
		return outcome{result: resultRejected, err: err}
	}
	now := w.now()
	o := outcome{result: resultFailed, err: err}
	w.tired()
	o.again = now.Add(w.backoff.After(i.Attempts + 1))
	if later, ok := errors.AsType[*Later](err); ok {
		o.result = resultLater
		if later.After > 0 {
			o.again = now.Add(min(later.After, maxLater))
			w.rest = o.again
		}
	}
	if !i.Failing.IsZero() && now.Sub(i.Failing) >= patience {
		o.again = time.Time{}
		o.err = fmt.Errorf("given up after %d attempts in %v: %w", i.Attempts+1, now.Sub(i.Failing).Round(time.Minute), err)
	}
	return o
}

// tell says what came of an attempt, to whoever watches.
func (w *worker) tell(i item, a Alert, o outcome) {
	w.metrics.observe(i, o, w.now())
	switch {
	case o.err == nil:
		w.log.Debug("alert delivered", "sink", w.name, "incident", i.id, "revision", a.Revision)
	case o.again.IsZero():
		w.log.Error("alert is dead: look at mollyguard alert dead list", "sink", w.name, "incident", i.id, "error", o.err)
	default:
		w.log.Warn("alert not delivered", "sink", w.name, "incident", i.id, "error", o.err, "again", o.again)
	}
}
