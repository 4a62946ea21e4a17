package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAManifestNamesItsObjects(t *testing.T) {
	deployment := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	pod := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	for _, tt := range []struct {
		name, text string
		want       []manifestObject
	}{
		{"nothing", "", nil},
		{"documents", `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 3}
---
# nothing here
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1
`, []manifestObject{{deployment, "shop", "web"}, {pod, "", "web-1"}}},
		{"JSON", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"}}`, []manifestObject{{pod, "", "a"}, {pod, "", "b"}}},
		{"a list", `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}
`, []manifestObject{{pod, "", "a"}, {deployment, "shop", "web"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeManifest(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(manifestObject{})); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAManifestThatNamesNothingIsAnError(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large.yaml")
	if err := os.WriteFile(large, bytes.Repeat([]byte("# comment\n"), maxManifest/10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, stdin, want string }{
		{"no file", filepath.Join(folder, "none.yaml"), "", "no such file"},
		{"a folder", folder, "", "is a folder"},
		{"too large", large, "", "larger than 8 MiB"},
		{"no YAML", "-", "a: [", "read -: "},
		{"no object", "-", "just a text", "read -: "},
		{"no kind", "-", "apiVersion: v1\nmetadata: {name: a}", "no apiVersion and kind"},
		{"no apiVersion", "-", "kind: Pod\nmetadata: {name: a}", "no apiVersion and kind"},
		{"no name", "-", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}", "a Pod has no metadata.name"},
		{"an item without a name", "-", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}]", "a Pod has no metadata.name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readManifest(tt.file, strings.NewReader(tt.stdin))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}

func FuzzDecodeManifest(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n"))
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}]}`))
	f.Add([]byte("apiVersion: 1\nkind: []\nitems: 3"))
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, err := decodeManifest(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, o := range objects {
			if o.name == "" || o.kind.Version == "" || o.kind.Kind == "" {
				t.Errorf("an object without a name: %+v", o)
			}
		}
	})
}
