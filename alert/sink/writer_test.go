package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAlertsAreWritten(t *testing.T) {
	for _, format := range Format("").Values() {
		var b bytes.Buffer
		sink := must[*Writer](t)(NewWriter(WriterOptions{To: &b, Format: Format(format)}))
		for _, s := range samples() {
			if err := sink.Send(t.Context(), s.alert); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, "writer/"+format+".txt", b.String())
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); operation.Printable(line) != line {
				t.Errorf("%s: not printable: %q", format, line)
			}
		}
	}
}

func TestTheDefaultIsALineForEachAlert(t *testing.T) {
	var b bytes.Buffer
	sink := must[*Writer](t)(NewWriter(WriterOptions{To: &b}))
	for _, s := range samples() {
		if err := sink.Send(t.Context(), s.alert); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(b.String(), "\n"); got != len(samples()) {
		t.Errorf("%d lines", got)
	}
}

func TestJSONReadsBackAsTheAlert(t *testing.T) {
	var b bytes.Buffer
	sink := must[*Writer](t)(NewWriter(WriterOptions{To: &b, Format: FormatJSON}))
	want := hostile()
	want.Operations[0].Messages[0] = strings.ToValidUTF8(want.Operations[0].Messages[0], "\ufffd")
	want.Title += "\U000E0041"
	if err := sink.Send(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	var got alert.Alert
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestWhatIsNotWrittenIsAnError(t *testing.T) {
	closed, pipe := io.Pipe()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for want, to := range map[error]io.Writer{io.ErrShortWrite: shortWriter{}, io.ErrClosedPipe: pipe} {
		if err := must[*Writer](t)(NewWriter(WriterOptions{To: to})).Send(t.Context(), violation()); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if _, err := NewWriter(WriterOptions{}); err == nil {
		t.Error("no error without a writer")
	}
	if _, err := NewWriter(WriterOptions{To: io.Discard, Format: "xml"}); err == nil {
		t.Error("no error for a format that is none")
	}
}

// hanging is a pipe that nobody reads.
type hanging struct{ begun, release chan struct{} }

func (h hanging) Write(p []byte) (int, error) {
	close(h.begun)
	<-h.release
	return len(p), nil
}

func TestAPipeThatNobodyReadsIsNotWaitedFor(t *testing.T) {
	pipe := hanging{make(chan struct{}), make(chan struct{})}
	defer close(pipe.release)
	sink := must[*Writer](t)(NewWriter(WriterOptions{To: pipe}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-pipe.begun; cancel() }()
	if err := sink.Send(ctx, violation()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := sink.Send(t.Context(), violation()); !errors.Is(err, errLeash) {
		t.Errorf("a second write was begun: %v", err)
	}
}
