package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
)

// scratch makes the temporary folder one that the test can look into.
func scratch(t *testing.T) (left func() []string) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	return func() []string {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
}

// endless is a stream that says the same again and again, and calls at some byte.
type endless struct {
	text  string
	read  int
	limit int // 0 for none
	at    int
	call  func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.limit > 0 && e.read >= e.limit {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && (e.limit == 0 || e.read < e.limit) {
		part := e.text[e.read%len(e.text):]
		took := copy(p[n:], part)
		n, e.read = n+took, e.read+took
	}
	if e.call != nil && e.read >= e.at {
		e.call()
		e.call = nil
	}
	return n, nil
}

const ignored = `{"insertId":"1","logName":"projects/p/logs/stdout","timestamp":"2026-11-21T04:02:00Z","textPayload":"nobody cares about this line of text"}` + "\n"

func TestAReplayThatIsStoppedLeavesNothing(t *testing.T) {
	left := scratch(t)
	ctx, cancel := context.WithCancel(t.Context())
	var during []string
	in := &endless{text: ignored, at: 1 << 20, call: func() { during = left(); cancel() }}
	var out, errs strings.Builder
	code := run(ctx, []string{"mollyguard", "audit", "replay", "-"}, in, &out, &errs)
	if diff := cmp.Diff(ran{1, "", "mollyguard: error: context canceled\n"}, ran{code, out.String(), errs.String()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if names := left(); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	if runtime.GOOS != "windows" && len(during) > 0 {
		t.Errorf("would be left behind by a kill: %v", during)
	}
}

func TestOfAMillionEntriesThatNobodyCaresAboutNoneIsKept(t *testing.T) {
	scratch(t)
	const million = 1_000_000
	var most uint64
	in := &endless{text: ignored, limit: million * len(ignored), at: million * len(ignored) / 10 * 9, call: func() {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = m.HeapAlloc
	}}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var out, errs strings.Builder
	code := run(t.Context(), []string{"mollyguard", "audit", "replay", "-"}, in, &out, &errs)
	want := ran{0, "1000000 entries, 0 judged: 0 operations would have been alerted, in 0 incidents\n", ""}
	if diff := cmp.Diff(want, ran{code, out.String(), errs.String()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What was read by then is 120 MB. The policies, the tables and the buffers are there.
	if grown := int64(most) - int64(before.HeapAlloc); grown > 48<<20 {
		t.Errorf("%d MiB after 900,000 entries", grown>>20)
	}
}

// broken takes so many bytes and no more.
type broken struct{ room int }

func (b *broken) Write(p []byte) (int, error) {
	if len(p) > b.room {
		return 0, errors.New("no space left on device")
	}
	b.room -= len(p)
	return len(p), nil
}

func TestAReplayThatCannotBePrintedEndsAndSaysSo(t *testing.T) {
	scratch(t)
	entries := ""
	for i := range 50 {
		entries += deletion(t, fmt.Sprintf("cluster-%d", i)) + "\n"
	}
	for _, format := range []string{"text", "json"} {
		var errs strings.Builder
		code := run(t.Context(), []string{"mollyguard", "audit", "replay", "-o", format, "-"}, strings.NewReader(entries), &broken{room: 2000}, &errs)
		if diff := cmp.Diff(ran{1, "", "mollyguard: error: no space left on device\n"}, ran{code, "", errs.String()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

// A server waits until there is room again. Nobody waits for a replay.
func TestAReplayThatCannotKeepWhatItReadsEnds(t *testing.T) {
	book, err := ledger.Open(filepath.Join(t.TempDir(), "l"), ledger.Options{Temporary: true, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(t.TempDir(), "entries.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range 5000 {
		fmt.Fprintln(w, deletion(t, fmt.Sprintf("cluster-%d", i)))
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := newReplaying(t.Context(), streams{}, config.Default(), replayOptions{}, book, newTally(io.Discard, "json"), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "what was read cannot be kept: ") {
		t.Errorf("got %v", err)
	}
}

func TestTheFirstOfManyBrokenEntriesIsNamed(t *testing.T) {
	scratch(t)
	text := strings.Repeat(ignored, 100)
	for range 500 {
		text += "{broken\n"
	}
	for range 5 { // mappers run at the same time
		var out, errs strings.Builder
		code := run(t.Context(), []string{"mollyguard", "audit", "replay", "-"}, strings.NewReader(text), &out, &errs)
		if want := "mollyguard: error: 500 entries could not be read, the first is entry 101 of standard input: "; code != 1 || !strings.HasPrefix(errs.String(), want) {
			t.Fatalf("%d: %s", code, errs.String())
		}
	}
}

// FuzzUnpack takes any text apart: it never panics, loses nothing, and what is no list
// is passed on as it is.
func FuzzUnpack(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"auditID":"a"},{"apiVersion":"x"},{},1,null,"x",[]]}`,
		`{"kind":"EventList","items":[]}`, `{"kind":"EventList"}`, `{"kind":"EventList","items":[{"a":1}`, `{"kind":"Event","note":"EventList"}`, "", "EventList",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list := unpack(data)
		if len(list) == 0 {
			t.Fatalf("%q became nothing", data)
		}
		for _, item := range list {
			if len(item) == 0 && len(data) > 0 {
				t.Errorf("%q has an empty item", data)
			}
		}
	})
}
