package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

const alice = "alice@example.com"

// world is a cluster, a server that guards it, and Alice, who runs production.
type world struct {
	*cluster.Cluster
	server *server.Server
	opts   server.Options
	admin  *rest.Config
	alice  *rest.Config
	// clients are the administrator's.
	clients kubernetes.Interface
}

// built is the binary, compiled once for all tests; TestMain removes it.
var (
	binaries string
	built    = sync.OnceValues(func() (string, error) { return server.Build(context.Background(), binaries) })
)

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "mollyguard-e2e-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := errors.Join(plain.Stop(), installed.Stop(), os.RemoveAll(binaries)); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// newWorld has a plain control plane for itself as long as the test runs.
func newWorld(t *testing.T, config string, args ...string) *world {
	t.Helper()
	w := shareWorld(t, &plain)
	w.opts.Config, w.opts.Args = config, args
	w.start(t)
	t.Cleanup(func() { w.server.Kill() })
	return w
}

// shareWorld is a world without a server on a control plane that others have had.
func shareWorld(t *testing.T, pool *cluster.Pool) *world {
	t.Helper()
	w := newWorldOn(t, pool.ForTest(t))
	t.Cleanup(func() { w.tidy(t) })
	return w
}

// prepareWorld is a world without a server on a control plane of its own.
func prepareWorld(t *testing.T, edits ...func(*cluster.Options)) *world {
	t.Helper()
	var opts cluster.Options
	for _, edit := range edits {
		edit(&opts)
	}
	return newWorldOn(t, cluster.ForTest(t, opts))
}

func newWorldOn(t *testing.T, c *cluster.Cluster) *world {
	t.Helper()
	w := &world{Cluster: c}
	w.admin = w.Admin()
	var err error
	if w.clients, err = kubernetes.NewForConfig(w.admin); err != nil {
		t.Fatal(err)
	}
	if w.alice, err = w.User(alice, "dev"); err != nil {
		t.Fatal(err)
	}
	if err := w.Grant(t.Context(), alice, cluster.OperatorRole); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := w.Kubeconfig(w.admin)
	if err != nil {
		t.Fatal(err)
	}
	// A late answer is a refusal, and beside other tests answers may be late.
	w.opts = server.Options{Binary: binary, Kubeconfig: kubeconfig, Dir: dir, TimeoutSeconds: 15}
	return w
}

func (w *world) start(t *testing.T) {
	t.Helper()
	var err error
	if w.server, err = server.Start(t.Context(), w.opts); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Guards(t.Context(), w.admin); err != nil {
		t.Fatal(err)
	}
}

// served waits until the API server serves what definitions define.
func (w *world) served(t *testing.T) {
	t.Helper()
	if err := w.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// eventually polls until fn has no error.
func (w *world) eventually(t *testing.T, what string, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v\n%s", what, err, w.server.Log())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// kubectl runs kubectl as Alice.
func (w *world) kubectl(t *testing.T, args ...string) cluster.KubectlResult {
	t.Helper()
	result, err := w.Kubectl(t.Context(), w.alice, args...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// apply applies a manifest as the administrator.
func (w *world) apply(t *testing.T, manifest string) {
	t.Helper()
	result, err := w.KubectlWith(t.Context(), cluster.KubectlOptions{Stdin: strings.NewReader(manifest)}, w.admin, "apply", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 0 {
		t.Fatalf("kubectl apply: %s", result.Stderr)
	}
}

// shop makes a namespace with a production Deployment "web", a dev Deployment
// "web-dev", and ConfigMaps of both kinds.
func (w *world) shop(t *testing.T, name, namespaceLabels string) {
	t.Helper()
	w.apply(t, strings.NewReplacer("NAME", name, "LABELS", namespaceLabels).Replace(`
apiVersion: v1
kind: Namespace
metadata: {name: NAME, labels: {LABELS}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAME, labels: {app: web, env: production}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, env: production}}
    spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-dev, namespace: NAME, labels: {app: web-dev, env: dev}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web-dev}}
  template:
    metadata: {labels: {app: web-dev}}
    spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAME, labels: {app: web, env: production}}
data: {a: "1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: scratch, namespace: NAME}
data: {a: "1"}
`))
}

// waitForPods waits until a namespace has so many live pods with a label, and
// returns their names.
func (w *world) waitForPods(t *testing.T, namespace, selector string, want int) []string {
	t.Helper()
	var names []string
	w.eventually(t, fmt.Sprintf("%d pods with %s in %s", want, selector, namespace), func() error {
		pods, err := w.clients.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
		names = nil
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp == nil {
				names = append(names, pod.Name)
			}
		}
		if want == 0 && len(names) > 0 || len(names) < want {
			return fmt.Errorf("there are %d", len(names))
		}
		return nil
	})
	return names
}
