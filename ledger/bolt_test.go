package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/breakglass/storetest"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "ledger.db") }

func open(t *testing.T, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeLedger(t, l) }) // again does no harm
	return l
}

func closeLedger(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// reopening is a ledger that is closed and opened again before every read.
type reopening struct {
	*ledger.Ledger
	t    *testing.T
	path string
}

func (r *reopening) again() {
	closeLedger(r.t, r.Ledger)
	r.Ledger = open(r.t, r.path)
}

func (r *reopening) Case(ctx context.Context, id string) (breakglass.Case, error) {
	r.again()
	return r.Ledger.Case(ctx, id)
}

func (r *reopening) CasesOf(ctx context.Context, subject string) ([]breakglass.Case, error) {
	r.again()
	return r.Ledger.CasesOf(ctx, subject)
}

func (r *reopening) Cases(ctx context.Context, limit int) ([]breakglass.Case, error) {
	r.again()
	return r.Ledger.Cases(ctx, limit)
}

func TestALedgerIsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) []breakglass.Store {
		l := open(t, newPath(t))
		return []breakglass.Store{l, l, l}
	}, storetest.Options{})
}

func TestALedgerThatIsClosedAndOpenedHasAll(t *testing.T) {
	storetest.Run(t, func(t *testing.T) []breakglass.Store {
		path := newPath(t)
		return []breakglass.Store{&reopening{open(t, path), t, path}}
	}, storetest.Options{})
}

func request(id string) breakglass.Request {
	return breakglass.Request{
		ID: id, Created: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC), Subject: "alice@example.com",
		Requester: operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}}, Reason: "it hangs",
	}
}

func TestALedgerKeepsWhatIsAskedForATerraformPlan(t *testing.T) {
	path := newPath(t)
	want := request("bg-k7m4-q9tx")
	want.Scope = breakglass.Scope{
		Surface: operation.Terraform, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete, operation.Update},
		Targets: []operation.Reference{operation.PlanReference(strings.Repeat("ab", 32))}, Objects: 40, Whole: true,
	}
	want.Plan = &breakglass.PlanFacts{Destroys: 40, Managed: 80, Names: []string{"terraform://default/a.b"}, Key: "key"}
	first := open(t, path)
	if err := first.CreateRequest(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, path).Case(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got.Request); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyOneProcessHasALedger(t *testing.T) {
	path := newPath(t)
	first := open(t, path)
	_, err := ledger.Open(path, ledger.Options{})
	if want := "open the ledger " + path + ": another process has it"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	closeLedger(t, first)
	open(t, path)
}

func TestALedgerIsForItsOwnerToRead(t *testing.T) {
	path := newPath(t)
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
}

