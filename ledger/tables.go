package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/operation"
)

// Table is a part of the file where somebody else keeps records of their own, by
// key. What is in them is theirs; the ledger sees to it that what belongs together
// is written together.
type Table string

// The tables, and whose they are.
const (
	// These are of package auditlog: entries that were judged, operations that go on,
	// how far each source was read, entries that could not be read, and such as people
	// were told of.
	TableSeen       Table = "audit-seen"
	TableOperations Table = "audit-operations"
	TablePositions  Table = "audit-positions"
	TableUndecoded  Table = "audit-undecoded"
	TableEntries    Table = "audit-entries"
	// TableAssets is of package inventory: what is known of cloud resources.
	TableAssets Table = "assets"
	// TableIncidents, TableQueue and TableDead are of package alert.
	TableIncidents Table = "alert-incidents"
	TableQueue     Table = "alert-queue"
	TableDead      Table = "alert-dead"
)

// tables lists every Table.
func tables() []Table {
	return []Table{
		TableSeen, TableOperations, TablePositions, TableUndecoded, TableEntries, TableAssets, TableIncidents, TableQueue, TableDead,
	}
}

const (
	// maxTableKey is how long a key of a table may be: a full resource name of Google
	// Cloud has 1500 bytes at most, and something goes before it.
	maxTableKey = 4 << 10
	// maxTableValue is how large a value may be: a log entry of 256 KiB, the limit of
	// Cloud Logging, in JSON in base64, with what is said of it.
	maxTableValue = 1 << 20
)

// Tx is one transaction on the tables: all of it is kept or nothing. It is for one
// goroutine, and not to be used after the function that it was passed to returned.
type Tx struct{ tx *bbolt.Tx }

// Update calls do, and keeps what it wrote on disk if it returns nil. One at a time
// runs; a transaction costs a sync of the disk, so what comes in numbers goes into
// one together. do must have no effect but on tx.
func (l *Ledger) Update(ctx context.Context, do func(tx *Tx) error) error {
	if err := l.update(ctx, func(tx *bbolt.Tx) error { return do(&Tx{tx}) }); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// View calls do with a transaction that only reads, and sees what was there when it
// began. Many may run at once.
func (l *Ledger) View(ctx context.Context, do func(tx *Tx) error) error {
	if err := l.view(ctx, func(tx *bbolt.Tx) error { return do(&Tx{tx}) }); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	return nil
}

// Get returns the value of a key, or nil. It is to be read only, and only until the
// transaction ends.
func (t *Tx) Get(table Table, key string) []byte { return t.bucket(table).Get([]byte(key)) }

// Put sets the value of a key.
func (t *Tx) Put(table Table, key string, value []byte) error {
	switch {
	case key == "" || len(key) > maxTableKey:
		return fmt.Errorf("%s: a key of %d bytes, 1 to %d are allowed", table, len(key), maxTableKey)
	case len(value) > maxTableValue:
		return fmt.Errorf("%s %s: %d bytes, %d are the limit", table, operation.Printable(key), len(value), maxTableValue)
	}
	return t.bucket(table).Put([]byte(key), value)
}

// Delete removes a key. Doing so again does nothing.
func (t *Tx) Delete(table Table, key string) error { return t.bucket(table).Delete([]byte(key)) }

// Scan calls do with the keys that begin with prefix, in the order of their bytes,
// beginning with the first that is not below from, until do returns false. Values are
// to be read only. do must not write to the table.
func (t *Tx) Scan(table Table, prefix, from string, do func(key string, value []byte) (more bool)) {
	cursor := t.bucket(table).Cursor()
	start := []byte(max(prefix, from))
	for key, value := cursor.Seek(start); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, value = cursor.Next() {
		if !do(string(key), value) {
			return
		}
	}
}

func (t *Tx) bucket(table Table) *bbolt.Bucket { return t.tx.Bucket([]byte(table)) }

// checkTables reads all tables.
func checkTables(tx *bbolt.Tx) error {
	for _, table := range tables() {
		err := tx.Bucket([]byte(table)).ForEach(func(key, value []byte) error {
			if value == nil || len(key) > maxTableKey || len(value) > maxTableValue {
				return errors.New("not a record")
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}
