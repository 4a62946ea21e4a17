package deploy

import (
	"context"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

type floorObject struct {
	resource schema.GroupVersionResource
	name     string
}

// floorObjects are what the server keeps beside its first webhook configuration.
func floorObjects() []floorObject {
	admission := schema.GroupVersion{Group: "admissionregistration.k8s.io", Version: "v1"}
	list := []floorObject{{admission.WithResource("mutatingwebhookconfigurations"), "mollyguard"}}
	for _, name := range []string{"mollyguard-floor", "mollyguard-floor-parents"} {
		list = append(list, floorObject{admission.WithResource("validatingadmissionpolicies"), name}, floorObject{admission.WithResource("validatingadmissionpolicybindings"), name})
	}
	return append(list, floorObject{v1alpha1.GroupVersion().WithResource("floors"), "mollyguard"})
}

// testFloor takes a label off each object as somebody whom the floor lets.
func (s *site) testFloor(t *testing.T) {
	self := s.Admin()
	self.Impersonate = rest.ImpersonationConfig{UserName: account, Groups: []string{"system:masters"}}
	as, err := dynamic.NewForConfig(self)
	if err != nil {
		t.Fatal(err)
	}
	const label = "app.kubernetes.io/managed-by"
	for _, object := range floorObjects() {
		what := object.resource.Resource + "/" + object.name
		find := func(ctx context.Context) (*unstructured.Unstructured, error) {
			return s.dynamic.Resource(object.resource).Get(ctx, object.name, metav1.GetOptions{})
		}
		await(t, what, func(ctx context.Context) (bool, error) {
			_, err := find(ctx)
			return err == nil, err
		})
		patch := []byte(`{"metadata":{"labels":{"` + label + `":null}}}`)
		if _, err := as.Resource(object.resource).Patch(t.Context(), object.name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		await(t, what+" to be put right", func(ctx context.Context) (bool, error) {
			got, err := find(ctx)
			if err != nil {
				return false, err
			}
			return got.GetLabels()[label] == "mollyguard", fmt.Errorf("its labels are %v", got.GetLabels())
		})
	}
}

// withoutFloor changes the configuration to want no floor.
func withoutFloor(t *testing.T, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	t.Helper()
	for _, object := range objects {
		data, found, err := unstructured.NestedString(object.Object, "data", configFile)
		if err != nil {
			t.Fatal(err)
		}
		if found {
			if err := unstructured.SetNestedField(object.Object, data+"\nkubernetes: {floor: {manage: false}}\n", "data", configFile); err != nil {
				t.Fatal(err)
			}
		}
	}
	return objects
}

// testFloorOff waits for a server that wants no floor to remove it.
func (s *site) testFloorOff(t *testing.T) {
	for _, object := range floorObjects() {
		if object.resource.Resource == "floors" { // it does no harm
			continue
		}
		await(t, object.resource.Resource+"/"+object.name+" to be removed", func(ctx context.Context) (bool, error) {
			_, err := s.dynamic.Resource(object.resource).Get(ctx, object.name, metav1.GetOptions{})
			return apierrors.IsNotFound(err), fmt.Errorf("it is there: %w", err)
		})
	}
}