func TestALedgerThatCannotBeOpenedIsAnError(t *testing.T) {
	nowhere, folder := filepath.Join(t.TempDir(), "nowhere", "ledger.db"), t.TempDir()
	for path, why := range map[string]string{
		nowhere: "open " + nowhere + ": no such file or directory",
		folder:  "open " + folder + ": is a directory",
	} {
		_, err := ledger.Open(path, ledger.Options{})
		if want := "open the ledger " + path + ": " + why; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// filled returns the content of a ledger with a few pages.
func filled(t *testing.T) []byte {
	t.Helper()
	path := newPath(t)
	l := open(t, path)
	for i := range 50 {
		r := request(fmt.Sprintf("bg-test-%04d", i))
		r.Reason = strings.Repeat("why ", 100)
		if err := errors.Join(l.CreateRequest(t.Context(), r), l.Append(t.Context(), "test", r.ID, []byte(`{}`))); err != nil {
			t.Fatal(err)
		}
	}
	closeLedger(t, l)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// change returns a copy of a ledger's content with something changed in it.
func change(t *testing.T, content []byte, do func(tx *bbolt.Tx) error) []byte {
	t.Helper()
	path := newPath(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(do), db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAFileThatIsNotAGoodLedgerIsAnErrorAndIsKept(t *testing.T) {
	good := filled(t)
	half := len(good) / 2
	var used int64
	sized := change(t, good, func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
	put := func(value string, path ...string) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(path[0]))
			for _, name := range path[1 : len(path)-1] {
				b = b.Bucket([]byte(name))
			}
			return b.Put([]byte(path[len(path)-1]), []byte(value))
		}
	}
	deleteAt := func(path ...string) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(path[0]))
			if len(path) == 1 {
				return tx.DeleteBucket([]byte(path[0]))
			}
			key, _ := b.Cursor().First()
			return b.Delete(key)
		}
	}
	const damaged = "not a ledger, or damaged: start again with --repair, which keeps the file aside and goes on with what can be read of it"
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"a text":                          {[]byte("a decision log, say\n"), damaged},
		"a longer text":                   {bytes.Repeat([]byte("a decision log, say\n"), 1000), damaged},
		"nothing but zeros":               {make([]byte, len(good)), damaged},
		"one that was cut short":          {good[:half], damaged},
		"one that was cut after its head": {good[:2*os.Getpagesize()], damaged},
		"one that lacks its last page":    {sized[:used-1], damaged + ": cut short"},
		"one with a hole":                 {append(bytes.Clone(good[:8*1024]), make([]byte, len(good)-8*1024)...), damaged},
		"one with noise":                  {append(bytes.Clone(good[:8*1024]), bytes.Repeat([]byte("\xff\x07\x01"), (len(good)-8*1024)/3)...), damaged},
		"another program's": {
			change(t, nil, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }), damaged,
		},
		"one without a version":     {change(t, good, put("", "meta", "version")), damaged + ": no version"},
		"one of a newer version":    {change(t, good, put("\x00\x00\x00\x03", "meta", "version")), "it is of version 3, this is a mollyguard that knows version 2"},
		"one that lacks a bucket":   {change(t, good, deleteAt("outbox")), damaged + ": no bucket outbox"},
		"one that lacks an age":     {change(t, good, deleteAt("cases-by-age", "")), damaged + ": case bg-test-0000: the indexes do not have it"},
		"one that lacks a subject":  {change(t, good, deleteAt("cases-by-subject", "")), damaged + ": case bg-test-0000: the indexes do not have it"},
		"one that lacks an entry":   {change(t, good, deleteAt("outbox", "")), damaged + ": the outbox has 49 entries, not 50"},
		"one that lacks a key":      {change(t, good, deleteAt("outbox-by-key", "")), damaged + ": outbox entry "},
		"one with a broken record":  {change(t, good, put("{", "cases", "bg-test-0007", "request")), damaged + ": case bg-test-0007: read a record: unexpected end of JSON input"},
		"one with a newer record":   {change(t, good, put(`{"version":2}`, "cases", "bg-test-0007", "request")), damaged + ": case bg-test-0007: read a record: it is of version 2, not 1"},
		"one with a foreign record": {change(t, good, put(`{"version":1,"entry":{}}`, "cases", "bg-test-0007", "request")), damaged + ": case bg-test-0007: read a record: it is not what belongs there"},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := ledger.Open(path, ledger.Options{})
			if err == nil {
				closeLedger(t, l)
			}
			if want := "open the ledger " + path + ": " + tt.want; err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, want)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(after, tt.content) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestALedgerThatIsNotOpenedIsNotLocked(t *testing.T) {
	path := newPath(t)
	newer := change(t, filled(t), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte{0, 0, 0, 3})
	})
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := ledger.Open(path, ledger.Options{}); err == nil || !strings.Contains(err.Error(), "version 3") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAFullFileIsAnErrorAndLosesNothing(t *testing.T) {
	path := newPath(t)
	l, err := ledger.Open(path, ledger.Options{MaxBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var want []breakglass.Case
	for i := 0; err == nil; i++ {
		r := request(fmt.Sprintf("bg-test-%04d", i))
		r.Reason = strings.Repeat("why ", 5000)
		if err = l.CreateRequest(t.Context(), r); err == nil {
			want = append(want, breakglass.Case{Request: &r})
		}
		if i > 100 {
			t.Fatal("a file that never gets full")
		}
	}
	id := fmt.Sprintf("bg-test-%04d", len(want))
	if want := "keep request " + id + ": database reached maximum size"; err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	closeLedger(t, l)
	if l, err = ledger.Open(path, ledger.Options{}); err != nil { // with more room
		t.Fatal(err)
	}
	defer closeLedger(t, l)
	got, err := l.CasesOf(t.Context(), "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
	if err := l.CreateRequest(t.Context(), request(id)); err != nil {
		t.Error(err)
	}
}

func TestARecordThatIsTooLargeIsAnError(t *testing.T) {
	l := open(t, newPath(t))
	r := request("bg-test-0001")
	r.Requester.Groups = []string{strings.Repeat("x", 1<<20)}
	err := l.CreateRequest(t.Context(), r)
	if want := "keep request bg-test-0001: the record has "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
	if _, err := l.Case(t.Context(), r.ID); !errors.Is(err, breakglass.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestALargeRequestFits(t *testing.T) {
	l := open(t, newPath(t))
	r := request("bg-test-0001")
	worst := strings.Repeat("\x01", breakglass.MaxName) // six bytes each in JSON
	for range breakglass.MaxTargets {
		r.Scope.Targets = append(r.Scope.Targets, operation.Reference{Ref: worst, Kind: worst, Namespace: worst, Name: worst, UID: worst})
	}
	if err := l.CreateRequest(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestNothingIsDoneWhenTheCallerIsGoneOrTheLedgerIsClosed(t *testing.T) {
	l := open(t, newPath(t))
	if err := l.CreateRequest(t.Context(), request("bg-test-0001")); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	all := func(ctx context.Context) map[string]error {
		_, caseErr := l.Case(ctx, "bg-test-0001")
		_, ofErr := l.CasesOf(ctx, "alice@example.com")
		_, listErr := l.Cases(ctx, 1)
		_, standingErr := l.SetStanding(ctx, "bg-test-0001", breakglass.Standing{})
		_, pruneErr := l.Prune(ctx, time.Now())
		_, pendingErr := l.Pending(ctx, 1)
		return map[string]error{
			"create": l.CreateUse(ctx, breakglass.Use{Grant: "bg-test-0001"}), "set": l.SetUseState(ctx, "bg-test-0001", 0, "", ""),
			"case": caseErr, "cases of": ofErr, "cases": listErr, "standing": standingErr, "prune": pruneErr,
			"append": l.Append(ctx, "test", "1", []byte(`1`)), "pending": pendingErr, "ack": l.Ack(ctx, 1),
		}
	}
	for what, err := range all(gone) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s without a caller: got %v", what, err)
		}
	}
	closeLedger(t, l)
	for what, err := range all(t.Context()) {
		if err == nil || !strings.HasSuffix(err.Error(), ": database not open") {
			t.Errorf("%s after the end: got %v", what, err)
		}
	}
}

func TestACaseIsAsOldAsItsRequestWhicheverCameFirst(t *testing.T) {
	l := open(t, newPath(t))
	early, late := request("bg-test-0001"), request("bg-test-0002")
	late.Created = early.Created.Add(time.Hour)
	// The grant is dated before both requests.
	grant := breakglass.Grant{ID: late.ID, Subject: late.Subject, NotBefore: early.Created.Add(-time.Hour)}
	if err := errors.Join(l.CreateGrant(t.Context(), grant), l.CreateRequest(t.Context(), late), l.CreateRequest(t.Context(), early)); err != nil {
		t.Fatal(err)
	}
	want := []breakglass.Case{{Request: &late, Grant: &grant}, {Request: &early}}
	got, err := l.Cases(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	secrets := cmp.Comparer(func(a, b operation.Secret) bool { return a.Reveal() == b.Reveal() })
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), secrets); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
}

func TestACaseIsItsGrantsSubjectsAlone(t *testing.T) {
	l := open(t, newPath(t))
	grant := breakglass.Grant{ID: "bg-test-0001", Subject: "mallory@example.com"}
	if err := errors.Join(l.CreateRequest(t.Context(), request(grant.ID)), l.CreateGrant(t.Context(), grant)); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]int{"alice@example.com": 0, "mallory@example.com": 1} {
		if cases, err := l.CasesOf(t.Context(), subject); err != nil || len(cases) != want {
			t.Errorf("%s: got %v, %v", subject, cases, err)
		}
	}
}

func TestAHandleThatIsNotThereHasNoStanding(t *testing.T) {
	_, err := open(t, newPath(t)).SetStanding(t.Context(), "bg-test-0001", breakglass.Standing{State: breakglass.Active})
	if !errors.Is(err, breakglass.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
