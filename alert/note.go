package alert

import (
	"context"
	"fmt"

	"github.com/mollyguard/mollyguard/ledger"
)

// note keeps what came of an attempt to send an alert.
func (w *worker) note(ctx context.Context, i item, a Alert, o outcome) error {
	told := false
	err := w.ledger.Update(ctx, func(tx *ledger.Tx) error {
		var err error
		switch {
		case o.err == nil:
			told, err = w.noteDelivered(tx, i, a)
		case o.again.IsZero():
			told, err = true, w.noteDead(tx, i, a, o.err)
		default:
			err = w.noteFailed(tx, i, o)
		}
		return err
	})
	if err == nil && told {
		w.Wake()
	}
	return err
}

// noteDelivered takes an alert from the queue, unless it has changed meanwhile.
func (w *worker) noteDelivered(tx *ledger.Tx, i item, a Alert) (told bool, err error) {
	if err := tx.Delete(ledger.TableDead, i.key); err != nil { // of an earlier revision
		return false, err
	}
	in, err := w.book.incident(tx, i.id)
	if err != nil {
		return false, err
	}
	if in == nil {
		return false, tx.Delete(ledger.TableQueue, i.key)
	}
	now := w.book.time()
	if has, ok := in.Sinks[w.name]; ok {
		has.Revision, has.At = a.Revision, now
		in.Sinks[w.name] = has
		if err := put(tx, ledger.TableIncidents, in.ID, record{Incident: in}); err != nil {
			return false, err
		}
	}
	if in.Revision == a.Revision {
		err = tx.Delete(ledger.TableQueue, i.key)
	} else {
		err = put(tx, ledger.TableQueue, i.key, record{Queued: &queued{Revision: in.Revision, Since: now, NotBefore: now.Add(w.book.interval)}})
	}
	if err != nil {
		return false, err
	}
	return w.book.mend(tx, w.name)
}

func (w *worker) noteFailed(tx *ledger.Tx, i item, o outcome) error {
	q := i.queued
	if q.Failing.IsZero() {
		q.Failing = w.book.time()
	}
	q.Attempts++
	q.NotBefore, q.Error = kept(o.again), clip(o.err.Error(), maxText)
	return put(tx, ledger.TableQueue, i.key, record{Queued: &q})
}

func (w *worker) noteDead(tx *ledger.Tx, i item, a Alert, reason error) error {
	return w.book.bury(tx, i, a, reason)
}

// bury makes an alert a dead letter, and tells the other sinks.
func (b *Book) bury(tx *ledger.Tx, i item, a Alert, reason error) error {
	now := b.time()
	body := dead{
		Title: a.Title, Kind: a.Kind, Severity: a.Severity, Reason: clip(reason.Error(), maxText),
		Since: i.Since, Died: now, Attempts: i.Attempts + 1,
	}
	if err := put(tx, ledger.TableDead, i.key, record{Dead: &body}); err != nil {
		return err
	}
	if err := tx.Delete(ledger.TableQueue, i.key); err != nil {
		return err
	}
	sink, _ := splitKey(i.key)
	t := undelivered(sink)
	t.Since = now
	if len(b.sinksForTrouble(t, sink)) == 0 { // nobody else is there
		return nil
	}
	_, err := b.tellTrouble(tx, t, sink)
	return err
}

// undelivered is the trouble of a sink with dead letters. It says the same of each:
// were it to count them, a sink that rejects the word of another's trouble would have
// the two go on for ever.
func undelivered(sink string) Trouble {
	return Trouble{Kind: Undelivered, Source: sink, Text: fmt.Sprintf(
		"sink %s does not take alerts: see which and why with mollyguard alert dead list, mend it, and send them again with mollyguard alert dead retry", sink)}
}

// mend ends the trouble of a sink that has no dead letters any more.
func (b *Book) mend(tx *ledger.Tx, sink string) (told bool, err error) {
	t := undelivered(sink)
	if tx.Get(ledger.TableIncidents, currentKey(t)) == nil {
		return false, nil
	}
	empty := true
	tx.Scan(ledger.TableDead, sink+"/", "", func(string, []byte) bool { empty = false; return false })
	if !empty {
		return false, nil
	}
	t.Text, t.Over = "", true
	id, err := b.TellTrouble(tx, t)
	return id != "", err
}
