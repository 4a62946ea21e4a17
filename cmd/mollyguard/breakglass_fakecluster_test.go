package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/operation"
)

// fakeCluster speaks the Kubernetes API as far as these commands do: discovery,
// objects as JSON, and who somebody is.
type fakeCluster struct {
	*httptest.Server
	user authenticationv1.UserInfo
	// forbidden are the paths that the user may not read.
	forbidden []string
	// admit is the webhook: it returns why something is not created, or nil.
	admit func(o *unstructured.Unstructured) *metav1.Status

	lock    sync.Mutex
	objects map[string]*unstructured.Unstructured // by path
}

func startCluster(t *testing.T) *fakeCluster {
	t.Helper()
	f := &fakeCluster{
		objects: map[string]*unstructured.Unstructured{},
		user: authenticationv1.UserInfo{
			Username: alice().Name, UID: "u1", Groups: []string{"sre", "system:authenticated"},
			Extra: map[string]authenticationv1.ExtraValue{operation.KubernetesCredential: {"X509SHA256=ab"}},
		},
		admit: func(*unstructured.Unstructured) *metav1.Status { return nil },
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// put adds an object; its uid follows from its name.
func (f *fakeCluster) put(path, kind string, labels map[string]string) {
	parts := strings.Split(path, "/")
	name := parts[len(parts)-1]
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	if parts[1] == "apis" {
		o.SetAPIVersion(parts[2] + "/" + parts[3])
	}
	o.SetKind(kind)
	o.SetName(name)
	if len(parts) > 5 && parts[len(parts)-4] == "namespaces" {
		o.SetNamespace(parts[len(parts)-3])
	}
	o.SetLabels(labels)
	f.keep(path, o)
}

func (f *fakeCluster) keep(path string, o *unstructured.Unstructured) {
	o.SetUID(types.UID("uid-of-" + o.GetName()))
	o.SetCreationTimestamp(metav1.NewTime(atTheDesk.Add(-3 * time.Minute)))
	f.lock.Lock()
	defer f.lock.Unlock()
	f.objects[path] = o
}

// discovered are the types that there are.
var discovered = map[string]metav1.APIResourceList{
	"/api/v1": {GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "namespaces", SingularName: "namespace", Kind: "Namespace", ShortNames: []string{"ns"}, Verbs: []string{"get", "list"}},
		{Name: "pods", SingularName: "pod", Kind: "Pod", Namespaced: true, ShortNames: []string{"po"}, Verbs: []string{"get", "list"}},
		{Name: "configmaps", SingularName: "configmap", Kind: "ConfigMap", Namespaced: true, ShortNames: []string{"cm"}, Verbs: []string{"get", "list"}},
	}},
	"/apis/apps/v1": {GroupVersion: "apps/v1", APIResources: []metav1.APIResource{
		{Name: "deployments", SingularName: "deployment", Kind: "Deployment", Namespaced: true, ShortNames: []string{"deploy"}, Verbs: []string{"get", "list"}},
		{Name: "deployments/scale", Group: "autoscaling", Version: "v1", Kind: "Scale", Namespaced: true, Verbs: []string{"get", "update"}},
	}},
}

// kinds are what the objects of each resource are.
var kinds = map[string]string{
	"namespaces": "Namespace", "pods": "Pod", "configmaps": "ConfigMap", "events": "Event", "deployments": "Deployment",
	"breakglassrequests": "BreakGlassRequest", "breakglassverdicts": "BreakGlassVerdict", "grants": "Grant", "breakglassuses": "BreakGlassUse",
}

func (f *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch list, ok := discovered[r.URL.Path]; {
	case ok:
		reply(w, http.StatusOK, list)
	case r.URL.Path == "/api":
		reply(w, http.StatusOK, metav1.APIVersions{Versions: []string{"v1"}})
	case r.URL.Path == "/apis":
		version := metav1.GroupVersionForDiscovery{GroupVersion: "apps/v1", Version: "v1"}
		reply(w, http.StatusOK, metav1.APIGroupList{Groups: []metav1.APIGroup{{Name: "apps", Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version}}})
	case strings.HasSuffix(r.URL.Path, "/selfsubjectreviews"):
		reply(w, http.StatusCreated, authenticationv1.SelfSubjectReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}, Status: authenticationv1.SelfSubjectReviewStatus{UserInfo: f.user},
		})
	case slices.Contains(f.forbidden, r.URL.Path):
		status(w, http.StatusForbidden, metav1.StatusReasonForbidden, "you may not")
	case r.Method == http.MethodPost:
		f.create(w, r)
	default:
		f.read(w, r)
	}
}

func (f *fakeCluster) create(w http.ResponseWriter, r *http.Request) {
	o := &unstructured.Unstructured{}
	if err := json.NewDecoder(r.Body).Decode(&o.Object); err != nil {
		status(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	path := r.URL.Path + "/" + o.GetName()
	f.lock.Lock()
	_, exists := f.objects[path]
	f.lock.Unlock()
	if exists {
		status(w, http.StatusConflict, metav1.StatusReasonAlreadyExists, "exists")
		return
	}
	if refused := f.admit(o); refused != nil {
		status(w, int(refused.Code), refused.Reason, `admission webhook "cases.mollyguard.dev" denied the request: `+refused.Message)
		return
	}
	f.keep(path, o)
	reply(w, http.StatusCreated, o.Object)
}

func (f *fakeCluster) read(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if o, ok := f.objects[r.URL.Path]; ok {
		reply(w, http.StatusOK, o.Object)
		return
	}
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		status(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	all := []any{}
	parent, resource := filepath.Split(r.URL.Path)
	for _, path := range slices.Sorted(maps.Keys(f.objects)) {
		o := f.objects[path]
		below, name := filepath.Split(path)
		everywhere := strings.HasPrefix(path, parent) && strings.HasSuffix(below, "/"+resource+"/")
		if (below == r.URL.Path+"/" || everywhere) && name != "" && selector.Matches(labels.Set(o.GetLabels())) {
			all = append(all, o.Object)
		}
	}
	kind, known := kinds[resource]
	if !known {
		status(w, http.StatusNotFound, metav1.StatusReasonNotFound, "not found")
		return
	}
	version := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/")
	parts := strings.SplitN(version, "/", 3)
	if version = parts[0]; strings.HasPrefix(r.URL.Path, "/apis/") {
		version += "/" + parts[1]
	}
	reply(w, http.StatusOK, map[string]any{"apiVersion": version, "kind": kind + "List", "metadata": map[string]any{}, "items": all})
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func status(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	reply(w, code, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
}

// kubeconfig has the contexts prod, which is this cluster in the namespace shop,
// and none, which nobody answers for.
func (f *fakeCluster) kubeconfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: c, cluster: {server: %q}}
- {name: none, cluster: {server: "http://127.0.0.1:1"}}
contexts:
- {name: prod, context: {cluster: c, namespace: shop, user: alice}}
- {name: none, context: {cluster: none, user: alice}}
users:
- {name: alice, user: {}}
`, f.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// deskRun runs one of the commands for people.
func deskRun(t *testing.T, c console, args ...string) error {
	t.Helper()
	root := &cobra.Command{Use: "mollyguard", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(deskCommands(c)...)
	root.SetArgs(args)
	root.SetOut(c.out)
	root.SetErr(c.err)
	return root.ExecuteContext(t.Context())
}
