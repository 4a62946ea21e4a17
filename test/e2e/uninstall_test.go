package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// itself is a configuration of a server that guards its own Deployment, and the
// Deployment: there is no kubelet, so the server runs beside it.
const itself = "production:\n  names: [mollyguard]\n"

func (w *world) deployItself(t *testing.T) {
	t.Helper()
	w.apply(t, `
apiVersion: v1
kind: Namespace
metadata: {name: mollyguard}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: mollyguard, namespace: mollyguard}
spec:
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/component: webhook}}
  template:
    metadata: {labels: {app.kubernetes.io/component: webhook}}
    spec: {containers: [{name: mollyguard, image: example.com/mollyguard}]}
`)
	w.waitForPods(t, "mollyguard", "", 1)
}

// asKubelet stops the server when its Deployment is scaled to zero. The returned
// function waits until it has.
func (w *world) asKubelet(t *testing.T) (stopped func()) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		for {
			deployment, err := w.clients.AppsV1().Deployments("mollyguard").Get(ctx, "mollyguard", metav1.GetOptions{})
			if err == nil && *deployment.Spec.Replicas == 0 {
				done <- w.server.Stop()
				return
			}
			select {
			case <-ctx.Done():
				done <- fmt.Errorf("the Deployment was not scaled to zero: %w", ctx.Err())
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() {
		t.Helper()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// shell runs commands as a reader of the documentation would, as administrator.
func (w *world) shell(t *testing.T, commands string) string {
	t.Helper()
	assets, err := cluster.Assets("")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(w.opts.Binary, filepath.Join(folder, "kubectl-mollyguard")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-ec", commands)
	cmd.Env = []string{
		"PATH=" + strings.Join([]string{folder, assets, os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"HOME=" + t.TempDir(), "KUBECONFIG=" + w.opts.Kubeconfig, "KUBERC=off",
	}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, output)
	}
	return string(output)
}

// codeIn returns the code blocks below a heading.
func codeIn(t *testing.T, path, heading string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", path, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var blocks []string
	for {
		_, rest, found := strings.Cut(text, "```sh\n")
		if !found {
			return blocks
		}
		block, rest, _ := strings.Cut(rest, "```")
		blocks, text = append(blocks, block), rest
	}
}

// unguarded waits until production can be deleted. An API server needs a moment to
// notice that a hook is gone.
func (w *world) unguarded(t *testing.T) {
	t.Helper()
	w.eventually(t, "nothing to be refused", func() error {
		result, err := w.Kubectl(t.Context(), w.admin, "-n", "default", "delete", "configmap", "canary", "--dry-run=server")
		if err == nil && result.ExitCode != 0 {
			err = fmt.Errorf("kubectl says %s", result.Stderr)
		}
		return err
	})
}

const emergencyExit = "../../docs/emergency-exit.md"

func TestTheEmergencyExitIsOpenWhileAServerGuardsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, itself)
	w.deployItself(t)
	for _, name := range []string{"## With the program", "## Without it"} {
		t.Run(name, func(t *testing.T) {
			w.eventually(t, "the server to refuse to be scaled to zero", func() error {
				result, err := w.Kubectl(t.Context(), w.admin, "-n", "mollyguard", "scale", "deployment", "mollyguard", "--replicas=0", "--dry-run=server")
				if err == nil && !strings.Contains(result.Stderr, "denied the request") {
					err = fmt.Errorf("kubectl says %s%s", result.Stdout, result.Stderr)
				}
				return err
			})
			stopped := w.asKubelet(t)
			for _, block := range codeIn(t, emergencyExit, name) {
				output := w.shell(t, block)
				if strings.Contains(block, "until ") { // the server does not wait for a pod that nobody runs
					stopped()
				}
				t.Logf("%s", output)
			}
			if name == "## With the program" {
				stopped()
			}
			w.unguarded(t)

			// It comes back as the page says, with the server.
			blocks := codeIn(t, emergencyExit, "## How it heals")
			if len(blocks) != 1 || !strings.Contains(blocks[0], "scale deployment mollyguard --replicas=3") {
				t.Fatalf("how it heals: %q", blocks)
			}
			w.shell(t, strings.Split(blocks[0], "\n")[0])
			w.start(t)
		})
	}
}

func TestTheEmergencyExitIsOpenWhileNobodyAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.server.Kill()
	w.eventually(t, "production to be refused for want of an answer", func() error {
		result, err := w.Kubectl(t.Context(), w.admin, "-n", "default", "delete", "configmap", "canary", "--dry-run=server")
		if err == nil && result.ExitCode == 0 {
			err = fmt.Errorf("kubectl says %s", result.Stdout)
		}
		return err
	})
	blocks := codeIn(t, emergencyExit, "## Without it")
	w.shell(t, blocks[len(blocks)-1])
	w.unguarded(t)
}
