package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func decision(id string) operation.Decision {
	return operation.Decision{
		ID: id, Time: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC),
		Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Outcome: operation.OutcomeDeny,
		Target:     operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web"},
		Production: operation.Production{Is: true, Because: []string{"label env=production"}},
		Unknown:    []string{"a line break\nand another"},
	}
}

// read returns the decisions of a log, which must be whole lines.
func read(t *testing.T, log string) []operation.Decision {
	t.Helper()
	var list []operation.Decision
	for line := range strings.Lines(log) {
		if !strings.HasSuffix(line, "\n") {
			t.Errorf("a line without an end: %q", line)
		}
		var d operation.Decision
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		list = append(list, d)
	}
	return list
}

func readFile(t *testing.T, path string) []operation.Decision {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, string(data))
}

func record(t *testing.T, log *ledger.Log, decisions ...operation.Decision) {
	t.Helper()
	for _, d := range decisions {
		if err := log.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachDecisionIsOneLine(t *testing.T) {
	var written bytes.Buffer
	want := []operation.Decision{decision("1"), {}, decision("3")}
	record(t, ledger.NewLog(&written), want...)
	if diff := cmp.Diff(want, read(t, written.String()), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestALineIsTheDecisionRecord(t *testing.T) {
	var written bytes.Buffer
	d := decision("1")
	record(t, ledger.NewLog(&written), d)
	line, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(line)+"\n", written.String()); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// oneWrite fails the test if a write is not one line; it is not safe for
// concurrent use, which the race detector would tell.
type oneWrite struct {
	t     *testing.T
	lines []string
}

func (w *oneWrite) Write(p []byte) (int, error) {
	if strings.Count(string(p), "\n") != 1 || !bytes.HasSuffix(p, []byte("\n")) {
		w.t.Errorf("a write of something else than a line: %q", p)
	}
	w.lines = append(w.lines, string(p))
	return len(p), nil
}

func TestConcurrentDecisionsDoNotMix(t *testing.T) {
	const writers, each = 8, 100
	written := &oneWrite{t: t}
	log := ledger.NewLog(written)
	var want []string
	var group sync.WaitGroup
	for w := range writers {
		for i := range each {
			want = append(want, fmt.Sprintf("%d-%d", w, i))
		}
		group.Go(func() {
			for i := range each {
				if err := log.Record(t.Context(), decision(fmt.Sprintf("%d-%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	var got []string
	for _, d := range read(t, strings.Join(written.lines, "")) {
		got = append(got, d.ID)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestAFileIsAppendedToAcrossRestartsAndProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.jsonl")
	open := func() *ledger.Log {
		log, err := ledger.OpenLog(path)
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	closeLog := func(log *ledger.Log) {
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	first := open()
	record(t, first, decision("1"))
	closeLog(first)
	second, other := open(), open()
	record(t, second, decision("2"))
	record(t, other, decision("3"))
	record(t, second, decision("4"))
	closeLog(second)
	closeLog(other)
	want := []operation.Decision{decision("1"), decision("2"), decision("3"), decision("4")}
	if diff := cmp.Diff(want, readFile(t, path), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestAFileIsNotForEverybodyToRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.jsonl")
	log, err := ledger.OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// Owner and group at most; the process's umask may take from the group.
	if perm := info.Mode().Perm(); perm&^0o640 != 0 || perm&0o600 != 0o600 {
		t.Errorf("mode is %v, want -rw-r-----", info.Mode())
	}
}

func TestAFileThatCannotBeOpenedIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nowhere", "decisions.jsonl")
	_, err := ledger.OpenLog(path)
	if want := "open the decision log: open " + path + ": no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// full is a disk that takes some bytes and then no more, until there is room.
type full struct {
	bytes.Buffer
	room int
}

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	f.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestADecisionThatWasNotWrittenIsAnError(t *testing.T) {
	err := ledger.NewLog(&full{}).Record(t.Context(), decision("1"))
	if want := "write the decision log: no space left on device"; !errors.Is(err, errFull) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestALineThatWasCutShortDoesNotSpoilTheNext(t *testing.T) {
	for _, room := range []int{0, 1, 100} {
		t.Run(fmt.Sprintf("after %d bytes", room), func(t *testing.T) {
			disk := &full{room: room}
			log := ledger.NewLog(disk)
			for range 2 {
				if err := log.Record(t.Context(), decision("lost")); err == nil {
					t.Fatal("no error")
				}
			}
			disk.room = 1 << 20
			record(t, log, decision("2"), decision("3"))
			lines := strings.Split(strings.TrimSuffix(disk.String(), "\n"), "\n")
			if room > 0 {
				lines = lines[1:] // the one that was cut short
			}
			want := []operation.Decision{decision("2"), decision("3")}
			if diff := cmp.Diff(want, read(t, strings.Join(lines, "\n")+"\n"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCloseEndsAFileAndLeavesAWriterAlone(t *testing.T) {
	log, err := ledger.OpenLog(filepath.Join(t.TempDir(), "decisions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := log.Record(t.Context(), decision("1")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a record after the end: %v", err)
	}
	if err := log.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a second end: %v", err)
	}

	var written closable
	stream := ledger.NewLog(&written)
	record(t, stream, decision("1"))
	if err := stream.Close(); err != nil {
		t.Errorf("close of a writer: %v", err)
	}
	if err := stream.Record(t.Context(), decision("2")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a record after the end: %v", err)
	}
	if written.closed || strings.Count(written.String(), "\n") != 1 {
		t.Errorf("closed: %v, written: %s", written.closed, &written)
	}
}

// closable is a writer that could be closed.
type closable struct {
	bytes.Buffer
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }

func TestAReaderThatHasStoppedReadingDoesNotStopDecisions(t *testing.T) {
	reader, writer := io.Pipe() // a write blocks until somebody reads
	log := ledger.NewLog(writer)
	for range 2 { // the first is being written, the second waits for its turn
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := log.Record(ctx, decision("1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	if err := reader.Close(); err != nil { // the write fails
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeMadeDurableCanBeClosed(t *testing.T) {
	log, err := ledger.OpenLog(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	record(t, log, decision("1"))
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatWasRecordedIsMadeDurableWhereThatCanBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.jsonl")
	log, err := ledger.OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Record(t.Context(), operation.Decision{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := log.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := log.Sync(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after it was closed: %v", err)
	}
	stream := ledger.NewLog(io.Discard)
	if err := stream.Sync(t.Context()); err != nil {
		t.Errorf("a stream: %v", err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}
