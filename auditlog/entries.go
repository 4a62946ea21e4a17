package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// entryRetention is how long the entries are kept that people were told of.
	entryRetention = 30 * 24 * time.Hour
	// maxEntries is how many are kept: at 4 KiB, which is a large one, 80 MiB.
	maxEntries = 20_000
)

// ErrNoEntry says that no entry is kept for a decision.
var ErrNoEntry = errors.New("no entry is kept for this decision: people were not told of it, or it is too long ago")

// EntryOf returns the log entry, in JSON, that a decision was made on, if people were
// told of it; else ErrNoEntry.
func EntryOf(ctx context.Context, l *ledger.Ledger, decision string) ([]byte, error) {
	var data []byte
	err := l.View(ctx, func(tx *ledger.Tx) error {
		data = bytes.Clone(tx.Get(ledger.TableEntries, decision))
		return nil
	})
	if err == nil && data == nil {
		err = fmt.Errorf("%s: %w", operation.Printable(decision), ErrNoEntry)
	}
	return data, err
}

// putEntry keeps what a decision was made on. Ids begin with the time, so that the
// oldest come first.
func putEntry(tx *ledger.Tx, decision string, raw []byte) error {
	if decision == "" || len(raw) == 0 || len(raw) > maxUndecoded {
		return nil
	}
	return tx.Put(ledger.TableEntries, decision, raw)
}

// oldEntries are those that need not be kept any longer.
func oldEntries(tx *ledger.Tx, now time.Time) []string {
	var first ulid.ULID
	if err := first.SetTime(ulid.Timestamp(now.Add(-entryRetention))); err != nil {
		return nil // before 1970: nothing is that old
	}
	var keys []string
	old := 0
	tx.Scan(ledger.TableEntries, "", "", func(key string, _ []byte) bool {
		keys = append(keys, key)
		if key < first.String() {
			old++
		}
		return true
	})
	return keys[:min(max(old, len(keys)-maxEntries), maxPruned)]
}
