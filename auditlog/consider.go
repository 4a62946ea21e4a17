package auditlog

import (
	"context"
	"errors"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// startPatience is how long the end of an operation waits for its start to come, from
// another replica or out of order, where the source hands it out again. With pauses that
// grow from 10 s (deploy/gcp) it comes six times, so that of two replicas the one that
// knows the start has it with a chance of 98 in 100.
const startPatience = 10 * time.Minute

// consider decides on one item, and adds to the batch what is to be written. again
// says that it is to come again.
func (w *Watcher) consider(ctx context.Context, b *batch, it *item) (again bool, err error) {
	if it.ready == nil {
		return false, nil
	}
	if it.err != nil {
		w.metrics.undecoded.WithLabelValues(it.source).Inc()
		b.undecoded = true
		b.wrote = append(b.wrote, w.undecoded(it))
		return false, nil
	}
	if it.replaces != "" {
		b.wrote = append(b.wrote, func(tx *ledger.Tx) error { return tx.Delete(ledger.TableUndecoded, it.replaces) })
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
		return false, w.end(ctx, b, start, it)
	case it.Redelivers && it.Nack != nil && w.Now().Sub(r.Received).Abs() < startPatience: // not for ever, whatever the clocks say
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
		if incident != "" {
			if err := putEntry(tx, d.ID, r.Raw); err != nil {
				return err
			}
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
func (w *Watcher) end(ctx context.Context, b *batch, start started, it *item) error {
	r := it.reading
	ended := Ended(start.Decision, r)
	if ended.Time.After(it.Received) { // as guard.Guard does with a start that is dated in the future
		ended.Time = it.Received
	}
	ended.Time = ended.Time.UTC().Truncate(time.Millisecond)
	if err := w.retry(ctx, func() error { return w.Recorder.Record(ctx, ended) }); err != nil {
		return err
	}
	b.seen[r.Key] = true
	id := r.LongRunning.ID
	b.wrote = append(b.wrote, func(tx *ledger.Tx) error {
		began, err := getStarted(tx, id) // the start may be in this transaction
		if err != nil {
			began = start // which was removed meanwhile
		}
		if began.Incident != "" {
			update := ended
			update.ID = start.Decision.ID
			if err := w.Book.UpdateOperation(tx, began.Incident, update); err != nil {
				return err
			}
		}
		if began.Incident == "" { // nobody asks for it again
			if err := tx.Delete(ledger.TableOperations, hashed(id)); err != nil {
				return err
			}
		} else if err := putEntry(tx, ended.ID, r.Raw); err != nil {
			return err
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
				} else if !errors.Is(err, errUnknownStart) {
					w.Log.Error("the start of an operation cannot be read: its end is judged by itself", "error", err)
				}
			}
		}
		return nil
	})
}

// undecoded keeps what could not be read, and tells of it, once.
func (w *Watcher) undecoded(it *item) write {
	return func(tx *ledger.Tx) error {
		key, again, err := putUndecoded(tx, it, w.Now())
		if err != nil || again {
			return err
		}
		_, err = w.Book.TellTrouble(tx, alert.Trouble{
			Kind: alert.Undecodable, Source: it.source, Since: it.Received,
			Text: "an entry cannot be read: " + operation.Printable(operation.Clip(it.err.Error(), maxError)) + "; it is kept: mollyguard alert dead list has it as entry/" + key,
		})
		return err
	}
}
