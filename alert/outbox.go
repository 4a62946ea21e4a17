package alert

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
)

// readOutbox tells what is in the ledger's outbox, and that records were set aside, for
// as long as ctx lasts.
func (d *Deliverer) readOutbox(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := d.tellOutbox(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Error("outbox not told", "error", err)
		case n > 0:
			d.Wake()
		}
		if err := d.tellDamage(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("records that cannot be read not told of", "error", err)
		}
		if n < outboxBatch {
			sleep(ctx, outboxInterval, d.stir)
		}
	}
}

// tellOutbox makes incidents of some entries, and acknowledges them in the same
// transaction.
func (d *Deliverer) tellOutbox(ctx context.Context) (n int, err error) {
	err = d.ledger.View(ctx, func(tx *ledger.Tx) error {
		entries, err := tx.Pending(1)
		n = len(entries)
		return err
	})
	if n == 0 || err != nil {
		return 0, err
	}
	buried := 0
	err = d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		entries, err := tx.Pending(outboxBatch)
		if err != nil {
			return err
		}
		n, buried = len(entries), 0
		for _, e := range entries {
			if reason := d.tellEntry(tx, e); reason != nil {
				buried++
				if err := d.buryEntry(tx, e, reason); err != nil {
					return err
				}
			}
			if err := tx.Ack(e.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if buried > 0 {
		d.log.Error("entries of the outbox are dead: look at mollyguard alert dead list", "entries", buried)
	}
	return n, nil
}

// tellEntry returns why an entry cannot be told.
func (d *Deliverer) tellEntry(tx *ledger.Tx, e ledger.Entry) error {
	if e.Kind != ledger.KindBreakGlass {
		return fmt.Errorf("nobody knows entries of kind %q", e.Kind)
	}
	var event breakglass.Event
	if err := json.Unmarshal(e.Data, &event); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	if event.ID == "" || event.Event == "" {
		return fmt.Errorf("read the event: it has no id, or does not say what happened")
	}
	return d.book.TellEvent(tx, event)
}

// maxDeadEntry is how large an entry may be to be kept with a dead letter: the ledger
// takes 1 MiB, and the rest of a dead letter has 8 KiB at most. An event has 160 KiB.
const maxDeadEntry = 1<<20 - 8<<10

func (d *Deliverer) buryEntry(tx *ledger.Tx, e ledger.Entry, reason error) error {
	now := d.book.time()
	body := dead{
		Title: line("an entry of the outbox that nobody can read: " + e.Kind), Reason: clip(reason.Error(), maxText), Since: now, Died: now,
		Entry: &deadEntry{Kind: e.Kind, Dedup: e.Dedup, Data: jsontext.Value(e.Data)},
	}
	key := fmt.Sprintf("%s/%020d", outboxSink, e.ID)
	if len(e.Data) <= maxDeadEntry && put(tx, ledger.TableDead, key, record{Dead: &body}) == nil {
		return nil
	}
	body.Entry = nil // it is too large, or not even JSON
	return put(tx, ledger.TableDead, key, record{Dead: &body})
}
