package alert

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
)

const (
	// MaxAge is how long an incident is kept after it changed last. Nothing comes
	// again after that: Pub/Sub keeps what was not acknowledged for 31 days at most,
	// as a rule 7 (https://cloud.google.com/pubsub/docs/subscription-properties).
	MaxAge = 30 * 24 * time.Hour
	// pruneBatch is how many records one transaction removes: some milliseconds, in
	// which nobody else can write.
	pruneBatch = 1000
)

// Prune removes incidents that did not change for MaxAge, and returns how many. What
// waits for a sink, is dead, or is a trouble that is not over stays; records that could
// not be read and were set aside go after the same time. It may be called while others
// tell.
func (b *Book) Prune(ctx context.Context, l *ledger.Ledger) (removed int, err error) {
	before := b.time().Add(-MaxAge)
	// Ids begin with the minute, but those of cases.
	for _, in := range []struct{ prefix, end string }{{"", before.Format(minuteForm)}, {casePrefix, casePrefix + "~"}} {
		for from, more := in.prefix, true; more; {
			err := l.Update(ctx, func(tx *ledger.Tx) error {
				p := pruning{book: b, tx: tx, before: before, left: pruneBatch}
				err := p.run(in.prefix, from, in.end)
				from, more = p.next, p.left <= 0 && p.next != ""
				removed += p.removed
				return err
			})
			if err != nil {
				return removed, fmt.Errorf("remove old incidents: %w", err)
			}
		}
	}
	for from, more := "", true; more; more = from != "" {
		err := l.Update(ctx, func(tx *ledger.Tx) (err error) { from, err = b.pruneRecords(tx, from); return err })
		if err != nil {
			return removed, fmt.Errorf("remove old records: %w", err)
		}
	}
	return removed, nil
}

// pruning is one transaction of Prune.
type pruning struct {
	book   *Book
	tx     *ledger.Tx
	before time.Time
	left   int
	// next is where the next transaction begins, empty at the end.
	next    string
	removed int
}

func (p *pruning) run(prefix, from, end string) error {
	for p.left > 0 {
		id := ""
		p.tx.Scan(ledger.TableIncidents, prefix, from, func(key string, _ []byte) bool { id = key; return false })
		if p.next = id; id == "" || id >= end {
			p.next = ""
			return nil
		}
		if parent, _, part := strings.Cut(id, "/"); part { // of an incident that stays
			from = parent + "0" // which follows "/"
			continue
		}
		p.left--
		old, err := p.old(id)
		if err != nil {
			return err
		}
		if !old {
			from = id + "0"
			continue
		}
		if err := p.remove(id); err != nil {
			return err
		}
		from = id
	}
	return nil
}

// old reports whether an incident can go.
func (p *pruning) old(id string) (bool, error) {
	in, err := p.book.incident(p.tx, id)
	if in == nil || err != nil || !in.Updated.Before(p.before) || in.Kind == Blind && in.Status == Open && in.Times == 0 {
		return false, err
	}
	for sink := range maps.Keys(in.Sinks) {
		key := queueKey(sink, id)
		if p.tx.Get(ledger.TableQueue, key) != nil || p.tx.Get(ledger.TableDead, key) != nil {
			return false, nil
		}
	}
	return true, nil
}

// remove removes an incident, or as many of its parts as there is time for: itself it
// goes last, so that what is left of it is found again.
func (p *pruning) remove(id string) error {
	var keys []string
	p.tx.Scan(ledger.TableIncidents, id+"/", "", func(key string, _ []byte) bool {
		keys = append(keys, key)
		return len(keys) < p.left
	})
	done := p.left > len(keys)
	p.left -= len(keys)
	if done {
		keys = append(keys, id)
		p.removed++
	}
	for _, key := range keys {
		if err := p.tx.Delete(ledger.TableIncidents, key); err != nil {
			return err
		}
	}
	return nil
}
