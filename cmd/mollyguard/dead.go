package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/pause"
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

// retried is what came of trying again.
type retried struct {
	// Alerts were put back, Read entries are judged.
	Alerts int `json:"alerts"`
	Read   int `json:"read"`
	// Unread are the entries that are still there.
	Unread []alert.DeadLetter `json:"unread"`
}

// anEntry is the id of an entry as alerts show it: without entryLetter.
var anEntry = regexp.MustCompile(`^[0-9]{12}/[0-9a-f]{32}$`)

// retry tries some again, or all.
func (d deadLetters) retry(ctx context.Context, ids []string) (done retried, err error) {
	var alerts, entries []string
	if len(ids) == 0 {
		all, err := d.list(ctx)
		if err != nil {
			return retried{}, err
		}
		for _, letter := range all {
			if !letter.Final {
				ids = append(ids, letter.ID)
			}
		}
	}
	for _, id := range ids {
		if key, isEntry := strings.CutPrefix(id, entryLetter); isEntry || anEntry.MatchString(id) {
			entries = append(entries, key)
		} else {
			alerts = append(alerts, id)
		}
	}
	if len(alerts) > 0 {
		if done.Alerts, err = alert.NewDeadLetters(d.ledger).Retry(ctx, alerts...); err != nil {
			return retried{}, err
		}
		d.wake()
	}
	if len(entries) == 0 {
		return done, nil
	}
	slices.Sort(entries)
	entries = slices.Compact(entries)
	if d.rejudge == nil {
		err = errNobodyJudges
	} else if err = d.rejudge(ctx, entries); err == nil {
		done.Unread, err = d.unread(ctx, entries)
	}
	if err != nil && done.Alerts > 0 {
		err = fmt.Errorf("%s put back, but not all log entries: %w", several(done.Alerts, "alert"), err)
	}
	done.Read = len(entries) - len(done.Unread)
	return done, err
}

const (
	// judgePatience is how long entries that were handed over may take. One that cannot
	// be read, as before, leaves no trace of that: whoever asks waits for this long.
	judgePatience = 3 * time.Second
	judgeInterval = 50 * time.Millisecond
)

// unread waits until entries are judged, and returns those that are not.
func (d deadLetters) unread(ctx context.Context, keys []string) ([]alert.DeadLetter, error) {
	for deadline := time.Now().Add(judgePatience); ; _ = pause.For(ctx, judgeInterval) { // the ledger looks whether ctx ended
		err := d.ledger.View(ctx, func(tx *ledger.Tx) error {
			keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return tx.Get(ledger.TableUndecoded, key) == nil })
			return nil
		})
		if err != nil || len(keys) == 0 {
			return nil, err
		}
		if !time.Now().Before(deadline) {
			break
		}
	}
	all, err := d.list(ctx)
	return slices.DeleteFunc(all, func(letter alert.DeadLetter) bool {
		key, isEntry := strings.CutPrefix(letter.ID, entryLetter)
		return !isEntry || !slices.Contains(keys, key)
	}), err
}

// errNobodyJudges says that a server has to run, and to watch.
var errNobodyJudges = errors.New("log entries are judged again by the server that watches: start it, then try again")
