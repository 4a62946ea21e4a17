package auditlog

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// minRetry and maxRetry are between two attempts to write the ledger: a full disk
	// is seen to by people, who want to see that it helped.
	minRetry = 200 * time.Millisecond
	maxRetry = 15 * time.Second
	// positionInterval is how long positions wait: what was read meanwhile is read
	// again after a crash.
	positionInterval = time.Second
	// startPatience is how long the end of an operation waits for its start to come,
	// from another replica or out of order, where the source hands it out again.
	startPatience = time.Minute
)

// keep makes what is read durable, a batch at a time, until the sources have ended or
// ctx does. It is the only one that decides and writes, so that what belongs to one
// incident comes in order.
func (w *Watcher) keep(ctx context.Context) error {
	// positions are those that are not written yet, flush says when they have to be.
	positions := map[string]string{}
	flush := time.NewTicker(positionInterval)
	defer flush.Stop()
	for {
		b := &batch{started: map[string]started{}, seen: map[string]bool{}, positions: positions}
		more, err := w.collect(ctx, b, flush.C)
		if err == nil {
			err = w.settle(ctx, b)
		}
		if err != nil || !more { // ctx ended: what was not acknowledged comes again
			return nil
		}
		if b.flush {
			clear(positions)
		}
	}
}

// batch is what goes into one transaction.
type batch struct {
	items    []*item
	troubles []alert.Trouble
	// started are the operations of which the start is known, by LongRunning.ID: from
	// the ledger, or from this batch.
	started map[string]started
	// seen are the keys of what was judged before, or in this batch.
	seen  map[string]bool
	wrote []write
	// positions are how far each source was read. They are written with what else is,
	// or if flush says so: alone, they are not worth a sync of the disk each time.
	positions map[string]string
	flush     bool
}

// write is what one item, or one trouble, puts into the transaction.
type write func(tx *ledger.Tx) error

// collect waits for something, and takes what else is there.
func (w *Watcher) collect(ctx context.Context, b *batch, flush <-chan time.Time) (more bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-flush:
		b.flush = true
	case t := <-w.troubles:
		b.troubles = append(b.troubles, t)
	case it, ok := <-w.ordered:
		if !ok {
			w.drain(b)
			return false, nil
		}
		b.items = append(b.items, it)
	}
	for len(b.items) < maxBatch {
		select {
		case it, ok := <-w.ordered:
			if !ok {
				w.drain(b)
				return false, nil
			}
			b.items = append(b.items, it)
		case t := <-w.troubles:
			b.troubles = append(b.troubles, t)
		default:
			return true, nil
		}
	}
	return true, nil
}

// drain takes what is left when the sources have ended.
func (w *Watcher) drain(b *batch) {
	b.flush = true
	for {
		select {
		case t := <-w.troubles:
			b.troubles = append(b.troubles, t)
		default:
			return
		}
	}
}

