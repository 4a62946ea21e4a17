package bypass

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// room is where one door is tried in one mode.
type room struct {
	*world
	name string
	t    *testing.T
}

// in puts the room's name into a text.
func (r *room) in(text string) string { return strings.ReplaceAll(text, "NS", r.name) }

func (r *room) each(texts []string) []string {
	list := make([]string, len(texts))
	for i, text := range texts {
		list[i] = r.in(text)
	}
	return list
}

// run runs kubectl as the person who tries.
func (r *room) run(t *testing.T, stdin string, args ...string) cluster.KubectlResult {
	t.Helper()
	result, err := r.KubectlWith(t.Context(), cluster.KubectlOptions{Stdin: strings.NewReader(stdin)}, r.mallory, args...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// furnish applies what is given, as the administrator.
func (r *room) furnish(manifests string) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(r.in(manifests))), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what is given: %w\n%s", err, r.in(manifests))
		}
		if len(o.Object) == 0 {
			continue
		}
		mapping, err := r.mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
		if err != nil {
			return err
		}
		client := r.dynamic.Resource(mapping.Resource)
		if _, err := client.Namespace(o.GetNamespace()).Apply(r.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "bypass", Force: true}); err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
}

// look returns an object as it is, without what changes by itself. One that is gone is
// nil.
func (r *room) look(t *testing.T, o object) map[string]any {
	t.Helper()
	resource := o.resource
	resource.Group = r.in(resource.Group)
	found, err := r.dynamic.Resource(resource).Namespace(r.in(o.namespace)).Get(t.Context(), r.in(o.name), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{
		{"status"}, {"metadata", "managedFields"}, {"metadata", "resourceVersion"}, {"metadata", "generation"},
		{"metadata", "annotations", "deployment.kubernetes.io/revision"},
	} {
		unstructured.RemoveNestedField(found.Object, path...)
	}
	return found.Object
}
