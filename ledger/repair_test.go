package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
)

var repairTime = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)

// wellFilled returns the content of a ledger with cases, entries, and a table of many pages.
func wellFilled(t *testing.T) []byte {
	t.Helper()
	path := newPath(t)
	if err := os.WriteFile(path, filled(t), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, path)
	use := breakglass.Use{Grant: "bg-test-0007", At: repairTime}
	if err := errors.Join(l.CreateUse(t.Context(), use), l.CreateVerdict(t.Context(), breakglass.Verdict{Request: "bg-test-0007", Kind: breakglass.Revoke, At: repairTime})); err != nil {
		t.Fatal(err)
	}
	update(t, l, func(tx *ledger.Tx) error {
		for i := range 500 {
			if err := tx.Put(ledger.TableSeen, fmt.Sprintf("key-%04d", i), bytes.Repeat([]byte("v"), 200)); err != nil {
				return err
			}
		}
		return nil
	})
	closeLedger(t, l)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// repairedFrom repairs a file of some content, and returns the ledger that is there
// then.
func repairedFrom(t *testing.T, content []byte) (*ledger.Ledger, ledger.RepairReport) {
	t.Helper()
	path := newPath(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := ledger.Repair(path, repairTime)
	if err != nil {
		t.Fatal(err)
	}
	if want := path + ".damaged-20261121T031247Z"; report.Aside != want || !errors.Is(report.Damage, ledger.ErrDamaged) {
		t.Errorf("got %+v", report)
	}
	aside, err := os.ReadFile(report.Aside)
	if err != nil || !bytes.Equal(aside, content) {
		t.Errorf("the damaged file is not what it was: %v", err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 2 {
		t.Errorf("files %q, %v", files, err)
	}
	return open(t, path), report
}

func keptOf(report ledger.RepairReport, name string) (kept int, lost string) {
	for _, p := range report.Parts {
		if p.Name == name {
			return p.Kept, strings.Join(p.Lost, "\n")
		}
	}
	return -1, "there is no such part"
}

func wantKept(t *testing.T, report ledger.RepairReport, name string, want int, wantLost string) {
	t.Helper()
	kept, lost := keptOf(report, name)
	if kept != want || !strings.HasPrefix(lost, wantLost) || (wantLost == "") != (lost == "") {
		t.Errorf("%s: kept %d, want %d; lost %q, want %q", name, kept, want, lost, wantLost)
	}
}

func TestAGoodLedgerIsNotRepaired(t *testing.T) {
	path := newPath(t)
	content := wellFilled(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(t.TempDir(), "none")} {
		report, err := ledger.Repair(p, repairTime)
		if diff := cmp.Diff(ledger.RepairReport{}, report); diff != "" || err != nil {
			t.Errorf("%v, report (-want +got):\n%s", err, diff)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestALedgerInUseOrOfANewerVersionIsNotRepaired(t *testing.T) {
	used := newPath(t)
	open(t, used)
	newer := newPath(t)
	content := change(t, wellFilled(t), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte{0, 0, 0, 3})
	})
	if err := os.WriteFile(newer, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{used: "another process has it", newer: "it is of version 3"} {
		_, err := ledger.Repair(path, repairTime)
		if err == nil || !strings.HasPrefix(err.Error(), "repair the ledger "+path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if files, _ := filepath.Glob(path + "*"); len(files) != 1 {
			t.Errorf("files %q", files)
		}
	}
}

func TestAllButABrokenRecordIsTakenOver(t *testing.T) {
	content := change(t, wellFilled(t), func(tx *bbolt.Tx) error {
		return errors.Join(
			tx.Bucket([]byte("cases")).Bucket([]byte("bg-test-0008")).Put([]byte("request"), []byte("{")),
			tx.Bucket([]byte("outbox")).Put([]byte{0, 0, 0, 0, 0, 0, 0, 3}, []byte("{")),
		)
	})
	l, report := repairedFrom(t, content)
	wantKept(t, report, "cases", 49, "case bg-test-0008, with what was decided and used in it: read a record: ")
	wantKept(t, report, "outbox", 49, "0000000000000003: read a record: ")
	wantKept(t, report, "audit-seen", 500, "")
	wantKept(t, report, "assets", 0, "")

	c, err := l.Case(t.Context(), "bg-test-0007")
	if err != nil || c.Request == nil || len(c.Uses) != 1 || len(c.Verdicts) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
	if cases, err := l.CasesOf(t.Context(), "alice@example.com"); err != nil || len(cases) != 49 {
		t.Errorf("%d cases, %v", len(cases), err)
	}
	appendTo(t, l, "a", "new", `1`)
	entries, err := l.Pending(t.Context(), 100)
	if err != nil || len(entries) != 50 || entries[49].ID != 51 {
		t.Errorf("%d entries, the last %+v, %v", len(entries), entries[len(entries)-1], err)
	}
}

func TestACaseThatLacksAUseIsNotTakenOver(t *testing.T) {
	content := change(t, wellFilled(t), func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte("cases")).Bucket([]byte("bg-test-0007"))
		use := bytes.Replace(c.Get([]byte("use/0000000000")), []byte(`"slot":0`), []byte(`"slot":1`), 1)
		return errors.Join(
			c.Put([]byte("use/0000000001"), use), c.Delete([]byte("use/0000000000")),
			tx.Bucket([]byte("cases")).Bucket([]byte("bg-test-0008")).Put([]byte("request"), []byte("{")), // else all is good
		)
	})
	l, report := repairedFrom(t, content)
	wantKept(t, report, "cases", 48, "case bg-test-0007, with what was decided and used in it: use 0 is not there")
	if _, err := l.Case(t.Context(), "bg-test-0007"); !errors.Is(err, breakglass.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAPageThatIsLostTakesOnlyItsRecordsAlong(t *testing.T) {
	content := wellFilled(t)
	page := os.Getpagesize()
	at := -1 // a page in the middle of the table
	for i := 0; i+page <= len(content); i += page {
		if bytes.Contains(content[i:i+page], []byte("key-0250vv")) {
			at = i
		}
	}
	if at < 0 {
		t.Fatal("no such page")
	}
	clear(content[at : at+page])
	l, report := repairedFrom(t, content)
	kept, lost := keptOf(report, "audit-seen")
	if kept < 400 || kept >= 500 || !strings.HasPrefix(lost, "a part of it: ") {
		t.Errorf("kept %d, lost %q", kept, lost)
	}
	got := keysIn(t, l, ledger.TableSeen)
	if len(got) != kept || got[0] != "key-0000" || got[len(got)-1] != "key-0499" {
		t.Errorf("%d records from %s to %s", len(got), got[0], got[len(got)-1])
	}
	wantKept(t, report, "cases", 50, "")
	wantKept(t, report, "outbox", 50, "")
}

func keysIn(t *testing.T, l *ledger.Ledger, table ledger.Table) (keys []string) {
	t.Helper()
	for _, line := range content(t, l, table, "", "") {
		key, _, _ := strings.Cut(line, "=")
		keys = append(keys, key)
	}
	return keys
}

func TestWhateverTheDamageALedgerIsThereAfterTheRepair(t *testing.T) {
	good := wellFilled(t)
	page := os.Getpagesize()
	contents := map[string][]byte{
		"a text":      []byte("a decision log, say\n"),
		"only zeros":  make([]byte, len(good)),
		"cut in half": good[:len(good)/2],
		"its head":    good[:2*page],
		"another program's": change(t, nil, func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("theirs"))
			return err
		}),
	}
	for at := 2 * page; at+page <= len(good); at += page { // each page lost, and each full of noise
		lost, noise := bytes.Clone(good), bytes.Clone(good)
		clear(lost[at : at+page])
		copy(noise[at+16:at+page], bytes.Repeat([]byte("\xff\x07\x01\x33"), page/4))
		contents[fmt.Sprintf("page %d lost", at/page)], contents[fmt.Sprintf("page %d full of noise", at/page)] = lost, noise
	}
	for name, content := range contents {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := ledger.Repair(path, repairTime)
			if err != nil {
				t.Fatal(err)
			}
			l := open(t, path)
			if report.Damage == nil { // a page that nothing is in
				return
			}
			if after, err := os.ReadFile(report.Aside); err != nil || !bytes.Equal(after, content) {
				t.Errorf("the damaged file is not what it was: %v", err)
			}
			fill(t, l, ledger.TableQueue, "key")
		})
	}
}

func TestTwoRepairsOfOneSecondKeepBothFiles(t *testing.T) {
	path := newPath(t)
	for i, want := range []string{"", "-2"} {
		text := fmt.Sprintf("no ledger %d", i)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := ledger.Repair(path, repairTime)
		if err != nil {
			t.Fatal(err)
		}
		if want := path + ".damaged-20261121T031247Z" + want; report.Aside != want {
			t.Errorf("got %s, want %s", report.Aside, want)
		}
		if got, err := os.ReadFile(report.Aside); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
