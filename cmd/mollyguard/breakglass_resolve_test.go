package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// shopCluster has a few objects in the namespace shop.
func shopCluster(t *testing.T) *fakeCluster {
	t.Helper()
	f := startCluster(t)
	f.put("/api/v1/namespaces/shop", "Namespace", nil)
	f.put("/apis/apps/v1/namespaces/shop/deployments/web", "Deployment", map[string]string{"app": "web"})
	for _, name := range []string{"web-1", "web-2"} {
		f.put("/api/v1/namespaces/shop/pods/"+name, "Pod", map[string]string{"app": "web"})
	}
	f.put("/api/v1/namespaces/other/pods/web-3", "Pod", map[string]string{"app": "web"})
	return f
}

func target(ref, kind, namespace, name, uid string) operation.Reference {
	return operation.Reference{Ref: ref, Kind: kind, Namespace: namespace, Name: name, UID: uid}
}

func TestWhatIsMeantIsFoundInTheCluster(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "web.yaml")
	text := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := target("k8s://prod-eu/core/namespaces/shop", "Namespace", "", "shop", "uid-of-shop")
	web := target("k8s://prod-eu/apps/deployments/shop/web", "Deployment", "shop", "web", "uid-of-web")
	pod1 := target("k8s://prod-eu/core/pods/shop/web-1", "Pod", "shop", "web-1", "uid-of-web-1")
	pod2 := target("k8s://prod-eu/core/pods/shop/web-2", "Pod", "shop", "web-2", "uid-of-web-2")
	pod3 := target("k8s://prod-eu/core/pods/other/web-3", "Pod", "other", "web-3", "uid-of-web-3")
	for _, tt := range []struct {
		name, command string
		want          []operation.Reference
		talk          string
	}{
		{"a short name", "kubectl delete ns shop", []operation.Reference{shop}, ""},
		{"a singular", "kubectl delete deployment web", []operation.Reference{web}, ""},
		{"a kind", "kubectl delete Deployment/web", []operation.Reference{web}, ""},
		{"a group", "kubectl delete deploy.apps web", []operation.Reference{web}, ""},
		{"a group and a version", "kubectl delete deployments.v1.apps web", []operation.Reference{web}, ""},
		{"a kind with both", "kubectl delete Deployment.v1.apps web", []operation.Reference{web}, ""},
		{"once what is named twice", "kubectl delete po/web-1 pods/web-1", []operation.Reference{pod1}, ""},
		{"another namespace", "kubectl -n other delete pod web-3", []operation.Reference{pod3}, ""},
		{"a selector", "kubectl delete po -l app=web", []operation.Reference{pod1, pod2}, ""},
		{"all", "kubectl delete pods,deploy --all", []operation.Reference{pod1, pod2, web}, ""},
		{"all namespaces", "kubectl delete pods -A -l app", []operation.Reference{pod3, pod1, pod2}, ""},
		{"a file", "kubectl delete -f " + manifest, []operation.Reference{web, shop}, ""},
		{
			"what is not there", "kubectl delete pod web-9", []operation.Reference{target("k8s://prod-eu/core/pods/shop/web-9", "Pod", "shop", "web-9", "")},
			"mollyguard: warning: there is no Pod shop/web-9: check name, namespace and cluster; the grant would be for whatever gets this name\n",
		},
		{
			"what may not be seen", "kubectl delete pod secret", []operation.Reference{target("k8s://prod-eu/core/pods/shop/secret", "Pod", "shop", "secret", "")},
			"mollyguard: warning: you may not look at Pod shop/secret: the grant would be for whatever has this name\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := shopCluster(t)
			f.forbidden = []string{"/api/v1/namespaces/shop/pods/secret"}
			c, _, talk := testConsole()
			i, err := parseKubectl(tt.command)
			if err != nil {
				t.Fatal(err)
			}
			r, err := connectOptions{kubeconfig: f.kubeconfig(t)}.resolver(c, i.place, "prod-eu")
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.resolve(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.talk, talk.String()); diff != "" {
				t.Errorf("talk (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCanonicalNamesAreLookedUp(t *testing.T) {
	f := shopCluster(t)
	for _, tt := range []struct {
		name, ref string
		want      operation.Reference
		err       string
	}{
		{"a namespace", "k8s://prod-eu/core/namespaces/shop", target("k8s://prod-eu/core/namespaces/shop", "Namespace", "", "shop", "uid-of-shop"), ""},
		{"a deployment", "k8s://prod-eu/apps/deployments/shop/web", target("k8s://prod-eu/apps/deployments/shop/web", "Deployment", "shop", "web", "uid-of-web"), ""},
		{"no such type", "k8s://prod-eu/apps/widgets/shop/web", operation.Reference{}, "the cluster has no type widgets.apps"},
		{"a short name", "k8s://prod-eu/apps/deploy/shop/web", operation.Reference{}, "the resource is written deployments.apps"},
		{"no namespace", "k8s://prod-eu/core/pods/web-1", operation.Reference{}, "a Pod is in a namespace"},
		{"a namespace too much", "k8s://prod-eu/core/namespaces/shop/shop", operation.Reference{}, "a Namespace is in no namespace"},
		{"a name that is a way", "k8s://prod-eu/core/namespaces/..", operation.Reference{}, `a name may not be '..'`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, _ := testConsole()
			i, err := parseTargets("delete", []string{tt.ref}, "")
			if err != nil {
				t.Fatal(err)
			}
			r, err := connectOptions{kubeconfig: f.kubeconfig(t)}.resolver(c, i.place, i.audience)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.resolve(t.Context(), i)
			if tt.err != "" {
				if exitOf(err) != exitUsage || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, %v; want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]operation.Reference{tt.want}, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeFoundIsAnError(t *testing.T) {
	f := shopCluster(t)
	f.forbidden = []string{"/api/v1/namespaces/shop/pods"}
	manifest := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(manifest, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: other}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	widget := filepath.Join(t.TempDir(), "w.yaml")
	if err := os.WriteFile(widget, []byte("apiVersion: x/v1\nkind: Widget\nmetadata: {name: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range breakglass.MaxTargets + 1 {
		f.put(fmt.Sprintf("/apis/apps/v1/namespaces/many/deployments/d-%d", n), "Deployment", nil)
	}
	for _, tt := range []struct {
		name, command string
		code          int
		want          string
	}{
		{"no such type", "kubectl delete widget a", exitUsage, "the cluster has no type widget"},
		{"nothing selected", "kubectl -n empty delete deploy --all", exitUsage, "nothing is there that this selects"},
		{"too much selected", "kubectl -n many delete deploy --all", exitUsage, "more than 64 objects"},
		{"what may not be listed", "kubectl delete pods --all", exitUsage, "you may not list pods"},
		{"no selector", "kubectl delete deploy -l 'a=(b'", exitUsage, "parse"},
		{"a file for another namespace", "kubectl -n shop delete -f " + manifest, exitUsage, "a is in namespace other, and the command says shop"},
		{"a type in a file", "kubectl delete -f " + widget, exitUsage, "the cluster has no type Widget.x"},
		{"nobody answers", "kubectl --context none delete ns shop", exitUndecided, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, _ := testConsole()
			i, err := parseKubectl(tt.command)
			if err != nil {
				t.Fatal(err)
			}
			o := connectOptions{kubeconfig: f.kubeconfig(t)}
			if err := o.at(i.place); err != nil {
				t.Fatal(err)
			}
			r, err := o.resolver(c, i.place, "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.resolve(t.Context(), i)
			if err == nil || exitOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want exit code %d and an error with %q", got, err, tt.code, tt.want)
			}
		})
	}
}
