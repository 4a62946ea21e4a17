package auditlog

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
)

const (
	pruneInterval = time.Hour
	// seenRetention is how long an entry is known again: Pub/Sub keeps a message that
	// nobody acknowledges for 7 days unless told otherwise
	// (https://cloud.google.com/pubsub/docs/subscription-properties). One that comes
	// later still is judged again, and goes into the incident that it is in.
	seenRetention = 8 * 24 * time.Hour
	// startRetention is how long the end of an operation is waited for.
	startRetention = 30 * 24 * time.Hour
	// quietRetention is how long it is of an operation that nobody was told of.
	quietRetention = 3 * 24 * time.Hour
	// maxPruned is how many records go in one transaction.
	maxPruned = 10_000
)

// prune removes what is not needed any more, now and then.
func (w *Watcher) prune(ctx context.Context) error {
	return w.every(ctx, pruneInterval, func() {
		if err := w.Prune(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("old records of the audit log cannot be removed", "error", err)
		}
	})
}

// Prune removes records that are older than anything that still may come.
func (w *Watcher) Prune(ctx context.Context) error {
	now := w.Now()
	for table, old := range map[ledger.Table]func(*ledger.Tx, time.Time) []string{
		ledger.TableSeen: oldSeen, ledger.TableOperations: oldStarts, ledger.TableEntries: oldEntries,
	} {
		for more := true; more; {
			var keys []string // found without holding up who writes
			if err := w.Ledger.View(ctx, func(tx *ledger.Tx) error { keys = old(tx, now); return nil }); err != nil {
				return err
			}
			if more = len(keys) == maxPruned; len(keys) == 0 {
				break
			}
			err := w.Ledger.Update(ctx, func(tx *ledger.Tx) error {
				for _, key := range keys {
					if err := tx.Delete(table, key); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// oldSeen are keys of entries that will not come again, at most maxPruned.
func oldSeen(tx *ledger.Tx, now time.Time) (keys []string) {
	first := timed(now.Add(-seenRetention))
	tx.Scan(ledger.TableSeen, "", "", func(key string, _ []byte) bool {
		if key >= first || len(keys) == maxPruned {
			return false
		}
		keys = append(keys, key)
		return true
	})
	return keys
}

// oldStarts are keys of operations that nobody waits for any more, at most maxPruned.
func oldStarts(tx *ledger.Tx, now time.Time) (keys []string) {
	first, quiet := now.Add(-startRetention), now.Add(-quietRetention)
	tx.Scan(ledger.TableOperations, "", "", func(key string, value []byte) bool {
		var s struct {
			At       time.Time `json:"at"`
			Incident string    `json:"incident"`
		}
		// What cannot be read is no use to anybody.
		if err := json.Unmarshal(value, &s); err != nil || s.At.Before(first) || s.Incident == "" && s.At.Before(quiet) {
			keys = append(keys, key)
		}
		return len(keys) < maxPruned
	})
	return keys
}
