package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
)

func TestWhatIsReadOnce(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"JSON lines", "{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}\n", []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}},
		{"what gcloud prints", "[\n  {\n    \"a\": \"}]\"\n  },\n  {\n    \"b\": [{}, {}]\n  }\n]\n", []string{"{\n    \"a\": \"}]\"\n  }", "{\n    \"b\": [{}, {}]\n  }"}},
		{"an array without white space", `[{"a":1},{"a":2}]`, []string{`{"a":1}`, `{"a":2}`}},
		{"values one after another", `{"a":1}{"a":2} {"a":3}`, []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}},
		{"quotes and escapes", `{"a":"\"{\\"}` + "\n" + `{"b":"\\\"}"}`, []string{`{"a":"\"{\\"}`, `{"b":"\\\"}"}`}},
		{"a mark at the beginning", "\ufeff{\"a\":1}", []string{`{"a":1}`}},
		{"no line feed at the end", `{"a":1}`, []string{`{"a":1}`}},
		{"a last line that is cut off", "{\"a\":1}\n{\"a\":", []string{`{"a":1}`, `{"a":`}},
		{"a line that is cut off takes no other with it", "{\"a\":{\n{\"b\":1}\n", []string{"{\"a\":{\n", `{"b":1}`}},
		{"nor does one that is cut off in a string", "{\"a\":\"x\n{\"b\":1}\n", []string{`{"a":"x`, `{"b":1}`}},
		{"nor in an escape", "{\"a\":\"x\\\n{\"b\":1}\n", []string{`{"a":"x\`, `{"b":1}`}},
		{"what is no JSON", "hello {\n{\"a\":1}\nnull\x00\n", []string{"hello {", `{"a":1}`, "null\x00"}},
		{"brackets that nobody opened", "}}\n]]{\"a\":1}", []string{"}}", `{"a":1}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 7, 4096} {
				var got []string
				var split splitter
				add := func(v value) error { got = append(got, string(v.data)); return nil }
				for text := []byte(tt.text); len(text) > 0; text = text[min(size, len(text)):] {
					if err := split.write(text[:min(size, len(text))], add); err != nil {
						t.Fatal(err)
					}
				}
				if err := split.end(add); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("read by %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

func TestAnEntryThatIsTooLongIsCutOffAndTheNextIsRead(t *testing.T) {
	for _, long := range []string{
		`{"a":"` + strings.Repeat("x", 3*maxValue) + `"}`,
		`{"a":[` + strings.Repeat("{},", maxValue) + `{}]}`,
	} {
		var got []string
		err := run(t, Options{Reader: strings.NewReader(long + "\n{\"b\":1}\n")}, func(m auditlog.Message) { got = append(got, string(m.Data)) })
		if diff := cmp.Diff([]string{long[:maxValue], `{"b":1}`}, got); diff != "" || err != nil {
			t.Errorf("%v, %d values", err, len(got))
		}
	}
}

func TestAnEntryOfTheGreatestLengthIsWhole(t *testing.T) {
	text := `{"a":"` + strings.Repeat("x", maxValue-8) + `"}`
	var got []string
	err := run(t, Options{Reader: strings.NewReader(text)}, func(m auditlog.Message) { got = append(got, string(m.Data)) })
	if diff := cmp.Diff([]string{text}, got); diff != "" || err != nil {
		t.Errorf("%v, %d values", err, len(got))
	}
}

func TestAStreamThatBreaksIsAnError(t *testing.T) {
	boom := errors.New("boom")
	reader := io.MultiReader(strings.NewReader(`{"a":1}`), errReader{boom})
	var got int
	if err := run(t, Options{Reader: reader}, func(auditlog.Message) { got++ }); !errors.Is(err, boom) || got != 1 {
		t.Errorf("%v after %d", err, got)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestAReaderThatNeverReturnsKeepsNobody(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	s := must(t, Options{Reader: r})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, "", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsNotThereIsAnErrorIfItIsReadOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if err := run(t, Options{Path: path}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := run(t, Options{Path: t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Error(err)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, o := range []Options{{}, {Path: "x", Reader: strings.NewReader("")}, {Reader: strings.NewReader(""), Follow: true}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v", o)
		}
	}
}

func TestReadingGoesOnAfterAnyEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text := "[\n" + strings.Repeat("  {\"a\": {\"b\": 1}},\n", 50) + "  {\"last\": 1}\n]"
	write(t, path, text)
	var all []auditlog.Message
	if err := run(t, Options{Path: path}, func(m auditlog.Message) { all = append(all, m) }); err != nil || len(all) != 51 {
		t.Fatalf("%v, %d", err, len(all))
	}
	for i, m := range all {
		var rest []string
		s := must(t, Options{Path: path})
		err := s.Run(t.Context(), m.Position, func(_ context.Context, m auditlog.Message) error {
			rest = append(rest, string(m.Data))
			return nil
		}, nil)
		var want []string
		for _, m := range all[i+1:] {
			want = append(want, string(m.Data))
		}
		if diff := cmp.Diff(want, rest); diff != "" || err != nil {
			t.Fatalf("after %d: %v\n%s", i, err, diff)
		}
	}
}

// world is a file that is followed, a look at a time.
type world struct {
	t         *testing.T
	path      string
	positions []string
	got       []string
	troubles  []string
	look      chan struct{}
	looked    chan struct{}
	cancel    context.CancelFunc
	done      chan error
}

func follow(t *testing.T, path, position string) *world {
	w := &world{t: t, path: path, look: make(chan struct{}), looked: make(chan struct{}), done: make(chan error, 1)}
	s := must(t, Options{Path: path, Follow: true, Wait: func(ctx context.Context) error {
		select {
		case w.looked <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-w.look:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go func() {
		w.done <- s.Run(ctx, position, func(_ context.Context, m auditlog.Message) error {
			w.got = append(w.got, string(m.Data))
			w.positions = append(w.positions, m.Position)
			return nil
		}, func(tr alert.Trouble) {
			w.troubles = append(w.troubles, fmt.Sprintf("%s %t", tr.Kind, tr.Over))
		})
	}()
	<-w.looked
	return w
}

// next lets it look again, and returns what it found.
func (w *world) next() []string {
	w.t.Helper()
	w.look <- struct{}{}
	<-w.looked
	got := w.got
	w.got = nil
	return got
}

func (w *world) stop() {
	w.t.Helper()
	w.cancel()
	if err := <-w.done; err != nil {
		w.t.Error(err)
	}
}

func (w *world) expect(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.next()); diff != "" {
		w.t.Errorf("(-want +got):\n%s", diff)
	}
}

func (w *world) expectTroubles(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.troubles); diff != "" {
		w.t.Errorf("troubles (-want +got):\n%s", diff)
	}
}

func TestALineThatIsBeingWrittenIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, `{"a":`)
	w := follow(t, path, "")
	defer w.stop()
	w.expect()
	add(t, path, "1}\n{\"b\"")
	w.expect(`{"a":1}`)
	add(t, path, ":1}\n")
	w.expect(`{"b":1}`)
	w.expectTroubles()
}

func TestAFileIsFollowedThroughARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "{\"a\":1}\n")
	w := follow(t, path, "")
	defer w.stop()
	w.expect(`{"a":1}`)
	rename(t, path, path+".1")
	add(t, path+".1", "{\"a\":2}\n{\"cut")
	w.expect(`{"a":2}`)
	write(t, path, "{\"a\":3}\n")
	w.expect(`{"cut`, `{"a":3}`)
	w.expectTroubles()
}

func TestAFileThatIsCutOffIsReadFromItsBeginning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "{\"a\":1}\n")
	w := follow(t, path, "")
	defer w.stop()
	w.expect(`{"a":1}`)
	write(t, path, "{\"a\":2}\n") // as long as before
	w.expect(`{"a":2}`)
	add(t, path, "{\"half\":")
	w.expect()
	w.expectTroubles()
	write(t, path, "{}\n")
	w.expect(`{}`)
	w.expectTroubles("gap false")
}

func TestAFileThatIsNotThereIsATroubleWhileItIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := follow(t, path, "")
	defer w.stop()
	w.expectTroubles("missing false")
	write(t, path, "{\"a\":1}\n")
	w.expect(`{"a":1}`)
	w.expectTroubles("missing false", "missing true")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.expect() // it may be about to be rotated
	w.expectTroubles("missing false", "missing true")
	w.expect()
	w.expectTroubles("missing false", "missing true", "missing false")
	write(t, path, "{\"a\":2}\n")
	w.expect(`{"a":2}`)
	w.expect()
	w.expectTroubles("missing false", "missing true", "missing false", "missing true")
}

func TestAFileThatWasRotatedAwayMeanwhileIsReadToItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "{\"a\":1}\n{\"a\":2}\n")
	w := follow(t, path, "")
	w.stop()
	add(t, path, "{\"a\":3}\n")
	rename(t, path, path+".1")
	write(t, path, "{\"a\":4}\n")
	w = follow(t, path, w.positions[0])
	defer w.stop()
	w.expect(`{"a":2}`, `{"a":3}`, `{"a":4}`)
	w.expectTroubles()
}

