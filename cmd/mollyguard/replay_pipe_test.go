//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What a shell makes of <(…) is a file without places to go back to.
func TestAReplayReadsEntriesAndAssetsThatCommandsWrite(t *testing.T) {
	piped := func(name, from string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skipf("no FIFO can be made here: %v", err)
		}
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Error(err)
			}
		}()
		return path
	}
	got := runs(t, "audit", "replay", "--assets", piped("assets", "../../docs/examples/assets.json"),
		piped("entries", "../../policies/testdata/gcp/container/alert/delete-cluster.json"))
	if got.Code != exitDenied || got.Err != "" || !strings.Contains(got.Out, "  because   label env=production\n") ||
		!strings.Contains(got.Out, "\n1 entry, 1 judged: 1 operation would have been alerted, in 1 incident\n") {
		t.Errorf("%+v", got)
	}
}
