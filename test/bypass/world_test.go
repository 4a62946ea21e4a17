package bypass

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

// world is a cluster with everything of ours in it, and Mallory, who may do all that
// RBAC can give.
type world struct {
	*cluster.Cluster
	mallory *rest.Config
	dynamic dynamic.Interface
	mapper  meta.RESTMapper
	server  *server.Server
	opts    server.Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Cluster: cluster.ForTest(t, cluster.Options{FeatureGates: map[string]bool{"HPAScaleToZero": true}})}
	var err error
	if w.mallory, err = w.User("mallory@example.com", "dev"); err != nil {
		t.Fatal(err)
	}
	if err := w.Grant(t.Context(), "mallory@example.com", "cluster-admin"); err != nil {
		t.Fatal(err)
	}
	if w.dynamic, err = dynamic.NewForConfig(w.Admin()); err != nil {
		t.Fatal(err)
	}
	httpClient, err := rest.HTTPClientFor(w.Admin())
	if err != nil {
		t.Fatal(err)
	}
	if w.mapper, err = apiutil.NewDynamicRESTMapper(w.Admin(), httpClient); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	binary, err := server.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := w.Kubeconfig(w.Admin())
	if err != nil {
		t.Fatal(err)
	}
	w.opts = server.Options{Binary: binary, Kubeconfig: kubeconfig, Dir: dir, Config: "api: {address: \"127.0.0.1:0\"}\n"}
	definitions, err := filepath.Glob("../../deploy/base/crds/*.yaml")
	if err != nil || len(definitions) == 0 {
		t.Fatalf("the CRDs of deploy/base: %v, %d of them", err, len(definitions))
	}
	for _, file := range definitions {
		if file, err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
		w.admin(t, "apply", "--server-side", "-f", file)
	}
	// A server that finds no kind Floor lays none.
	if err := w.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.admin(t, "create", "namespace", "mollyguard")
	w.admin(t, "-n", "mollyguard", "create", "secret", "generic", "mollyguard-break-glass")
	return w
}

// admin runs kubectl as the administrator.
func (w *world) admin(t *testing.T, args ...string) string {
	t.Helper()
	result, err := w.Kubectl(t.Context(), w.Admin(), args...)
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), result.Stderr)
	}
	return result.Stdout
}

// start runs a server, by way of which it sees the cluster; empty is directly.
func (w *world) start(t *testing.T, kubeconfig string) {
	t.Helper()
	opts := w.opts
	if kubeconfig != "" {
		opts.Kubeconfig, opts.ReadyBut = kubeconfig, "index"
	}
	started, err := server.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	w.server = started
}

// whole waits until all that guards is in place again, as far as the API server shows:
// a production object is refused by the webhook in a dry run, and the floor is there.
func (w *world) whole(t *testing.T) {
	t.Helper()
	w.eventually(t, "everything to be in place again", func() error {
		for _, name := range []string{
			"mutatingwebhookconfiguration/mollyguard", "validatingwebhookconfiguration/mollyguard", "floor/mollyguard",
			"validatingadmissionpolicybinding/mollyguard-floor", "validatingadmissionpolicy/mollyguard-floor",
			"validatingadmissionpolicybinding/mollyguard-floor-parents", "validatingadmissionpolicy/mollyguard-floor-parents",
		} {
			if result, err := w.Kubectl(t.Context(), w.Admin(), "get", name); err != nil || result.ExitCode != 0 {
				return fmt.Errorf("%s: %v %s", name, err, result.Stderr)
			}
		}
		result, err := w.Kubectl(t.Context(), w.mallory, "delete", "crd", "grants.mollyguard.dev", "--dry-run=server")
		if err == nil && !strings.Contains(result.Stderr, "admission webhook") {
			err = fmt.Errorf("kubectl says %s%s", result.Stdout, result.Stderr)
		}
		return err
	})
	if err := w.server.Guards(t.Context(), w.Admin()); err != nil {
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

// withoutList is the API server, but for one kind that is never listed to its end. It
// returns a kubeconfig for it.
func (w *world) withoutList(t *testing.T, path string) string {
	t.Helper()
	admin := w.Admin()
	target, err := url.Parse(admin.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(admin)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1,
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == path {
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
users: [{name: u, user: {}}]
`, front.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
