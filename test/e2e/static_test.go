package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// staticWorld is a cluster whose API server has the files of webhook-config --static,
// and no server of ours.
type staticWorld struct {
	*world
	dir string
	// root may do everything, and is not the administrator by name.
	root *rest.Config
}

// staticOptions has an API server load what is in dir.
func staticOptions(dir string) func(*cluster.Options) {
	return func(o *cluster.Options) {
		o.FeatureGates = map[string]bool{"ManifestBasedAdmissionControlConfig": true}
		o.APIServerArgs = map[string]string{"admission-control-config-file": filepath.Join(dir, "admission.yaml")}
	}
}

func writeStatic(t *testing.T, dir, config string, args ...string) {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	path := writeText(t, t.TempDir(), "mollyguard.yaml", "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\n"+config)
	write := exec.CommandContext(t.Context(), binary, append([]string{"webhook-config", "--config", path, "--static", dir, "--static-path", dir}, args...)...)
	if output, err := write.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
}

func newStaticWorld(t *testing.T, config string, args ...string) *staticWorld {
	t.Helper()
	dir := t.TempDir()
	writeStatic(t, dir, config, args...)
	w := &staticWorld{world: prepareWorld(t, staticOptions(dir)), dir: dir}
	var err error
	if w.root, err = w.User("root@example.com", "system:masters"); err != nil {
		t.Fatal(err)
	}
	// An API server that is ready may still have to compile what it loaded.
	w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: canary, namespace: default, labels: {env: production}}\n")
	w.becomesRefused(t, w.root, staticRefusal, "-n", "default", "label", "configmap", "canary", "env-") // hooks are asked about deletions first
	return w
}

