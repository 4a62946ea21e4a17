package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mollyguard/mollyguard/operation"
)

// Pending returns entries of the outbox as Ledger.Pending does: for what is told in
// the transaction in which they are acknowledged.
func (t *Tx) Pending(limit int) ([]Entry, error) {
	entries, err := pending(t.tx, limit)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return entries, nil
}

// Ack removes an entry of the outbox as Ledger.Ack does.
func (t *Tx) Ack(id uint64) error {
	if err := ack(t.tx, id); err != nil {
		return fmt.Errorf("remove entry %d from the outbox: %w", id, err)
	}
	return nil
}

// Append puts an entry into the outbox as Ledger.Append does.
func (t *Tx) Append(kind, dedup string, data json.RawMessage) error {
	if err := (entryRecord{kind, dedup, data}).add(t.tx); err != nil {
		return fmt.Errorf("put %s %s into the outbox: %w", operation.Printable(kind), operation.Printable(dedup), err)
	}
	return nil
}

// deleteBatch is how many keys one transaction removes: some milliseconds, in which
// nobody else can write.
const deleteBatch = 1000

// DeleteBelow removes the keys of a table that begin with prefix and are below bound,
// and returns how many. It takes as many transactions as it needs: what an error
// leaves, the next call removes.
func (l *Ledger) DeleteBelow(ctx context.Context, table Table, prefix, bound string) (removed int, err error) {
	for {
		var keys []string
		find := func(tx *Tx) error {
			keys = keys[:0]
			tx.Scan(table, prefix, "", func(key string, _ []byte) bool {
				if key < bound {
					keys = append(keys, key)
				}
				return key < bound && len(keys) < deleteBatch
			})
			return nil
		}
		if err := l.View(ctx, find); err != nil || len(keys) == 0 { // most calls find nothing: no write
			return removed, err
		}
		err := l.Update(ctx, func(tx *Tx) error {
			if err := find(tx); err != nil {
				return err
			}
			for _, key := range keys {
				if err := tx.Delete(table, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return removed, err
		}
		removed += len(keys)
	}
}
