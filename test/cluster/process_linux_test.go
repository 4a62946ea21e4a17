package cluster

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNothingIsLeft(t *testing.T) {
	if _, err := Assets(""); err != nil {
		ForTest(t, Options{}) // skips or fails
	}
	t.Run("after a program ended by itself and the cluster was stopped", testFailureAndStop)
	t.Run("after a start that failed half-way", testFailedStart)
	t.Run("after the program that started the cluster was killed", testKilledParent)
}

func testFailureAndStop(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	c, err := Start(t.Context(), Options{
		FeatureGates: map[string]bool{"APIResponseCompression": false},
		AuditPolicy:  `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"None"}]}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if got := processesIn(t, dir); len(got) != 3 {
		t.Errorf("running: %q, want three programs", got)
	}
	if events, err := c.Audit(); len(events) != 0 || err != nil {
		t.Errorf("with a policy that logs nothing: %d events, %v", len(events), err)
	}
	if err := c.Err(); err != nil {
		t.Errorf("before anything failed: %v", err)
	}

	if err := c.processes[2].kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Failed():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody noticed that the controller manager ended")
	}
	if err := c.Err(); err == nil || !strings.HasPrefix(err.Error(), "kube-controller-manager ended: signal: killed\nthe end of kube-controller-manager.log:\n") {
		t.Errorf("the controller manager was killed, Err says %v", err)
	}

	for range 2 { // the second does nothing
		if err := c.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	wantNothingIn(t, dir)
}

func testFailedStart(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for name, test := range map[string]struct {
		opts Options
		want string
	}{
		"the API server refuses a flag": {
			Options{APIServerArgs: map[string]string{"no-such-flag": "1"}},
			"kube-apiserver ended: exit status 1",
		},
		"the controller manager refuses a flag": {
			Options{ControllerManagerArgs: map[string]string{"no-such-flag": "1"}},
			"kube-controller-manager ended: exit status 1",
		},
	} {
		_, err := Start(t.Context(), test.opts)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
			t.Errorf("%s: got %v", name, err)
		}
		wantNothingIn(t, dir)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, Options{}); err == nil || !strings.Contains(err.Error(), "wait for the API server to be ready: context deadline exceeded") {
		t.Errorf("with little time: got %v", err)
	}
	wantNothingIn(t, dir)

	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{Dir: occupied}); err == nil {
		t.Error("in a directory that is not empty: got no error")
	}
	if _, err := os.Stat(filepath.Join(occupied, "mine")); err != nil {
		t.Errorf("the directory's file: %v", err)
	}
}

// childVariable makes TestKilledChild, which is no test, start a cluster and wait
// to be killed.
const childVariable = "MOLLYGUARD_TEST_CLUSTER_CHILD"

func testKilledParent(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	child.Env = append(os.Environ(), childVariable+"=1", "TMPDIR="+dir)
	child.Stderr = os.Stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "started\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	if got := processesIn(t, dir); len(got) != 3 {
		t.Errorf("running: %q, want three programs", got)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // says that it was killed

	deadline := time.After(10 * time.Second)
	for len(processesIn(t, dir)) > 0 {
		select {
		case <-deadline:
			t.Fatalf("still running: %q", processesIn(t, dir))
		case <-time.After(pollInterval):
		}
	}
}

func TestKilledChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("this is what another test runs to kill it")
	}
	if _, err := Start(t.Context(), Options{}); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("started\n")
	<-t.Context().Done()
}

// wantNothingIn fails the test if dir is not empty or a program runs in it.
func wantNothingIn(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); len(entries) > 0 || err != nil {
		t.Errorf("left in the temporary directory: %v, %v", entries, err)
	}
	if got := processesIn(t, dir); len(got) > 0 {
		t.Errorf("still running: %q", got)
	}
}

// processesIn returns the command lines of the processes that run in dir.
// A process that has ended has no working directory, also while it is a zombie.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, link := range links {
		if cwd, err := os.Readlink(link); err != nil || !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		if command, err := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline")); err == nil && len(command) > 0 {
			commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	slices.Sort(commands)
	return commands
}
