package webhook

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
)

var thingsGVR = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "things"}

// thingLookup is a lookup in a cluster with one Thing, whose server does not look for
// names. What verbs lists is forbidden.
func thingLookup(t *testing.T, verbs ...string) *ClusterLookup {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	thing := metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "example.com/v1", Kind: "Thing"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "x", UID: "u-1", Labels: map[string]string{"env": "production"}},
	}
	objects := metadatafake.NewSimpleMetadataClient(scheme, &thing)
	whole := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{thingsGVR: "ThingList"},
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"namespace": "shop", "name": "x"},
		}})
	forbid := func(action clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(thingsGVR.GroupResource(), "x", errors.New("no"))
	}
	for _, verb := range verbs {
		objects.PrependReactor(verb, "things", forbid)
		whole.PrependReactor(verb, "things", forbid)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(thingsGVR.GroupVersion().WithKind("Thing"), meta.RESTScopeNamespace)
	return NewClusterLookup(nil, objects, whole, mapper)
}

func TestAnObjectThatMayNotBeGotIsLookedForInAList(t *testing.T) {
	found := ObjectMeta{Kind: "Thing", UID: "u-1", Labels: map[string]string{"env": "production"}}
	const forbidden = "mollyguard may not get things.example.com: see the ClusterRole mollyguard-reader"
	for _, tt := range []struct {
		name      string
		forbidden []string
		object    string
		want      ObjectMeta
		wantError string
	}{
		{"it may be got", []string{"list"}, "x", found, ""},
		{"it may be listed", []string{"get"}, "x", found, ""},
		{"neither", []string{"get", "list"}, "x", ObjectMeta{}, forbidden},
		{"it is not there", nil, "y", ObjectMeta{}, "not found"},
		{"another is sent for it", []string{"get"}, "y", ObjectMeta{}, "the server of things.example.com does not look for names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := thingLookup(t, tt.forbidden...).Object(t.Context(), ObjectKey{Group: "example.com", Resource: "things", Namespace: "shop", Name: tt.object})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
			if text := errorText(err); text != tt.wantError {
				t.Errorf("error %q, want %q", text, tt.wantError)
			}
		})
	}
}

func TestAWholeObjectIsListed(t *testing.T) {
	for _, tt := range []struct {
		name      string
		forbidden []string
		object    string
		want      map[string]any
		wantError string
	}{
		{"it may be listed, though not got", []string{"get"}, "x", map[string]any{
			"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"namespace": "shop", "name": "x"},
		}, ""},
		{"it may not", []string{"list"}, "x", nil, "mollyguard may not get things.example.com: see the ClusterRole mollyguard-reader"},
		{"another is sent for it", nil, "y", nil, "the server of things.example.com does not look for names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := thingLookup(t, tt.forbidden...).Whole(t.Context(), ObjectKey{Group: "example.com", Resource: "things", Namespace: "shop", Name: tt.object})
			var got map[string]any
			if err == nil {
				if err := json.Unmarshal(text, &got); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
			if text := errorText(err); text != tt.wantError {
				t.Errorf("error %q, want %q", text, tt.wantError)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
