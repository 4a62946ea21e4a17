package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/operation"
)

// takeOver copies what can be read. Its only errors are of the file that it writes.
func takeOver(into, from *bbolt.Tx) ([]RepairedPart, error) {
	var parts []RepairedPart
	part := func(name []byte, do func(p *RepairedPart, b *bbolt.Bucket) error) error {
		p := RepairedPart{Name: string(name)}
		var b *bbolt.Bucket
		if err := guarded(func() error { b = from.Bucket(name); return nil }); err != nil {
			p.lose("all of it: %v", err)
		} else if b == nil {
			p.lose("all of it: it is not there")
		} else if err := do(&p, b); err != nil {
			return err
		}
		parts = append(parts, p)
		return nil
	}
	err := errors.Join(
		part(bucketCases, func(p *RepairedPart, b *bbolt.Bucket) error { return salvageCases(into, b, p) }),
		part(bucketOutbox, func(p *RepairedPart, b *bbolt.Bucket) error { return salvageOutbox(into, b, p) }),
	)
	for _, table := range tables() {
		err = errors.Join(err, part([]byte(table), func(p *RepairedPart, b *bbolt.Bucket) error {
			return salvageTable(into.Bucket([]byte(table)), b, p)
		}))
	}
	return parts, err
}

// each calls do with what can be read of a bucket: from the beginning up to the damage,
// and then from the end back to it. do's values are of the damaged file, and reading
// them may fault: what do reads it reads before it writes. An error of do is returned.
func each(b *bbolt.Bucket, p *RepairedPart, do func(key, value []byte) error) error {
	var last []byte // the last key before the damage
	var failed error
	walk := func(first func(c *bbolt.Cursor) ([]byte, []byte), next func(c *bbolt.Cursor) ([]byte, []byte), ok func(key, before []byte) bool) (damage error) {
		return guarded(func() error {
			c := b.Cursor()
			var before []byte
			for key, value := first(c); key != nil; key, value = next(c) {
				if !ok(key, before) {
					return nil
				}
				before = bytes.Clone(key)
				if failed = do(before, value); failed != nil {
					return nil
				}
			}
			return nil
		})
	}
	errOrder := errors.New("its keys are not in order")
	disordered := false
	damage := walk((*bbolt.Cursor).First, (*bbolt.Cursor).Next, func(key, before []byte) bool {
		disordered = before != nil && bytes.Compare(before, key) >= 0
		if !disordered {
			last = bytes.Clone(key)
		}
		return !disordered
	})
	if disordered {
		damage = errOrder
	}
	if damage == nil || failed != nil {
		return failed
	}
	p.lose("a part of it: %v", damage)
	_ = walk((*bbolt.Cursor).Last, (*bbolt.Cursor).Prev, func(key, before []byte) bool { // the damage is told
		return bytes.Compare(key, last) > 0 && (before == nil || bytes.Compare(key, before) < 0)
	})
	return failed
}

func salvageTable(into, from *bbolt.Bucket, p *RepairedPart) error {
	return each(from, p, func(key, value []byte) error {
		if value == nil || len(key) == 0 || len(key) > maxTableKey || len(value) > maxTableValue {
			p.lose("%s: not a record", shown(key))
			return nil
		}
		p.Kept++
		return written(into.Put(key, bytes.Clone(value)))
	})
}

func salvageOutbox(into *bbolt.Tx, from *bbolt.Bucket, p *RepairedPart) error {
	highest := from.Sequence()
	err := each(from, p, func(key, value []byte) error {
		e, err := decodeEntry(bytes.Clone(value))
		if err == nil && len(key) != 8 {
			err = errMisplaced
		}
		if err != nil {
			p.lose("%x: %v", key, err)
			return nil
		}
		highest = max(highest, binary.BigEndian.Uint64(key))
		if into.Bucket(bucketPending).Get(e.key()) != nil {
			return nil
		}
		p.Kept++
		return written(errors.Join(
			into.Bucket(bucketOutbox).Put(key, bytes.Clone(value)),
			into.Bucket(bucketPending).Put(e.key(), key),
			setOutboxLength(into, outboxLength(into)+1),
		))
	})
	return errors.Join(err, written(into.Bucket(bucketOutbox).SetSequence(highest)))
}

func salvageCases(into *bbolt.Tx, from *bbolt.Bucket, p *RepairedPart) error {
	return each(from, p, func(id, value []byte) error {
		records, err := salvageCase(from, id, value)
		if err != nil {
			p.lose("case %s, with what was decided and used in it: %v", shown(id), err)
			return nil
		}
		p.Kept++
		return written(putCase(into, id, records))
	})
}

// caseRecord is a record of a case, with its key and its text.
type caseRecord struct {
	key, text []byte
	record    record
}

// salvageCase reads all records of a case, or none.
func salvageCase(from *bbolt.Bucket, id, value []byte) (records []caseRecord, err error) {
	if value != nil {
		return nil, errMisplaced
	}
	err = guarded(func() error {
		c := from.Bucket(id)
		if c == nil {
			return errMisplaced
		}
		f, err := readCase(c)
		if err != nil {
			return err
		}
		for slot, use := range f.Uses {
			if use.Slot != slot {
				return fmt.Errorf("use %d is not there", slot)
			}
		}
		var before []byte
		return c.ForEach(func(key, text []byte) error {
			if bytes.Compare(key, before) <= 0 {
				return errors.New("its keys are not in order")
			}
			before = bytes.Clone(key)
			if bytes.Equal(key, keyAge) {
				return nil
			}
			r, err := decodeRecord(text)
			if err == nil && !r.belongs(string(id), key) {
				err = errMisplaced
			}
			records = append(records, caseRecord{before, bytes.Clone(text), r})
			return err
		})
	})
	return records, err
}

// belongs reports whether a record is under its own key, of its own case.
func (r record) belongs(id string, key []byte) bool {
	switch {
	case r.Request != nil:
		return r.Request.ID == id && bytes.Equal(key, keyRequest)
	case r.Verdict != nil:
		return r.Verdict.Request == id && bytes.Equal(key, keyVerdict(r.Verdict.Kind, r.Verdict.By.Name))
	case r.Grant != nil:
		return r.Grant.ID == id && bytes.Equal(key, keyGrant)
	case r.Use != nil:
		return r.Use.Grant == id && bytes.Equal(key, keyUse(r.Use.Slot))
	}
	return r.Standing != nil && bytes.Equal(key, keyStanding)
}

func putCase(into *bbolt.Tx, id []byte, records []caseRecord) error {
	c, err := into.Bucket(bucketCases).CreateBucketIfNotExists(id)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := c.Put(r.key, r.text); err != nil {
			return err
		}
		if r.record.Standing != nil {
			continue // it belongs to no time
		}
		if err := index(into, c, string(id), r.record); err != nil {
			return fmt.Errorf("case %s: %w", shown(id), err)
		}
	}
	return nil
}

func shown(key []byte) string { return operation.Printable(string(key)) }
