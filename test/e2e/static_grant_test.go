package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// newStaticBreakGlassWorld is a world of break glass whose API server has the static
// floor too. Alice is in its group; the server answers.
func newStaticBreakGlassWorld(t *testing.T) *breakGlassWorld {
	t.Helper()
	dir := t.TempDir()
	writeStatic(t, dir, "")
	w := &breakGlassWorld{world: prepareWorld(t, staticOptions(dir))}
	if err := install(t.Context(), w.Cluster); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.bob, err = w.User(bob, "sre"); err != nil {
		t.Fatal(err)
	}
	if w.alice, err = w.User(alice, "dev", "mollyguard:static-floor"); err != nil {
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
	w.start(t)
	t.Cleanup(func() { w.server.Kill() })
	return w
}

func TestWithAStaticFloorItTakesAGrantAndTheGroup(t *testing.T) {
	t.Parallel()
	w := newStaticBreakGlassWorld(t)
	w.shop(t, "shop", "")
	remove := []string{"-n", "shop", "delete", "configmap", "settings"}

	says(t, w.kubectl(t, append(remove, "--dry-run=server")...).Stderr, " decision ") // the server refuses who has the group and no grant

	grouped := w.alice
	var err error
	if w.alice, err = w.User(alice, "dev"); err != nil {
		t.Fatal(err)
	}
	w.approve(t, w.request(t, "delete", "-n", "shop", "configmap", "settings"))
	w.eventually(t, "the static floor to be all that refuses who has a grant and not the group", func() error {
		got, err := w.Kubectl(t.Context(), w.alice, remove...)
		if err == nil && !strings.Contains(got.Stderr, staticRefusal+"ConfigMap shop/settings is production") {
			err = fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
		}
		return err
	})

	w.alice = grouped
	w.approve(t, w.request(t, "delete", "-n", "shop", "configmap", "settings"))
	w.eventually(t, "who has both to delete it", func() error {
		var got cluster.KubectlResult
		if got, err = w.Kubectl(t.Context(), w.alice, remove...); err == nil && got.ExitCode != 0 {
			err = fmt.Errorf("kubectl says %s", got.Stderr)
		}
		return err
	})
}
