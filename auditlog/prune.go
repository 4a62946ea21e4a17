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
	// maxPruned is how many records go in one transaction.
	maxPruned = 10_000
)

// prune removes what is not needed any more, now and then.
func (w *Watcher) prune(ctx context.Context, finished <-chan struct{}) error {
	ticker := time.NewTicker(pruneInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-finished:
			return nil
		case <-ticker.C:
			if err := w.Prune(ctx); err != nil && ctx.Err() == nil {
				w.Log.Error("old records of the audit log cannot be removed", "error", err)
			}
		}
	}
}

// Prune removes records that are older than anything that still may come.
func (w *Watcher) Prune(ctx context.Context) error {
	now := w.Now()
	return w.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		var seen, operations, undecoded []string
		kept := 0
		tx.Scan(ledger.TableSeen, "", "", func(key string, _ []byte) bool {
			if key >= timed(now.Add(-seenRetention)) || len(seen) == maxPruned {
				return false
			}
			seen = append(seen, key)
			return true
		})
		tx.Scan(ledger.TableOperations, "", "", func(key string, value []byte) bool {
			var s struct {
				At time.Time `json:"at"`
			}
			if err := json.Unmarshal(value, &s); err == nil && s.At.Before(now.Add(-startRetention)) {
				operations = append(operations, key)
			}
			return len(operations) < maxPruned
		})
		tx.Scan(ledger.TableUndecoded, "", "", func(key string, _ []byte) bool {
			kept++
			undecoded = append(undecoded, key)
			return true
		})
		undecoded = undecoded[:max(0, kept-maxUndecodedKept)]
		for table, keys := range map[ledger.Table][]string{
			ledger.TableSeen: seen, ledger.TableOperations: operations, ledger.TableUndecoded: undecoded,
		} {
			for _, key := range keys {
				if err := tx.Delete(table, key); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