// becomesRefused waits until something is refused, which is tried as a dry run.
func (w *staticWorld) becomesRefused(t *testing.T, user *rest.Config, want string, args ...string) {
	t.Helper()
	becomes(t, strings.Join(args, " ")+" to be refused", func() error {
		if got := w.by(t, user, append(args, "--dry-run=server")...); got.ExitCode == 0 || !strings.Contains(got.Stderr, want) {
			return fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
}

func (w *staticWorld) by(t *testing.T, user *rest.Config, args ...string) cluster.KubectlResult {
	t.Helper()
	result, err := w.Kubectl(t.Context(), user, args...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (w *staticWorld) refused(t *testing.T, user *rest.Config, want string, args ...string) {
	t.Helper()
	if got := w.by(t, user, args...); got.ExitCode == 0 || !strings.Contains(got.Stderr, want) {
		t.Errorf("kubectl %s: %s%s, want %q", strings.Join(args, " "), got.Stdout, got.Stderr, want)
	}
}

func (w *staticWorld) done(t *testing.T, user *rest.Config, args ...string) {
	t.Helper()
	if got := w.by(t, user, args...); got.ExitCode != 0 {
		t.Errorf("kubectl %s: %s", strings.Join(args, " "), got.Stderr)
	}
}

// becomes polls until fn has no error. A minute is how often an API server looks at its
// files if nothing tells it.
func becomes(t *testing.T, what string, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

const staticRefusal = "ValidatingAdmissionPolicy 'mollyguard-floor.static.k8s.io' with binding 'mollyguard-floor.static.k8s.io' denied request: "

func TestTheStaticFloorNeedsNothingInTheCluster(t *testing.T) {
	t.Parallel()
	w := newStaticWorld(t, "")
	w.shop(t, "shop", "")
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: live, labels: {env: production}}\n---\n"+
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: sandbox}\n---\n"+
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: mollyguard}\n---\n"+
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: mollyguard}\n")

	t.Run("there is nothing of ours", func(t *testing.T) { testNothingOfOurs(t, w) })
	t.Run("refused all the same", func(t *testing.T) { testStaticRefuses(t, w) })
	t.Run("let through", func(t *testing.T) { testStaticLetsThrough(t, w) })
	t.Run("nobody takes it away by the API", func(t *testing.T) { testStaticIsOutOfReach(t, w) })
	t.Run("the emergency exit is open, and changes nothing", func(t *testing.T) { testExitOpen(t, w) })
	t.Run("a changed file is loaded", func(t *testing.T) { testStaticReloads(t, w) })
	t.Run("a broken file changes nothing", func(t *testing.T) { testStaticBroken(t, w) })
	t.Run("without the files nothing is refused", func(t *testing.T) { testStaticTakenAway(t, w) })
}

func testNothingOfOurs(t *testing.T, w *staticWorld) {
	admission := w.clients.AdmissionregistrationV1()
	policies, err1 := admission.ValidatingAdmissionPolicies().List(t.Context(), metav1.ListOptions{})
	bindings, err2 := admission.ValidatingAdmissionPolicyBindings().List(t.Context(), metav1.ListOptions{})
	validating, err3 := admission.ValidatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
	mutating, err4 := admission.MutatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(policies.Items) + len(bindings.Items) + len(validating.Items) + len(mutating.Items); n > 0 {
		t.Errorf("%d objects are there", n)
	}
}

func testStaticRefuses(t *testing.T, w *staticWorld) {
	const web = staticRefusal + "Deployment shop/web is production (label env=production)"
	w.refused(t, w.alice, web+": delete refused. A file of this API server refuses it to all but the group mollyguard:static-floor, whatever was granted", "-n", "shop", "delete", "deployment", "web")
	w.refused(t, w.root, web+": delete refused", "-n", "shop", "delete", "deployment", "--selector=env=production")
	w.refused(t, w.alice, web+", and would have no label any more that says so: unprotect refused", "-n", "shop", "label", "deployment", "web", "env-")
	w.refused(t, w.root, staticRefusal+"Namespace live is production (label env=production): delete refused", "delete", "namespace", "live")
	w.refused(t, w.root, staticRefusal+"Namespace live is production (label env=production), and would", "label", "namespace", "live", "env=dev", "--overwrite")
	w.refused(t, w.root, staticRefusal+"Namespace mollyguard is part of mollyguard", "delete", "namespace", "mollyguard")
	w.refused(t, w.root, staticRefusal+"ConfigMap mollyguard/settings is part of mollyguard", "-n", "mollyguard", "delete", "configmap", "settings")
}

func testStaticLetsThrough(t *testing.T, w *staticWorld) {
	w.done(t, w.alice, "-n", "shop", "delete", "deployment", "web-dev")
	w.done(t, w.alice, "-n", "shop", "label", "deployment", "web", "team=shop")
	w.done(t, w.alice, "-n", "shop", "rollout", "restart", "deployment", "web")
	w.done(t, w.alice, "delete", "namespace", "sandbox", "--timeout=45s")
	// Whoever may impersonate the group may do so for one command. The garbage
	// collector takes what went along, labels or not.
	w.done(t, w.root, "-n", "shop", "delete", "deployment", "web", "--as", alice, "--as-group", "mollyguard:static-floor")
	becomes(t, "the garbage collector to take the pods", func() error {
		got := w.by(t, w.admin, "-n", "shop", "get", "pods,replicasets", "-o", "name")
		if got.ExitCode != 0 || got.Stdout != "" {
			return fmt.Errorf("there are %s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
}

func testStaticIsOutOfReach(t *testing.T, w *staticWorld) {
	const name = "mollyguard-floor.static.k8s.io"
	for _, kind := range []string{"validatingadmissionpolicy", "validatingadmissionpolicybinding"} {
		w.refused(t, w.root, "not found", "delete", kind, name)
	}
	policy := "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: " + name + "}\nspec: {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}, validations: [{expression: 'true'}]}\n"
	w.refused(t, w.root, "reserved for static manifest-based configurations", "create", "-f", writeText(t, t.TempDir(), "policy.yaml", policy))
}

// testExitOpen has hooks that nobody answers, and the Floor, and deletes them all.
func testExitOpen(t *testing.T, w *staticWorld) {
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := exec.CommandContext(t.Context(), binary, "webhook-config").Output()
	if err != nil {
		t.Fatal(err)
	}
	crds, err := filepath.Abs("../../deploy/base/crds")
	if err != nil {
		t.Fatal(err)
	}
	w.done(t, w.admin, "apply", "-f", crds)
	w.served(t)
	w.apply(t, "apiVersion: mollyguard.dev/v1alpha1\nkind: Floor\nmetadata: {name: mollyguard}\nspec: {complete: true}\n")
	w.refused(t, w.root, "is part of mollyguard", "delete", "crd", "floors.mollyguard.dev")
	w.apply(t, string(hooks))
	w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ledger, namespace: shop, labels: {env: production}}\n")

	kubeconfig, err := w.Kubeconfig(w.root)
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), binary, "uninstall", "--yes", "--kubeconfig", kubeconfig).CombinedOutput()
	if err != nil || !strings.Contains(string(output), "deleted validatingwebhookconfiguration/mollyguard\n") || !strings.Contains(string(output), "deleted floor/mollyguard\n") {
		t.Errorf("uninstall: %v\n%s", err, output)
	}
	becomes(t, "the API server to ask nobody any more", func() error {
		if got := w.by(t, w.root, "-n", "shop", "delete", "configmap", "ledger"); !strings.Contains(got.Stderr, staticRefusal+"ConfigMap shop/ledger is production") {
			return fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
}

func testStaticReloads(t *testing.T, w *staticWorld) {
	w.done(t, w.alice, "-n", "shop", "delete", "configmap", "scratch", "--dry-run=server")
	writeStatic(t, w.dir, "production: {names: [scratch]}\n")
	becomes(t, "the API server to load the file", func() error {
		if got := w.by(t, w.alice, "-n", "shop", "delete", "configmap", "scratch", "--dry-run=server"); !strings.Contains(got.Stderr, staticRefusal+"ConfigMap shop/scratch is production (name scratch is production by name)") {
			return fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
}

// failedReloads is how often the API server could not load what is in the files.
func (w *staticWorld) failedReloads(t *testing.T) (count float64) {
	t.Helper()
	for line := range strings.Lines(w.by(t, w.admin, "get", "--raw", "/metrics").Stdout) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.HasPrefix(series, "apiserver_manifest_admission_config_controller_automatic_reloads_total{") && strings.Contains(series, `status="failure"`) {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			count += number
		}
	}
	return count
}

func testStaticBroken(t *testing.T, w *staticWorld) {
	before := w.failedReloads(t)
	// Put there at once: a file that is empty for a moment may be loaded as that.
	broken := writeText(t, w.dir, "broken.yaml", "kind: none of this\n")
	if err := os.Rename(broken, filepath.Join(w.dir, "policies", "mollyguard.yaml")); err != nil {
		t.Fatal(err)
	}
	becomes(t, "the API server to count that it could not load the file", func() error {
		if after := w.failedReloads(t); after <= before {
			return fmt.Errorf("it counts %v, as before", after)
		}
		return nil
	})
	w.refused(t, w.alice, staticRefusal+"ConfigMap shop/scratch is production", "-n", "shop", "delete", "configmap", "scratch")

	t.Run("but an API server does not start with it", func(t *testing.T) {
		opts := cluster.Options{}
		staticOptions(w.dir)(&opts)
		c, err := cluster.Start(t.Context(), opts)
		if err == nil {
			err = c.Stop()
			t.Fatalf("it has started (%v)", err)
		}
		if want := "failed to load static policy manifests"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	})
}

func testStaticTakenAway(t *testing.T, w *staticWorld) {
	if err := os.Remove(filepath.Join(w.dir, "policies", "mollyguard.yaml")); err != nil {
		t.Fatal(err)
	}
	becomes(t, "the API server to let it go", func() error {
		if got := w.by(t, w.alice, "-n", "shop", "delete", "configmap", "scratch"); got.ExitCode != 0 {
			return fmt.Errorf("kubectl says %s", got.Stderr)
		}
		return nil
	})
}

// hooksByURL is a server that nobody keeps hooks of in the API, and that is not there.
const hooksByURL = "kubernetes: {webhook: {url: 'https://127.0.0.1:1', manage: false}}\n"

func TestAStaticFloorMayCloseTheEmergencyExit(t *testing.T) {
	t.Parallel()
	const self = "system:serviceaccount:mollyguard:mollyguard"
	w := newStaticWorld(t, hooksByURL, "--close-exit", "--server-user", self)
	const hook = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: NAME}\nwebhooks: []\n"
	mine, others := strings.Replace(hook, "NAME", "mollyguard", 1), strings.Replace(hook, "NAME", "others", 1)
	w.apply(t, mine)
	w.apply(t, others)

	const refusal = "ValidatingAdmissionPolicy 'mollyguard-exit.static.k8s.io' with binding 'mollyguard-exit.static.k8s.io' denied request: ValidatingWebhookConfiguration mollyguard is part of mollyguard, which guards production with it: "
	w.becomesRefused(t, w.root, refusal, "delete", "validatingwebhookconfiguration", "mollyguard")
	weaken := `{"webhooks":[{"name":"a.example.com","admissionReviewVersions":["v1"],"sideEffects":"None","failurePolicy":"Ignore","clientConfig":{"url":"https://127.0.0.1:1"}}]}`
	w.refused(t, w.root, refusal+"delete refused", "delete", "validatingwebhookconfiguration", "mollyguard")
	w.refused(t, w.root, refusal+"change refused", "patch", "validatingwebhookconfiguration", "mollyguard", "--type=merge", "-p", weaken)
	w.apply(t, mine)
	w.done(t, w.root, "annotate", "validatingwebhookconfiguration", "mollyguard", "note=mine")
	w.done(t, w.root, "delete", "validatingwebhookconfiguration", "others")
	for _, as := range [][]string{
		{"--as", self, "--as-group", "system:masters"},
		{"--as", "root@example.com", "--as-group", "system:masters", "--as-group", "mollyguard:static-floor"},
	} {
		w.done(t, w.root, append([]string{"delete", "validatingwebhookconfiguration", "mollyguard"}, as...)...)
		w.apply(t, mine)
	}

	t.Run("hooks from a file are asked, and nobody removes them by the API", func(t *testing.T) {
		w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ledger, namespace: default, labels: {env: production}}\n")
		w.becomesRefused(t, w.root, `failed calling webhook "object.delete.mollyguard.dev"`, "-n", "default", "delete", "configmap", "ledger")
		w.refused(t, w.root, `failed calling webhook "object.delete.mollyguard.dev"`, "-n", "default", "delete", "configmap", "ledger")
		w.refused(t, w.root, "not found", "delete", "mutatingwebhookconfiguration", "mollyguard.static.k8s.io")
	})
}
