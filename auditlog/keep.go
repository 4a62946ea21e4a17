package auditlog

import (
	"context"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
)

// positionInterval is how long positions wait: what was read meanwhile is read again
// after a crash.
const positionInterval = time.Second

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
	// undecoded says that there are entries which could not be read.
	undecoded bool
}

// write is what one item, or one trouble, puts into the transaction.
type write func(tx *ledger.Tx) error

// collect waits for something, and takes what else is there.
func (w *Watcher) collect(ctx context.Context, b *batch, flush <-chan time.Time) (more bool, err error) {
	more = true
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-flush:
		b.flush = true
	case <-w.reports.more:
	case it, ok := <-w.ordered:
		more = b.take(it, ok)
	}
	for waiting := true; waiting && more && len(b.items) < maxBatch; {
		select {
		case it, ok := <-w.ordered:
			more = b.take(it, ok)
		default:
			waiting = false
		}
	}
	b.troubles = w.reports.take()
	return more, nil
}

// take takes an item, if there is one; if not, the sources have ended.
func (b *batch) take(it *item, ok bool) (more bool) {
	if !ok {
		b.flush = true
		return false
	}
	b.items = append(b.items, it)
	return true
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
			w.bytes.Release(it.bytes)
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
	if s, ok := w.Recorder.(syncer); ok && len(b.wrote) > 0 {
		if err := w.retry(ctx, func() error { return s.Sync(ctx) }); err != nil {
			return err
		}
	}
	if b.flush && len(b.wrote)+len(b.positions) > 0 {
		if err := w.retry(ctx, func() error { return w.commit(ctx, b) }); err != nil {
			return err
		}
	}
	now := w.Now()
	for _, it := range kept {
		w.bytes.Release(it.bytes)
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

// syncer is a Recorder that makes what was recorded durable: what is acknowledged must
// not be lost with the machine.
type syncer interface {
	Sync(ctx context.Context) error
}

// commit writes a batch in one transaction.
func (w *Watcher) commit(ctx context.Context, b *batch) error {
	return w.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		for _, write := range b.wrote {
			if err := write(tx); err != nil {
				return err
			}
		}
		if b.undecoded {
			if err := trimUndecoded(tx); err != nil {
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
