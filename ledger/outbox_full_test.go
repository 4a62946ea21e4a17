package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

func TestAFullOutboxIsAnErrorUntilSomethingIsDelivered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	const batch = 1000 // each on its own would take minutes
	for first := 0; first < MaxOutbox; first += batch {
		err := l.db.Update(func(tx *bbolt.Tx) error {
			for i := range batch {
				e := entryRecord{"test", fmt.Sprint(first + i), json.RawMessage(`1`)}
				text, err := record{Entry: &e}.encode()
				if err := errors.Join(err, e.put(tx, text)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	add := func(dedup string) error { return l.Append(t.Context(), "test", dedup, json.RawMessage(`1`)) }
	err = add("one more")
	if want := "put test one more into the outbox: 100000 entries are waiting to be delivered already"; !errors.Is(err, ErrOutboxFull) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := add("0"); err != nil {
		t.Errorf("one that waits already: %v", err)
	}
	if err := errors.Join(l.Ack(t.Context(), 1), add("one more")); err != nil {
		t.Errorf("after a delivery: %v", err)
	}
	if err := add("and another"); !errors.Is(err, ErrOutboxFull) {
		t.Errorf("got %v", err)
	}
}