// settle decides on a batch, writes it, and acknowledges it.
func (w *Watcher) settle(ctx context.Context, b *batch) error {
	for _, it := range b.items {
		if it.ready == nil {
			continue
		}
		select {
		case <-it.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := w.retry(ctx, func() error { return w.recall(ctx, b) }); err != nil {
		return err
	}
	var kept []*item
	for _, it := range b.items {
		again, err := w.consider(ctx, b, it)
		if err != nil {
			return err
		}
		if again {
			it.Nack()
			continue
		}
		if it.Position != "" {
			b.positions[it.source] = it.Position
		}
		kept = append(kept, it)
	}
	for _, t := range b.troubles {
		b.wrote = append(b.wrote, func(tx *ledger.Tx) error {
			_, err := w.Book.TellTrouble(tx, t)
			return err
		})
	}
	b.flush = b.flush || len(b.wrote) > 0
	if b.flush && len(b.wrote)+len(b.positions) > 0 {
		if err := w.retry(ctx, func() error { return w.commit(ctx, b) }); err != nil {
			return err
		}
	}
	now := w.Now()
	for _, it := range kept {
		it.acknowledge()
		if it.ready != nil {
			w.metrics.kept(it, now)
		}
	}
	if len(b.wrote) > 0 {
		w.Wake()
	}
	return nil
}

// commit writes a batch in one transaction.
func (w *Watcher) commit(ctx context.Context, b *batch) error {
	return w.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		for _, write := range b.wrote {
			if err := write(tx); err != nil {
				return err
			}
		}
		for source, position := range b.positions {
			if err := tx.Put(ledger.TablePositions, source, []byte(position)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *Watcher) position(ctx context.Context, source string) (position string, err error) {
	err = w.Ledger.View(ctx, func(tx *ledger.Tx) error {
		position = string(tx.Get(ledger.TablePositions, source))
		return nil
	})
	return position, err
}

// retry calls do until it works or ctx ends. What is read waits meanwhile, and is not
// acknowledged.
func (w *Watcher) retry(ctx context.Context, do func() error) error {
	for pause := minRetry; ; pause = min(2*pause, maxRetry) {
		err := do()
		if err == nil {
			w.stuck.set(nil)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.stuck.set(err)
		w.metrics.unkept.Inc()
		w.Log.Error("what was read of the audit log cannot be kept, trying again", "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// stuck is why nothing can be kept.
type stuck struct{ cause atomic.Pointer[error] }

func (s *stuck) set(err error) {
	if err == nil {
		s.cause.Store(nil)
		return
	}
	s.cause.Store(&err)
}

func (s *stuck) err() error {
	if err := s.cause.Load(); err != nil {
		return *err
	}
	return nil
}

// consider decides on one item, and adds to the batch what is to be written. again
// says that it is to come again.
func (w *Watcher) consider(ctx context.Context, b *batch, it *item) (again bool, err error) {
	if it.ready == nil {
		return false, nil
	}
	if it.replaces != "" {
		b.wrote = append(b.wrote, func(tx *ledger.Tx) error { return tx.Delete(ledger.TableUndecoded, it.replaces) })
	}
	if it.err != nil {
		w.metrics.undecoded.WithLabelValues(it.source).Inc()
		b.wrote = append(b.wrote, w.undecoded(it))
		return false, nil
	}
	w.metrics.entry(it.source, it.reading.Care)
	r := it.reading
	if r.Care != Judge || b.seen[r.Key] {
		return false, nil
	}
	run := r.LongRunning
	start, known := b.started[run.ID]
	switch {
	case run.ID == "":
	case run.First && known && start.Orphan: // the end was here first
		r.Operation.Phase = start.Decision.Phase
	case run.First:
	case known:
		return false, w.end(ctx, b, start, r)
	case it.Redelivers && it.Nack != nil && w.Now().Sub(r.Received) < startPatience:
		return true, nil
	case r.Operation.Verb == operation.Update: // its start was nothing to care about, or was never seen
		return false, nil
	}
	d := w.Decider.Decide(ctx, r.Operation)
	if ctx.Err() != nil { // it may have been decided in a hurry
		return false, ctx.Err()
	}
	b.seen[r.Key] = true
	began := &started{Decision: d, At: r.Timestamp, Orphan: run.Last && !run.First}
	if run.ID != "" {
		b.started[run.ID] = *began
	}
	b.wrote = append(b.wrote, func(tx *ledger.Tx) error {
		incident, err := w.Book.TellDecision(tx, d)
		if err != nil {
			return err
		}
		if err := putSeen(tx, r); err != nil || run.ID == "" {
			return err
		}
		began.Incident = incident
		return began.put(tx, run.ID)
	})
	return false, nil
}

// end says how an operation ended of which the start is known.
func (w *Watcher) end(ctx context.Context, b *batch, start started, r Reading) error {
	ended := Ended(start.Decision, r)
	if err := w.retry(ctx, func() error { return w.Recorder.Record(ctx, ended) }); err != nil {
		return err
	}
	b.seen[r.Key] = true
	id := r.LongRunning.ID
	b.wrote = append(b.wrote, func(tx *ledger.Tx) error {
		began, err := getStarted(tx, id) // the start may be in this transaction
		if err != nil {
			return err
		}
		if began.Incident != "" {
			inShort := ended
			inShort.ID = start.Decision.ID
			if err := w.Book.UpdateOperation(tx, began.Incident, inShort); err != nil {
				return err
			}
		}
		return putSeen(tx, r)
	})
	return nil
}

// recall reads what the ledger knows of the items of a batch.
func (w *Watcher) recall(ctx context.Context, b *batch) error {
	return w.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for _, it := range b.items {
			r := it.reading
			if it.ready == nil || it.err != nil || r.Care != Judge {
				continue
			}
			if tx.Get(ledger.TableSeen, seenKey(r)) != nil {
				b.seen[r.Key] = true
			}
			if id := r.LongRunning.ID; id != "" {
				if s, err := getStarted(tx, id); err == nil {
					b.started[id] = s
				} else if err != errUnknownStart {
					w.Log.Error("the start of an operation cannot be read: its end is judged by itself", "error", err)
				}
			}
		}
		return nil
	})
}

// undecoded keeps what could not be read, and tells of it.
func (w *Watcher) undecoded(it *item) write {
	return func(tx *ledger.Tx) error {
		key, err := putUndecoded(tx, it, w.Now())
		if err != nil {
			return err
		}
		_, err = w.Book.TellTrouble(tx, alert.Trouble{
			Kind: alert.Undecodable, Source: it.source, Since: it.Received,
			Text: "an entry cannot be read: " + operation.Printable(it.err.Error()) + "; it is kept as " + key + " (mollyguard alert dead list)",
		})
		return err
	}
}
