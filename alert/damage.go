package alert

import (
	"fmt"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// unreadable is a record that cannot be decoded: of a newer version, after Mollyguard
// was rolled back, or damaged. It is no error of the disk, and must not be treated as
// one: who tells does so in the transaction in which everything else is kept, and tries
// again until it succeeds.
type unreadable struct {
	table ledger.Table
	key   string
	cause error
}

// Error implements error.
func (u *unreadable) Error() string {
	return fmt.Sprintf("%s %s: %v", u.table, operation.Printable(clip(u.key, maxName)), u.cause)
}

// maxRaw is how much is kept of a record that is set aside: a usual one has 2 KiB. They
// replace what was there, so that they are no more than that was.
const maxRaw = 16 << 10

// deadRecord is a record that was set aside.
type deadRecord struct {
	Table ledger.Table `json:"table"`
	Key   string       `json:"key"`
	// Size is how long it was, Raw its beginning.
	Size int    `json:"size"`
	Raw  []byte `json:"raw"`
}

// maxRecordKey is how long a key may be to be seen in a dead letter's: those that are
// written here have 200 bytes at most, and the ledger takes 4 KiB.
const maxRecordKey = 1 << 10

// recordKey is where a record is kept that was set aside.
func recordKey(key string) string {
	if len(key) > maxRecordKey {
		key = digest(key)
	}
	return recordSink + "/" + key
}

// setAside makes a dead letter of a record that cannot be decoded. The Deliverer sees
// to it that people are told.
func (b *Book) setAside(tx *ledger.Tx, u *unreadable) error {
	text := tx.Get(u.table, u.key)
	now := b.time()
	body := dead{
		Title: line("a record of " + string(u.table) + " that cannot be read"), Kind: Blind, Reason: clip(u.cause.Error(), maxText), Since: now, Died: now,
		Record: &deadRecord{Table: u.table, Key: clip(u.key, maxName), Size: len(text), Raw: text[:min(len(text), maxRaw)]},
	}
	if err := put(tx, ledger.TableDead, recordKey(u.key), record{Dead: &body}); err != nil {
		return err
	}
	return tx.Delete(u.table, u.key)
}

// beginAnew sets aside the head of an incident, and forgets what is below it and waits
// for it: without the head nobody knows who did it, or how often. A burst of 10,000 so
// costs some 20 ms, once.
func (b *Book) beginAnew(tx *ledger.Tx, u *unreadable) error {
	var keys []string
	tx.Scan(ledger.TableIncidents, u.key+"/", "", func(key string, _ []byte) bool { keys = append(keys, key); return true })
	for _, key := range keys {
		if err := tx.Delete(ledger.TableIncidents, key); err != nil {
			return err
		}
	}
	for _, sink := range b.sinks {
		if err := tx.Delete(ledger.TableQueue, queueKey(sink, u.key)); err != nil {
			return err
		}
	}
	return b.setAside(tx, u)
}

// revision is the first of an incident. One that begins anew goes on from a number that
// it had not reached: a sink that gets a revision again takes it for a repetition.
func (b *Book) revision(tx *ledger.Tx, id string) int {
	if tx.Get(ledger.TableDead, recordKey(id)) == nil {
		return 1
	}
	return int(b.time().Unix())
}

// sift sets aside what cannot be decoded of what waits for a sink, so that the rest can
// be sent: the record of the queue, of which a new one says all that matters, the head,
// or operations.
func (b *Book) sift(tx *ledger.Tx, key string) error {
	if text := tx.Get(ledger.TableQueue, key); text != nil {
		if _, err := decodeQueued(text); err != nil {
			if err := b.setAside(tx, &unreadable{ledger.TableQueue, key, err}); err != nil {
				return err
			}
			if err := put(tx, ledger.TableQueue, key, record{Queued: &queued{Since: b.time()}}); err != nil {
				return err
			}
		}
	}
	_, id := splitKey(key)
	in, err := b.incident(tx, id)
	if in == nil || err != nil {
		return err
	}
	_, bad := listed(tx, id)
	if len(bad) == 0 {
		return nil
	}
	for _, u := range bad {
		if err := b.setAside(tx, u); err != nil {
			return err
		}
		in.Listed--
	}
	return put(tx, ledger.TableIncidents, id, record{Incident: in})
}
