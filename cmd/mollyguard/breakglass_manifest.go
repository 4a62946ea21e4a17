package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// maxManifest is the largest manifest that is read: 64 objects of 128 KiB, which few
// objects have but ConfigMaps with files in them.
const maxManifest = breakglass.MaxTargets * 128 << 10

// manifestObject is what a manifest says of one object's name.
type manifestObject struct {
	kind            schema.GroupVersionKind
	namespace, name string
}

// readManifest reads a manifest's objects from a file, or from standard input if
// it is called "-".
func readManifest(name string, stdin io.Reader) (objects []manifestObject, err error) {
	from := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if info, err := file.Stat(); err != nil {
			return nil, err
		} else if info.IsDir() {
			return nil, fmt.Errorf("%s is a folder: name the files in it", shown(name))
		}
		from = file
	}
	text := &io.LimitedReader{R: from, N: maxManifest + 1}
	objects, err = decodeManifest(text)
	if text.N <= 0 {
		return nil, fmt.Errorf("%s is larger than %d MiB", shown(name), maxManifest>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", shown(name), err)
	}
	return objects, nil
}

// decodeManifest reads YAML or JSON documents, and the items of lists in them.
func decodeManifest(r io.Reader) ([]manifestObject, error) {
	const buffer = 4 << 10 // to see whether it is JSON
	decoder := yaml.NewYAMLOrJSONDecoder(r, buffer)
	var objects []manifestObject
	for {
		var document unstructured.Unstructured
		err := decoder.Decode(&document.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, errors.New(operation.Printable(err.Error()))
		}
		if len(document.Object) == 0 {
			continue // between two separators
		}
		if objects, err = addObjects(objects, document); err != nil {
			return nil, err
		}
	}
}

func addObjects(objects []manifestObject, document unstructured.Unstructured) ([]manifestObject, error) {
	if !document.IsList() {
		object, err := nameIn(document)
		return append(objects, object), err
	}
	list, err := document.ToList()
	if err != nil {
		return nil, errors.New(operation.Printable(err.Error()))
	}
	for _, item := range list.Items {
		object, err := nameIn(item)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// nameIn reads who an object is. What has another type than Kubernetes gives it
// reads as empty, and is missing.
func nameIn(document unstructured.Unstructured) (manifestObject, error) {
	o := manifestObject{kind: document.GroupVersionKind(), namespace: document.GetNamespace(), name: document.GetName()}
	if _, err := schema.ParseGroupVersion(document.GetAPIVersion()); err != nil || o.kind.Version == "" || o.kind.Kind == "" {
		return o, errors.New("a document has no apiVersion and kind: it is no manifest")
	}
	if o.name == "" {
		return o, fmt.Errorf("a %s has no metadata.name: only the cluster knows how it is called", shown(o.kind.Kind))
	}
	return o, nil
}
