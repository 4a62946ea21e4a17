package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

const bob = "bob@example.com"

// breakGlassWorld is a world where Alice may ask for grants, and Bob approve.
type breakGlassWorld struct {
	*world
	bob *rest.Config
	// plugin is the binary by the name that makes it a kubectl plugin.
	plugin string
}

// newBreakGlassWorld has an installed control plane for itself as long as the test runs.
func newBreakGlassWorld(t *testing.T, edits ...func(*server.Options)) *breakGlassWorld {
	t.Helper()
	return newBreakGlassWorldIn(t, shareWorld(t, &installed), edits...)
}

// newBreakGlassWorldIn starts the server of a world where our definitions are installed.
func newBreakGlassWorldIn(t *testing.T, in *world, edits ...func(*server.Options)) *breakGlassWorld {
	t.Helper()
	w := &breakGlassWorld{world: in}
	var err error
	if w.bob, err = w.User(bob, "sre"); err != nil {
		t.Fatal(err)
	}
	for user, role := range map[string]string{alice: "mollyguard-requester", bob: "mollyguard-approver"} {
		if err := w.Grant(t.Context(), user, role); err != nil {
			t.Fatal(err)
		}
	}
	w.plugin = filepath.Join(t.TempDir(), "kubectl-mollyguard")
	if err := os.Symlink(w.opts.Binary, w.plugin); err != nil {
		t.Fatal(err)
	}
	w.opts.Config = "api: {address: 127.0.0.1:0}\nbreakGlass:\n  keys: {file: " + filepath.Join(w.opts.Dir, "keys.json") + "}\n"
	for _, edit := range edits {
		edit(&w.opts)
	}
	w.start(t)
	t.Cleanup(func() { w.server.Kill() })
	return w
}

// kubectlAdmin runs kubectl as the administrator, and expects it to succeed.
func (w *world) kubectlAdmin(t *testing.T, args ...string) string {
	t.Helper()
	result, err := w.Kubectl(t.Context(), w.admin, args...)
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), result.Stderr)
	}
	return result.Stdout
}

// as runs kubectl as somebody.
func (w *world) as(t *testing.T, user *rest.Config, args ...string) cluster.KubectlResult {
	t.Helper()
	result, err := w.Kubectl(t.Context(), user, args...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// mollyguard runs the plugin as somebody.
func (w *breakGlassWorld) mollyguard(t *testing.T, user *rest.Config, args ...string) cluster.KubectlResult {
	t.Helper()
	kubeconfig, err := w.Kubeconfig(user)
	if err != nil {
		t.Fatal(err)
	}
	return run(t.Context(), t, w.plugin, append(args, "--kubeconfig", kubeconfig)...)
}

func run(ctx context.Context, t *testing.T, binary string, args ...string) cluster.KubectlResult {
	t.Helper()
	command := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cluster.KubectlResult{Stdout: stdout.String(), Stderr: stderr.String(), ExitCode: command.ProcessState.ExitCode()}
}

// request asks for a grant as Alice and returns the handle.
func (w *breakGlassWorld) request(t *testing.T, args ...string) string {
	t.Helper()
	result := w.mollyguard(t, w.alice, append([]string{"request", "--reason", "shop moved away", "-o", "json"}, args...)...)
	if result.ExitCode != 0 {
		t.Fatalf("request: %s", result.Stderr)
	}
	return handleIn(t, result.Stdout)
}

// handleIn reads the handle of a case that was printed as JSON.
func handleIn(t *testing.T, text string) string {
	t.Helper()
	var view struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(text), &view); err != nil || view.ID == "" {
		t.Fatalf("%v in %s", err, text)
	}
	return view.ID
}

// approve approves as Bob.
func (w *breakGlassWorld) approve(t *testing.T, handle string) {
	t.Helper()
	if result := w.mollyguard(t, w.bob, "approve", handle); result.ExitCode != 0 {
		t.Fatalf("approve: %s", result.Stderr)
	}
}

// writeFile writes a manifest without what the API server added to it.
func writeFile(t *testing.T, dir, manifest string) string {
	t.Helper()
	var kept []string
	for line := range strings.Lines(manifest) {
		field := strings.TrimSpace(line)
		if !strings.HasPrefix(field, "uid:") && !strings.HasPrefix(field, "resourceVersion:") && !strings.HasPrefix(field, "creationTimestamp:") {
			kept = append(kept, line)
		}
	}
	return writeText(t, dir, "manifest.yaml", strings.Join(kept, ""))
}

func writeText(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
