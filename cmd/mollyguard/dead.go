package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
)

// entryLetter begins the ids of entries that could not be read.
const entryLetter = "entry/"

// deadLetters are what people were not told: alerts that a sink does not take, and log
// entries that could not be read.
type deadLetters struct {
	ledger *ledger.Ledger
	wake   func()
	// rejudge is nil where no watcher runs.
	rejudge func(ctx context.Context, keys []string) error
}

func (d deadLetters) list(ctx context.Context) ([]alert.DeadLetter, error) {
	letters, err := alert.NewDeadLetters(d.ledger).Dead(ctx)
	if err != nil {
		return nil, err
	}
	keys, entries, err := auditlog.ListUndecoded(ctx, d.ledger)
	if err != nil {
		return nil, err
	}
	for i, entry := range entries {
		letters = append(letters, alert.DeadLetter{
			ID: entryLetter + keys[i], Title: fmt.Sprintf("a log entry of %d bytes from %s", entry.Length, entry.Source),
			Kind: alert.Blind, Reason: entry.Error, Queued: entry.At, Died: entry.At,
		})
	}
	return letters, nil
}

// retry tries some again, or all. It returns how many.
func (d deadLetters) retry(ctx context.Context, ids []string) (int, error) {
	var alerts, entries []string
	if len(ids) == 0 {
		all, err := d.list(ctx)
		if err != nil {
			return 0, err
		}
		for _, letter := range all {
			ids = append(ids, letter.ID)
		}
	}
	for _, id := range ids {
		if key, isEntry := strings.CutPrefix(id, entryLetter); isEntry {
			entries = append(entries, key)
		} else {
			alerts = append(alerts, id)
		}
	}
	n := 0
	if len(alerts) > 0 {
		var err error
		if n, err = alert.NewDeadLetters(d.ledger).Retry(ctx, alerts...); err != nil {
			return 0, err
		}
		d.wake()
	}
	if len(entries) == 0 {
		return n, nil
	}
	if d.rejudge == nil {
		return n, errors.New("log entries are judged again by the server that watches: start it, then try again")
	}
	return n + len(entries), d.rejudge(ctx, entries)
}
