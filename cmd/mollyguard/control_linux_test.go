package main

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Tests that change the umask run alone: none of them, and none of those that it could
// disturb, is parallel.
func TestTheControlSocketIsItsOwnersOnlyFromTheBeginning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	defer syscall.Umask(syscall.Umask(0))
	listener, err := (&net.ListenConfig{Control: ownersOnly}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); mode != os.ModeSocket|0o600 {
		t.Errorf("before anybody sets it, the mode is %v", mode)
	}
}
