package auditlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// ListUndecoded returns the entries in a ledger that could not be read, by key, oldest
// first, without their data.
func ListUndecoded(ctx context.Context, l *ledger.Ledger) (keys []string, entries []Undecoded, err error) {
	err = l.View(ctx, func(tx *ledger.Tx) error {
		tx.Scan(ledger.TableUndecoded, "", "", func(key string, text []byte) bool {
			u, err := decodeUndecoded(text)
			if err != nil {
				u.Error = err.Error()
			}
			u.Data = nil
			keys, entries = append(keys, key), append(entries, u)
			return true
		})
		return nil
	})
	return keys, entries, err
}

func decodeUndecoded(text []byte) (Undecoded, error) {
	var u Undecoded
	if err := json.Unmarshal(text, &u); err != nil {
		return Undecoded{}, fmt.Errorf("read what is kept of an entry: %w", err)
	}
	if u.Version != recordVersion {
		return Undecoded{}, fmt.Errorf("read what is kept of an entry: it is of version %d, not %d", u.Version, recordVersion)
	}
	return u, nil
}

// errNotRunning says that nobody is there to judge.
var errNotRunning = errors.New("the watcher has stopped")

// Rejudge reads entries again that could not be read, by their keys: the mapping tables
// may have learnt how. What still cannot be read is kept again. It returns when all are
// handed over, and may be called while Run is running.
func (w *Watcher) Rejudge(ctx context.Context, keys []string) error {
	for _, key := range keys {
		var u Undecoded
		err := w.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
			text := tx.Get(ledger.TableUndecoded, key)
			if text == nil {
				return fmt.Errorf("there is no entry %s", operation.Printable(key))
			}
			u, err = decodeUndecoded(text)
			return err
		})
		if err != nil {
			return err
		}
		if u.Length > len(u.Data) {
			return fmt.Errorf("entry %s: %d of its %d bytes are kept, which cannot be judged", operation.Printable(key), len(u.Data), u.Length)
		}
		it := &item{source: u.Source, ready: make(chan struct{}), replaces: key}
		it.Data, it.Received = u.Data, w.Now()
		if err := w.pass(ctx, it); err != nil {
			return err
		}
	}
	return nil
}
