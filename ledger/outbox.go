package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/operation"
)

// MaxOutbox is how many entries may wait: a day of more than one a second, when
// whoever delivers them is down.
const MaxOutbox = 100_000

// ErrOutboxFull says that MaxOutbox entries are waiting.
var ErrOutboxFull = fmt.Errorf("%d entries are waiting to be delivered already", MaxOutbox)

// Entry is something that waits to be delivered.
type Entry struct {
	// ID is the entry's number: a later entry has a higher one, and none is used
	// twice.
	ID uint64
	// Kind says what Data is.
	Kind string
	// Dedup is equal for entries of one kind that say the same.
	Dedup string
	Data  json.RawMessage
}

type entryRecord struct {
	Kind  string          `json:"kind"`
	Dedup string          `json:"dedup"`
	Data  json.RawMessage `json:"data"`
}

// keyLength is where bucketMeta has the number of entries: counting them takes
// reading them all.
var keyLength = []byte("outbox-length")

// Append puts an entry into the outbox, unless one of its kind and deduplication
// key is waiting there. data is JSON. If the outbox is full it returns
// ErrOutboxFull: nothing is ever dropped.
func (l *Ledger) Append(ctx context.Context, kind, dedup string, data json.RawMessage) error {
	err := l.append(ctx, entryRecord{kind, dedup, data})
	if err != nil {
		return fmt.Errorf("put %s %s into the outbox: %w", operation.Printable(kind), operation.Printable(dedup), err)
	}
	return nil
}

func (l *Ledger) append(ctx context.Context, e entryRecord) error {
	return l.update(ctx, func(tx *bbolt.Tx) error { return e.add(tx) })
}

func (e entryRecord) add(tx *bbolt.Tx) error {
	if e.Kind == "" || e.Dedup == "" {
		return errors.New("without kind or deduplication key")
	}
	text, err := record{Entry: &e}.encode()
	if err != nil {
		return err
	}
	return e.put(tx, text)
}

// put keeps an entry, of which text is the record.
func (e entryRecord) put(tx *bbolt.Tx, text []byte) error {
	pending := tx.Bucket(bucketPending)
	if pending.Get(e.key()) != nil {
		return nil
	}
	length := outboxLength(tx)
	if length >= MaxOutbox {
		return ErrOutboxFull
	}
	number, err := tx.Bucket(bucketOutbox).NextSequence()
	if err != nil {
		return err
	}
	return errors.Join(
		tx.Bucket(bucketOutbox).Put(numberKey(number), text),
		pending.Put(e.key(), numberKey(number)),
		setOutboxLength(tx, length+1),
	)
}

// Pending returns the entries that wait, oldest first, at most limit of them.
func (l *Ledger) Pending(ctx context.Context, limit int) ([]Entry, error) {
	var entries []Entry
	err := l.view(ctx, func(tx *bbolt.Tx) (err error) { entries, err = pending(tx, limit); return err })
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return entries, nil
}

func pending(tx *bbolt.Tx, limit int) ([]Entry, error) {
	var entries []Entry
	cursor := tx.Bucket(bucketOutbox).Cursor()
	for key, text := cursor.First(); key != nil && len(entries) < limit; key, text = cursor.Next() {
		e, err := decodeEntry(text)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", binary.BigEndian.Uint64(key), err)
		}
		entries = append(entries, Entry{ID: binary.BigEndian.Uint64(key), Kind: e.Kind, Dedup: e.Dedup, Data: e.Data})
	}
	return entries, nil
}

// Ack removes an entry that was delivered. Doing so again does nothing.
func (l *Ledger) Ack(ctx context.Context, id uint64) error {
	err := l.update(ctx, func(tx *bbolt.Tx) error { return ack(tx, id) })
	if err != nil {
		return fmt.Errorf("remove entry %d from the outbox: %w", id, err)
	}
	return nil
}

func ack(tx *bbolt.Tx, id uint64) error {
	text := tx.Bucket(bucketOutbox).Get(numberKey(id))
	if text == nil {
		return nil
	}
	e, err := decodeEntry(text)
	if err != nil {
		return err
	}
	return errors.Join(
		tx.Bucket(bucketOutbox).Delete(numberKey(id)),
		tx.Bucket(bucketPending).Delete(e.key()),
		setOutboxLength(tx, outboxLength(tx)-1),
	)
}

// key is the same length for all, as keys have a limit and texts may hold
// anything.
func (e entryRecord) key() []byte {
	kind := sha256.Sum256([]byte(e.Kind))
	sum := sha256.Sum256(append(kind[:], e.Dedup...))
	return sum[:]
}

func numberKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func decodeEntry(text []byte) (entryRecord, error) {
	r, err := decodeRecord(text)
	if err != nil {
		return entryRecord{}, err
	}
	if r.Entry == nil {
		return entryRecord{}, errMisplaced
	}
	return *r.Entry, nil
}

func outboxLength(tx *bbolt.Tx) uint64 {
	text := tx.Bucket(bucketMeta).Get(keyLength)
	if len(text) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(text)
}

func setOutboxLength(tx *bbolt.Tx, length uint64) error {
	return tx.Bucket(bucketMeta).Put(keyLength, numberKey(length))
}

// checkOutbox reads all entries, and what is said of them elsewhere.
func checkOutbox(tx *bbolt.Tx) error {
	var length uint64
	err := tx.Bucket(bucketOutbox).ForEach(func(key, text []byte) error {
		length++
		e, err := decodeEntry(text)
		if err == nil && (len(key) != 8 || !bytes.Equal(tx.Bucket(bucketPending).Get(e.key()), key)) {
			err = errors.New("the index does not have it")
		}
		if err != nil {
			return fmt.Errorf("outbox entry %x: %w", key, err)
		}
		return nil
	})
	if err == nil && length != outboxLength(tx) {
		err = fmt.Errorf("the outbox has %d entries, not %d", length, outboxLength(tx))
	}
	return err
}