func TestAFileThatIsNotTheOneThatWasReadIsAGap(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func(t *testing.T, path string)
		position string
		want     []string
	}{
		{"replaced", func(t *testing.T, path string) {
			write(t, path+".new", "{\"b\":1}\n{\"b\":2}\n{\"b\":3}\n")
			rename(t, path+".new", path)
		}, "", []string{`{"b":1}`, `{"b":2}`, `{"b":3}`}},
		{"cut off", func(t *testing.T, path string) { write(t, path, "{}\n") }, "", []string{`{}`}},
		{"written anew in the same place", func(t *testing.T, path string) { write(t, path, "{\"b\":1}\n{\"b\":2}\n{\"b\":3}\n") }, "", []string{`{"b":1}`, `{"b":2}`, `{"b":3}`}},
		{"a position that is none", func(*testing.T, string) {}, "{", []string{`{"a":1}`, `{"a":2}`}},
		{"one of another version", func(*testing.T, string) {}, `{"v":9}`, []string{`{"a":1}`, `{"a":2}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			write(t, path, "{\"a\":1}\n{\"a\":2}\n")
			w := follow(t, path, "")
			w.stop()
			tt.change(t, path)
			position := tt.position
			if position == "" {
				position = w.positions[1]
			}
			w = follow(t, path, position)
			defer w.stop()
			w.expect(tt.want...)
			w.expectTroubles("gap false")
		})
	}
}

func TestNothingIsLostWheneverReadingIsStopped(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "")
	var want []string
	got, position := map[string]bool{}, ""
	for i := range 200 {
		entry := fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", random.IntN(100)))
		want = append(want, entry)
		add(t, path, entry+"\n")
		if random.IntN(4) > 0 {
			continue
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopAfter := random.IntN(10)
		s := must(t, Options{Path: path})
		err := s.Run(ctx, position, func(ctx context.Context, m auditlog.Message) error {
			if stopAfter == 0 {
				cancel()
				return ctx.Err()
			}
			stopAfter--
			got[string(m.Data)], position = true, m.Position
			return nil
		}, nil)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := must(t, Options{Path: path})
	if err := s.Run(t.Context(), position, func(_ context.Context, m auditlog.Message) error {
		if got[string(m.Data)] {
			t.Errorf("twice: %s", m.Data)
		}
		got[string(m.Data)] = true
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	for _, entry := range want {
		if !got[entry] {
			t.Errorf("lost: %s", entry)
		}
	}
}

func FuzzSplitter(f *testing.F) {
	for _, seed := range []string{"[{\"a\":1},\n{\"b\":\"\\\"}\"}]", "{\"a\":{\n{\"b\":1}", "x\n{}", "\ufeff{}"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = max(1, size&0xff)
		read := func(size int) (values []string, ends []int64) {
			var split splitter
			add := func(v value) error {
				if len(v.data) == 0 || len(v.data) > maxValue {
					t.Fatalf("%d bytes", len(v.data))
				}
				values, ends = append(values, string(v.data)), append(ends, v.end)
				return nil
			}
			for rest := data; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if err := split.write(rest[:min(size, len(rest))], add); err != nil {
					t.Fatal(err)
				}
			}
			if err := split.end(add); err != nil {
				t.Fatal(err)
			}
			if split.offset != int64(len(data)) {
				t.Fatalf("offset %d of %d", split.offset, len(data))
			}
			return values, ends
		}
		values, ends := read(len(data) + 1)
		again, _ := read(size)
		if diff := cmp.Diff(values, again); diff != "" {
			t.Errorf("it makes a difference how it is read:\n%s", diff)
		}
		at := int64(0)
		for i, end := range ends {
			if end < at || end > int64(len(data)) {
				t.Fatalf("value %d ends at %d, the one before at %d", i, end, at)
			}
			if !bytes.Contains(data[at:end], []byte(values[i])) {
				t.Errorf("%q is not in %q", values[i], data[at:end])
			}
			at = end
		}
	})
}

func FuzzPosition(f *testing.F) {
	f.Add(position{Version: 1, Inode: 1, Offset: 3, Head: "00", HeadSize: 3}.encode())
	f.Add(`{"v":1,"offset":-1}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := decodePosition(text)
		if err != nil || p == (position{}) {
			return
		}
		again, err := decodePosition(p.encode())
		if err != nil && len(p.encode()) <= maxPosition {
			t.Fatal(err)
		}
		if err == nil && again != p {
			t.Errorf("%+v became %+v", p, again)
		}
	})
}

func run(t *testing.T, o Options, each func(auditlog.Message)) error {
	t.Helper()
	return must(t, o).Run(t.Context(), "", func(_ context.Context, m auditlog.Message) error {
		each(m)
		return nil
	}, func(tr alert.Trouble) { t.Errorf("trouble: %+v", tr) })
}

func must(t *testing.T, o Options) *Source {
	t.Helper()
	o.Now = func() time.Time { return time.Unix(1, 0) }
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
