package index

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/test/cluster"
)

const widgetDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// readerRole lets somebody read all but secrets.
const readerRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: index-reader}
rules:
- {apiGroups: [""], resources: [namespaces, pods, configmaps, services], verbs: [list, watch]}
- {apiGroups: [apiextensions.k8s.io, apiregistration.k8s.io, example.com, apps], resources: ["*"], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: index-secrets-reader}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [list, watch]}
`

const workload = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {env: production}}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop, labels: {app: web}}
stringData: {password: hunter2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: example.com/web, envFrom: [{secretRef: {name: db}}]}
`

// TestTheFeedFollowsACluster has the real API server and its controllers.
func TestTheFeedFollowsACluster(t *testing.T) {
	c := cluster.ForTest(t, cluster.Options{})
	apply := func(manifests string) {
		t.Helper()
		kubectl(t, c, strings.NewReader(manifests), "apply", "-f", "-")
	}
	t.Run("an administrator's index knows all", func(t *testing.T) { testWholeCluster(t, c) })
	apply(readerRole)
	reader, err := c.User("reader")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Grant(t.Context(), "reader", "index-reader"); err != nil {
		t.Fatal(err)
	}
	if err := c.Grant(t.Context(), "reader", "system:discovery"); err != nil {
		t.Fatal(err)
	}
	d, tap := newDiary(), &tap{}
	reader.Wrap(func(next http.RoundTripper) http.RoundTripper { tap.next = next; return tap })
	feed, err := NewFeed(FeedOptions{Config: reader, Sink: d})
	if err != nil {
		t.Fatal(err)
	}
	defer start(t, feed)()

	eventually(t, "the feed to know what it may read", func() error {
		return differ(map[string]Phase{"secrets": Forbidden, "pods": Synced, "namespaces": Synced, "deployments.apps": Synced, "": ""},
			map[string]Phase{"secrets": d.state("secrets").Phase, "pods": d.state("pods").Phase, "namespaces": d.state("namespaces").Phase, "deployments.apps": d.state("deployments.apps").Phase, "": d.state("events").Phase})
	})
	apply(workload)
	eventually(t, "the workload's pod", func() error { return d.podOf("web", "db") })
	shop, _ := d.object("namespaces", "/shop")
	if diff := cmp.Diff(map[string]string{"env": "production", "kubernetes.io/metadata.name": "shop"}, shop.Labels); diff != "" {
		t.Errorf("the namespace's labels (-want +got):\n%s", diff)
	}
	kubectl(t, c, nil, "label", "namespace", "shop", "env=dev", "--overwrite")
	eventually(t, "the label to change", func() error {
		shop, _ := d.object("namespaces", "/shop")
		return differ("dev", shop.Labels["env"])
	})

	if err := c.Grant(t.Context(), "reader", "index-secrets-reader"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the secret, once it may be read", func() error {
		secret, _ := d.object("secrets", "shop/db")
		secret.UID = ""
		return differ(Object{Resource: resource("secrets"), Kind: "Secret", Namespace: "shop", Name: "db", Labels: map[string]string{"app": "web"}}, secret)
	})
	eventually(t, "secrets to be synced", func() error { return differ(Synced, d.state("secrets").Phase) })
	if came := tap.read(); !strings.Contains(came, `"name":"db"`) || strings.Contains(came, "aHVudGVyMg") || strings.Contains(came, `"data":`) {
		t.Errorf("of secrets came: %s", came)
	}

	apply(widgetDefinition)
	if err := c.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply("{apiVersion: example.com/v1, kind: Widget, metadata: {name: w, namespace: shop}, spec: {size: 1}}")
	eventually(t, "the new kind's instance", func() error { return d.has("widgets.example.com", "shop/w") })
	kubectl(t, c, nil, "delete", "crd", "widgets.example.com")
	eventually(t, "the kind to be forgotten", func() error { return differ(State{}, d.state("widgets.example.com")) })
	if d.has("widgets.example.com", "shop/w") == nil {
		t.Error("the instance outlived its kind")
	}

	kubectl(t, c, nil, "-n", "shop", "delete", "deployment", "web")
	eventually(t, "the deployment to go", func() error {
		if d.has("deployments.apps", "shop/web") == nil {
			return fmt.Errorf("it is there")
		}
		return nil
	})
}

// testWholeCluster reads every kind there is into an index.
func testWholeCluster(t *testing.T, c *cluster.Cluster) {
	x := New(Options{})
	feed, err := NewFeed(FeedOptions{Config: c.Admin(), Sink: x})
	if err != nil {
		t.Fatal(err)
	}
	defer start(t, feed)()
	eventually(t, "the index to be read", x.Synced)
	got := x.Lost(Question{Resource: namespaces, Name: "kube-system"})
	if len(got.Unknown) > 0 || len(got.Dependents) == 0 {
		t.Errorf("kube-system: %+v", got)
	}
}

// tap keeps what comes of secrets.
type tap struct {
	next http.RoundTripper
	mu   sync.Mutex
	came strings.Builder
}

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err == nil && r.URL.Path == "/api/v1/secrets" {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(response.Body, t), response.Body}
	}
	return response, err
}

func (t *tap) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.came.Write(p)
}

func (t *tap) read() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.came.String()
}

// podOf reports why there is no pod of a Deployment that uses a secret.
func (d *diary) podOf(deployment, secret string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, o := range d.objects[pods] {
		if !strings.HasPrefix(name, "shop/"+deployment) || len(o.Owners) != 1 {
			continue
		}
		return differ(&Pod{ServiceAccount: "default", Secrets: []string{secret}, ConfigMaps: []string{"kube-root-ca.crt"}}, o.Facts)
	}
	return fmt.Errorf("there are %d pods", len(d.objects[pods]))
}

func (d *diary) has(kind, name string) error {
	if _, ok := d.object(kind, name); !ok {
		return fmt.Errorf("%s %s is not there: %+v", kind, name, d.state(kind))
	}
	return nil
}

func differ(want, got any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("(-want +got):\n%s", diff)
	}
	return nil
}

func kubectl(t *testing.T, c *cluster.Cluster, stdin *strings.Reader, args ...string) {
	t.Helper()
	opts := cluster.KubectlOptions{}
	if stdin != nil {
		opts.Stdin = stdin
	}
	result, err := c.KubectlWith(t.Context(), opts, c.Admin(), args...)
	if err != nil || result.ExitCode != 0 {
		t.Fatalf("kubectl %q: %v %s%s", args, err, result.Stdout, result.Stderr)
	}
}

// eventually polls until there is no error, for a minute and a half: a kind that is
// forbidden is tried again after pauses that grow.
func eventually(t *testing.T, what string, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v", what, err)
		case <-ticker.C:
		}
	}
}
