package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/ledger"
)

func update(t *testing.T, l *ledger.Ledger, do func(tx *ledger.Tx) error) {
	t.Helper()
	if err := l.Update(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

// content returns what is in a table, from a key on.
func content(t *testing.T, l *ledger.Ledger, table ledger.Table, prefix, from string) []string {
	t.Helper()
	var found []string
	err := l.View(t.Context(), func(tx *ledger.Tx) error {
		tx.Scan(table, prefix, from, func(key string, value []byte) bool {
			found = append(found, key+"="+string(value))
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantContent(t *testing.T, l *ledger.Ledger, table ledger.Table, prefix, from string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, content(t, l, table, prefix, from), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s from %q with %q (-want +got):\n%s", table, from, prefix, diff)
	}
}

func fill(t *testing.T, l *ledger.Ledger, table ledger.Table, keys ...string) {
	t.Helper()
	update(t, l, func(tx *ledger.Tx) error {
		for _, key := range keys {
			if err := tx.Put(table, key, []byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestATableHasWhatWasPutAndIsScannedInOrder(t *testing.T) {
	path := newPath(t)
	l := open(t, path)
	fill(t, l, ledger.TableSeen, "b/2", "a/1", "b/1", "c", "b/3")
	fill(t, l, ledger.TableAssets, "b/1")
	update(t, l, func(tx *ledger.Tx) error {
		return errors.Join(tx.Put(ledger.TableSeen, "b/2", []byte("new")), tx.Delete(ledger.TableSeen, "c"), tx.Delete(ledger.TableSeen, "c"))
	})
	closeLedger(t, l)
	l = open(t, path)
	wantContent(t, l, ledger.TableSeen, "", "", "a/1=a/1", "b/1=b/1", "b/2=new", "b/3=b/3")
	wantContent(t, l, ledger.TableSeen, "b/", "", "b/1=b/1", "b/2=new", "b/3=b/3")
	wantContent(t, l, ledger.TableSeen, "b/", "b/2", "b/2=new", "b/3=b/3")
	wantContent(t, l, ledger.TableSeen, "b/", "b/21", "b/3=b/3")
	wantContent(t, l, ledger.TableSeen, "b/", "c")
	wantContent(t, l, ledger.TableAssets, "", "", "b/1=b/1")
	wantContent(t, l, ledger.TableQueue, "", "")
}

func TestATransactionIsKeptWholeOrNotAtAll(t *testing.T) {
	l := open(t, newPath(t))
	fill(t, l, ledger.TableSeen, "before")
	appendTo(t, l, "a", "1", `1`)
	wrong := errors.New("wrong")
	err := l.Update(t.Context(), func(tx *ledger.Tx) error {
		return errors.Join(
			tx.Put(ledger.TableSeen, "after", nil), tx.Delete(ledger.TableSeen, "before"), tx.Append("a", "2", json.RawMessage(`2`)), tx.Ack(1), wrong,
		)
	})
	if !errors.Is(err, wrong) || err.Error() != "write the ledger: wrong" {
		t.Errorf("got %v", err)
	}
	wantContent(t, l, ledger.TableSeen, "", "", "before=before")
	wantPending(t, l, 10, entry(1, "a", "1", `1`))
}

func TestTheOutboxIsPartOfATransaction(t *testing.T) {
	l := open(t, newPath(t))
	appendTo(t, l, "a", "1", `1`)
	update(t, l, func(tx *ledger.Tx) error {
		got, err := tx.Pending(10)
		if diff := cmp.Diff([]ledger.Entry{entry(1, "a", "1", `1`)}, got); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
		return errors.Join(err, tx.Ack(1), tx.Append("a", "2", json.RawMessage(`2`)), tx.Put(ledger.TableIncidents, "told", nil))
	})
	wantPending(t, l, 10, entry(2, "a", "2", `2`))
	wantContent(t, l, ledger.TableIncidents, "", "", "told=")
}

func TestAKeyOrAValueThatIsTooLargeIsAnError(t *testing.T) {
	l := open(t, newPath(t))
	for name, tt := range map[string]struct {
		key   string
		value int
		want  string
	}{
		"no key":        {"", 1, "write the ledger: audit-seen: a key of 0 bytes, 1 to 4096 are allowed"},
		"a long key":    {strings.Repeat("k", 4097), 1, "write the ledger: audit-seen: a key of 4097 bytes, 1 to 4096 are allowed"},
		"a large value": {"k\n", 1<<20 + 1, `write the ledger: audit-seen k\n: 1048577 bytes, 1048576 are the limit`},
	} {
		t.Run(name, func(t *testing.T) {
			err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.Put(ledger.TableSeen, tt.key, make([]byte, tt.value)) })
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	update(t, l, func(tx *ledger.Tx) error {
		return tx.Put(ledger.TableSeen, strings.Repeat("k", 4096), make([]byte, 1<<20))
	})
}

func TestOldKeysAreRemovedInBatches(t *testing.T) {
	l := open(t, newPath(t))
	var keys []string
	for i := range 2500 {
		keys = append(keys, fmt.Sprintf("s/%05d", i))
	}
	fill(t, l, ledger.TableSeen, append(keys, "r/00000", "t/00000")...)
	for _, want := range []int{2499, 0} {
		if n, err := l.DeleteBelow(t.Context(), ledger.TableSeen, "s/", "s/02499"); err != nil || n != want {
			t.Errorf("%d removed, want %d; %v", n, want, err)
		}
	}
	wantContent(t, l, ledger.TableSeen, "", "", "r/00000=r/00000", "s/02499=s/02499", "t/00000=t/00000")
}

func TestATableThatFillsTheDiskIsAnErrorAndChangesNothing(t *testing.T) {
	path := newPath(t)
	l, err := ledger.Open(path, ledger.Options{MaxBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	value := strings.Repeat("v", 10<<10)
	for i := 0; err == nil && i < 1000; i++ {
		key := fmt.Sprintf("%04d", i)
		err = l.Update(t.Context(), func(tx *ledger.Tx) error {
			return errors.Join(tx.Put(ledger.TableSeen, key, []byte(value)), tx.Put(ledger.TableQueue, key, nil))
		})
		if err == nil {
			want = append(want, key+"=")
		}
	}
	if err == nil || !strings.HasPrefix(err.Error(), "write the ledger: ") || len(want) == 0 {
		t.Fatalf("%d writes, then %v", len(want), err)
	}
	wantContent(t, l, ledger.TableQueue, "", "", want...)
	if got := content(t, l, ledger.TableSeen, "", ""); len(got) != len(want) {
		t.Errorf("%d in one table, %d in the other", len(got), len(want))
	}
	closeLedger(t, l)
	l = open(t, path) // with more room
	wantContent(t, l, ledger.TableQueue, "", "", want...)
	fill(t, l, ledger.TableQueue, "more")
}

func TestTablesDoNothingWhenTheCallerIsGoneOrTheLedgerIsClosed(t *testing.T) {
	l := open(t, newPath(t))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(*ledger.Tx) error { t.Error("called"); return nil }
	_, deleteErr := l.DeleteBelow(gone, ledger.TableSeen, "", "x")
	for _, err := range []error{l.Update(gone, never), l.View(gone, never), deleteErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	closeLedger(t, l)
	for _, err := range []error{l.Update(t.Context(), never), l.View(t.Context(), never)} {
		if err == nil || !strings.HasSuffix(err.Error(), ": database not open") {
			t.Errorf("got %v", err)
		}
	}
}

// firstVersion makes the content of a file of version 1 of that of one of version 2.
func firstVersion(t *testing.T, content []byte) []byte {
	return change(t, content, func(tx *bbolt.Tx) error {
		var tables [][]byte
		err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if n := string(name); strings.HasPrefix(n, "audit-") || strings.HasPrefix(n, "alert-") || n == "assets" {
				tables = append(tables, name)
			}
			return nil
		})
		for _, name := range tables {
			err = errors.Join(err, tx.DeleteBucket(name))
		}
		return errors.Join(err, tx.Bucket([]byte("meta")).Put([]byte("version"), []byte{0, 0, 0, 1}))
	})
}

func TestAFileOfTheFirstVersionIsBroughtUpToDateAndLosesNothing(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, firstVersion(t, filled(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is of this version
		l := open(t, path)
		cases, err := l.Cases(t.Context(), 100)
		if err != nil || len(cases) != 50 {
			t.Errorf("%d cases, %v", len(cases), err)
		}
		if entries, err := l.Pending(t.Context(), 100); err != nil || len(entries) != 50 {
			t.Errorf("%d entries, %v", len(entries), err)
		}
		fill(t, l, ledger.TableDead, "key")
		closeLedger(t, l)
	}
}

func TestAFileOfTheFirstVersionThatIsDamagedStaysAsItIs(t *testing.T) {
	broken := change(t, firstVersion(t, filled(t)), func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("outbox")) })
	path := newPath(t)
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(path, ledger.Options{}); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(broken) {
		t.Errorf("the file was changed, %v", err)
	}
}
