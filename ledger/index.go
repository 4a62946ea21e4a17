package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/operation"
)

// ageSize is the length of an age.
const ageSize = 8 + 4

// age is a time as a key that sorts by time: seconds with the sign turned over,
// so that times before 1970 come first, and nanoseconds.
func age(t time.Time) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, ageSize), uint64(t.Unix())^(1<<63))
	return binary.BigEndian.AppendUint32(key, uint32(t.Nanosecond()))
}

// subjectPrefix is the same length for all subjects, so that none is the
// beginning of another.
func subjectPrefix(subject string) []byte {
	sum := sha256.Sum256([]byte(subject))
	return sum[:]
}

// index enters a case's new record: the case under its subject, and under the age
// of its request, or of its oldest record while there is no request.
func index(tx *bbolt.Tx, c *bbolt.Bucket, id string, r record) error {
	if subject, ok := r.subject(); ok {
		if err := tx.Bucket(bucketSubjects).Put(append(subjectPrefix(subject), id...), []byte{}); err != nil {
			return err
		}
	}
	from, _ := r.span()
	now := age(from)
	if before := c.Get(keyAge); before != nil {
		if r.Request == nil && (c.Get(keyRequest) != nil || bytes.Compare(before, now) <= 0) {
			return nil
		}
		if err := tx.Bucket(bucketAges).Delete(slices.Concat(before, []byte(id))); err != nil {
			return err
		}
	}
	if err := c.Put(keyAge, now); err != nil {
		return err
	}
	return tx.Bucket(bucketAges).Put(slices.Concat(now, []byte(id)), []byte{})
}

// indexed reports whether the indexes have a case.
func indexed(tx *bbolt.Tx, c *bbolt.Bucket, id string, f found) bool {
	for _, subject := range f.subjects {
		if tx.Bucket(bucketSubjects).Get(append(subjectPrefix(subject), id...)) == nil {
			return false
		}
	}
	return tx.Bucket(bucketAges).Get(slices.Concat(c.Get(keyAge), []byte(id))) != nil
}

// Prune implements breakglass.Store. It reads no case that was begun since.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (removed int, err error) {
	err = l.update(ctx, func(tx *bbolt.Tx) error {
		old, err := casesBefore(tx, before)
		if err != nil {
			return err
		}
		for id, f := range old {
			if err := remove(tx, id, f); err != nil {
				return fmt.Errorf("case %s: %w", operation.Printable(id), err)
			}
		}
		removed = len(old)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("remove old cases: %w", err)
	}
	return removed, nil
}

// casesBefore returns the cases of which every record is older than a time, by
// handle; none of them is under a younger age.
func casesBefore(tx *bbolt.Tx, before time.Time) (map[string]found, error) {
	old := map[string]found{}
	end := age(before)
	cursor := tx.Bucket(bucketAges).Cursor()
	for key, _ := cursor.First(); key != nil && bytes.Compare(key[:ageSize], end) < 0; key, _ = cursor.Next() {
		f, err := readHandle(tx, key[ageSize:])
		if err != nil {
			return nil, err
		}
		if f.newest.Before(before) {
			old[string(key[ageSize:])] = f
		}
	}
	return old, nil
}

// remove removes a case from its bucket and from the indexes.
func remove(tx *bbolt.Tx, id string, f found) error {
	for _, subject := range f.subjects {
		if err := tx.Bucket(bucketSubjects).Delete(append(subjectPrefix(subject), id...)); err != nil {
			return err
		}
	}
	cases := tx.Bucket(bucketCases)
	at := cases.Bucket([]byte(id)).Get(keyAge)
	if err := tx.Bucket(bucketAges).Delete(slices.Concat(at, []byte(id))); err != nil {
		return err
	}
	return cases.DeleteBucket([]byte(id))
}
