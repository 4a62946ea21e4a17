//go:build unix

package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
)

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no FIFO can be made here: %v", err)
	}
	return path
}

func TestWhatHasAPathAndNoPlacesIsReadToItsEnd(t *testing.T) {
	path := fifo(t)
	long := `{"a":"` + strings.Repeat("x", 3*readSize) + `"}`
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(path, []byte(long+"\n{\"b\":1}\n{\"c\":"), 0o600) }()
	var got []auditlog.Message
	err := run(t, Options{Path: path}, func(m auditlog.Message) { got = append(got, m) })
	var want []auditlog.Message
	for _, text := range []string{long, `{"b":1}`, `{"c":`} {
		want = append(want, auditlog.Message{Data: []byte(text), Received: time.Unix(1, 0)})
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

func TestWhoeverReadsAPipeThatNobodyWritesToCanBeStopped(t *testing.T) {
	path := fifo(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- must(t, Options{Path: path}).Run(ctx, "", func(context.Context, auditlog.Message) error { return nil }, func(alert.Trouble) {})
	}()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it still reads")
	}
	// Who was left behind waits for somebody who writes.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPipeThatMayNotBeReadIsAnError(t *testing.T) {
	path := fifo(t)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	err := run(t, Options{Path: path}, func(m auditlog.Message) { t.Errorf("read %q", m.Data) })
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

func TestABlankFileIsToldFromAnEmptyList(t *testing.T) {
	for text, want := range map[string]bool{"": true, " \r\n\t": true, "\ufeff\n": true, "[]": false, "[\n]\n": false, ",": false, `{"a":1}`: false, "x": false} {
		path := filepath.Join(t.TempDir(), "entries.json")
		write(t, path, text)
		for name, o := range map[string]Options{"file": {Path: path}, "stream": {Reader: strings.NewReader(text)}} {
			s := must(t, o)
			err := s.Run(t.Context(), "", func(context.Context, auditlog.Message) error { return nil }, func(alert.Trouble) {})
			if s.Blank() != want || err != nil {
				t.Errorf("%s %q: blank %t, %v", name, text, s.Blank(), err)
			}
		}
	}
}
