package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const freeze = `package mollyguard

violation contains {"policy": "own-freeze", "severity": "low", "message": message, "break_glass": "never"} if {
	input.verb == "delete"
	input.target.annotations["example.com/freeze"] == "true"
	message := sprintf("%s is frozen by its annotation", [input.target.name])
}
`

func TestOwnPoliciesAreHotReloaded(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "freeze.rego")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const canary = `{"name": "a frozen object", "expect": "deny", "operation": {"verb": "delete", "target": {"name": "x", "annotations": {"example.com/freeze": "true"}}}}`
	if err := os.WriteFile(filepath.Join(folder, "canary_freeze.json"), []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	write(freeze)
	w := newWorld(t, fmt.Sprintf("policies:\n  directories: [%s]\n  reloadInterval: 100ms\n", folder))
	w.apply(t, `
apiVersion: v1
kind: ConfigMap
metadata: {name: frozen, namespace: default, annotations: {example.com/freeze: "true"}}
`)
	remove := func() string {
		t.Helper()
		got := w.kubectl(t, "-n", "default", "delete", "configmap", "frozen", "--dry-run=server")
		return got.Stdout + got.Stderr
	}
	says := func(want string) {
		t.Helper()
		w.eventually(t, want, func() error {
			if got := remove(); !strings.Contains(got, want) {
				return fmt.Errorf("kubectl says %s", got)
			}
			return nil
		})
	}
	says("own-freeze (low): frozen is frozen by its annotation")

	write(strings.Replace(freeze, "is frozen by", "may not go, by", 1))
	says("own-freeze (low): frozen may not go, by its annotation")

	// A broken file changes nothing, and shows.
	write("package mollyguard\n\nviolation contains {")
	w.eventually(t, "the status to say that the policies were rejected", func() error {
		text, err := w.server.Readyz(t.Context())
		if err == nil && !strings.Contains(text, "freeze.rego:3") {
			err = fmt.Errorf("it says %s", text)
		}
		return err
	})
	if got := remove(); !strings.Contains(got, "frozen may not go, by its annotation") {
		t.Errorf("with a broken policy file kubectl says %s", got)
	}
	if value, err := w.server.Metric(t.Context(), "mollyguard_policy_last_reload_successful"); err != nil || value != 0 {
		t.Errorf("mollyguard_policy_last_reload_successful is %v, %v", value, err)
	}

	// A namespace that nobody protects fails open: what is only an own policy's
	// business must not stop a cluster whose guard is down.
	w.server.Kill()
	if got := remove(); !strings.Contains(got, "deleted") {
		t.Errorf("with the server killed kubectl says %s", got)
	}
}
