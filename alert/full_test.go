package alert_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
)

func TestAFullDiskKeepsWhatWasToldAndSaysThatMoreWasNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := ledger.Open(path, ledger.Options{MaxBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	b := newBook(t, alert.BookOptions{})
	told, id := 0, ""
	for err == nil && told < 10_000 {
		err = l.Update(t.Context(), func(tx *ledger.Tx) (err error) {
			id, err = b.TellDecision(tx, cluster(fmt.Sprint(told)))
			return err
		})
		if err == nil {
			told++
		}
	}
	if err == nil {
		t.Fatal("a file that never gets full")
	}
	a, waits := get(t, l, b, id), keys(t, l, ledger.TableQueue)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path) // with more room
	if a.Count != told || a.Revision != told || !slices.Equal(waits, keys(t, l, ledger.TableQueue)) {
		t.Errorf("told %d, count %d, revision %d", told, a.Count, a.Revision)
	}
	tell(t, l, b, cluster(fmt.Sprint(told)))
	if a := get(t, l, b, id); a.Count != told+1 {
		t.Errorf("count %d", a.Count)
	}
}
