package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// apply applies manifests on the server's side, taking over what others own.
// Objects that name no namespace are in the given one.
func (l *life) apply(ctx context.Context, as *actor, namespace, manifests string) error {
	objects, err := decode(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		resource, err := l.resource(as, object, namespace)
		if err != nil {
			return err
		}
		if _, err := resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "conformance", Force: true}); err != nil {
			return fmt.Errorf("apply %s %s/%s: %w", object.GetKind(), namespace, object.GetName(), err)
		}
	}
	return nil
}

// remove deletes what the manifests name.
func (l *life) remove(ctx context.Context, as *actor, namespace, manifests string, opts metav1.DeleteOptions) error {
	objects, err := decode(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		resource, err := l.resource(as, object, namespace)
		if err != nil {
			return err
		}
		if err := resource.Delete(ctx, object.GetName(), opts); err != nil {
			return fmt.Errorf("delete %s %s/%s: %w", object.GetKind(), namespace, object.GetName(), err)
		}
	}
	return nil
}

func (l *life) resource(as *actor, object *unstructured.Unstructured, namespace string) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := l.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return as.dynamic.Resource(mapping.Resource), nil
	}
	if own := object.GetNamespace(); own != "" {
		namespace = own
	}
	return as.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

func decode(manifests string) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	var list []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("decode a manifest: %w", err)
		}
		if len(object.Object) > 0 {
			list = append(list, object)
		}
	}
}
