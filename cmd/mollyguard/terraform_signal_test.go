package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// slowApply is a Terraform whose apply says on standard output when it is there and each
// time that it is interrupted, and takes longer to end than it takes to tell whom a signal
// was for.
const slowApply = `#!/bin/sh
if [ "$1" != apply ]; then exec terraform "$@"; fi
interrupted=0
trap 'interrupted=$((interrupted + 1)); echo interrupted' INT TERM
echo applying
while [ $interrupted -eq 0 ]; do sleep 0.05; done
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
  if [ $interrupted -ge $ENDS_AFTER ]; then break; fi
  sleep 0.1
done
echo saved
exit 5
`

func TestAnInterruptedApplySavesItsState(t *testing.T) {
	needPrograms(t, "sh", "cat", "terraform", "mollyguard")
	for _, tt := range []struct {
		name  string
		group bool
		sent  []syscall.Signal
		want  string
	}{
		{"ctrl-c in a terminal", true, []syscall.Signal{syscall.SIGINT}, "interrupted\nsaved\n"},
		{"a job that is ended as a whole", true, []syscall.Signal{syscall.SIGTERM}, "interrupted\nsaved\n"},
		{"an interrupt for mollyguard alone", false, []syscall.Signal{syscall.SIGINT}, "interrupted\nsaved\n"},
		{"a system that ends it", false, []syscall.Signal{syscall.SIGTERM}, "interrupted\nsaved\n"},
		{"somebody who means it", false, []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, "interrupted\ninterrupted\nsaved\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			writeFiles(t, folder, map[string]string{"main.tf": "resource \"terraform_data\" \"x\" {}\n", "slow": slowApply})
			if err := os.Chmod(filepath.Join(folder, "slow"), 0o700); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("mollyguard", "terraform", "--terraform", "./slow", "apply", "-auto-approve", "-no-color")
			cmd.Dir = folder
			cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TMPDIR="+t.TempDir(), fmt.Sprint("ENDS_AFTER=", max(2, len(tt.sent))))
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			var talk bytes.Buffer
			cmd.Stderr = &talk
			said := &awaited{lines: make(chan string, 1000)}
			cmd.Stdout = said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			to := cmd.Process.Pid
			if tt.group {
				to = -to
			}
			before := "applying\n"
			for _, signal := range tt.sent {
				if !said.until(before) {
					_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
					t.Fatalf("Terraform did not say %q\n%s", before, &talk)
				}
				if err := syscall.Kill(to, signal); err != nil {
					t.Fatal(err)
				}
				before = "interrupted\n"
			}
			err := cmd.Wait()
			if code := exitCodeOf(t, err); code != 5 {
				t.Errorf("exit code %d, want Terraform's\n%s", code, &talk)
			}
			_, after, _ := strings.Cut(said.all.String(), "applying\n")
			if diff := cmp.Diff(tt.want, after); diff != "" {
				t.Errorf("what Terraform was told (-want +got):\n%s\n%s", diff, &talk)
			}
		})
	}
}

// awaited is a text of which lines can be waited for.
type awaited struct {
	all   bytes.Buffer
	lines chan string
}

func (a *awaited) Write(p []byte) (int, error) {
	a.all.Write(p)
	for line := range strings.Lines(string(p)) {
		a.lines <- line
	}
	return len(p), nil
}

// until is false if the line does not come.
func (a *awaited) until(line string) bool {
	enough := time.After(scriptTimeout)
	for {
		select {
		case got := <-a.lines:
			if got == line {
				return true
			}
		case <-enough:
			return false
		}
	}
}
