package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestATerminalThatGoesAwayEndsWhatIsAsked(t *testing.T) {
	if len(hangup()) == 0 {
		t.Skip("nothing ends with its terminal here (nohup)")
	}
	ctx, stop := untilHangup(t.Context())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if diff := cmp.Diff("hangup signal received", context.Cause(ctx).Error()); diff != "" {
		t.Errorf("cause (-want +got):\n%s", diff)
	}
}

func TestInputThatNeverComesCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	in, never := io.Pipe()
	err := copyInput(ctx, filepath.Join(t.TempDir(), "x"), in, 1)
	if want := "read standard input: interrupt signal received"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := never.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAPrivateFileTakesThePlaceOfALinkAndIsForItsOwner(t *testing.T) {
	folder := t.TempDir()
	target, path := filepath.Join(folder, "target"), filepath.Join(folder, "link")
	writeFiles(t, folder, map[string]string{"target": "kept"})
	if err := os.Symlink("target", path); err != nil {
		t.Fatal(err)
	}
	err := writePrivate(path, func(to io.Writer) error {
		_, err := io.WriteString(to, "secret")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(os.FileMode(0o600).String(), info.Mode().String()); diff != "" {
		t.Errorf("mode (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"kept", "secret"}, []string{readIfThere(t, target), readIfThere(t, path)}); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	broken := errors.New("broken")
	if err := writePrivate(path, func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"link", "target"}, entries(t, folder)); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}
