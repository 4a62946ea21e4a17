package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// resolver finds the objects that somebody means in a cluster, with their own
// rights.
type resolver struct {
	mapper meta.RESTMapperWithContext
	// types tells which of them can be scaled.
	types  discovery.ServerResourcesInterfaceWithContext
	client metadata.Interface
	// cluster is the cluster's name in references.
	cluster string
	// namespace is for names without one.
	namespace string
	// stdin is for manifests.
	stdin io.Reader
	// warn tells the user what could not be looked at.
	warn func(format string, args ...any)
}

// resolve returns the objects, each once, in the order in which they were named.
// What is named and not there stays, without a uid.
func (r resolver) resolve(ctx context.Context, i intent) ([]operation.Reference, error) {
	ctx = logr.NewContext(ctx, logr.Discard()) // client-go would log what is returned as well
	var found references
	for _, ref := range i.refs {
		target, err := r.canonical(ctx, ref)
		if err != nil {
			return nil, err
		}
		found.add(target)
	}
	for _, n := range i.names {
		mapping, err := r.mapping(ctx, n.resource)
		if err != nil {
			return nil, err
		}
		target, err := r.named(ctx, mapping, r.namespace, n.name)
		if err != nil {
			return nil, err
		}
		found.add(target)
	}
	for _, resource := range i.types {
		mapping, err := r.mapping(ctx, resource)
		if err != nil {
			return nil, err
		}
		if err := r.selected(ctx, &found, mapping, i); err != nil {
			return nil, err
		}
	}
	for _, file := range i.files {
		if err := r.inFile(ctx, &found, file, i.namespace); err != nil {
			return nil, err
		}
	}
	switch {
	case len(found) == 0:
		return nil, usageError("look with kubectl get what is there", "nothing is there that this selects")
	case len(found) > breakglass.MaxTargets:
		return nil, tooMany()
	}
	if i.verb == operation.ScaleToZero {
		r.warnOfScale(ctx, found)
	}
	return found, nil
}

// warnOfScale tells which of the objects have no number of replicas. What cannot be
// looked up is not told.
func (r resolver) warnOfScale(ctx context.Context, found references) {
	told := map[schema.GroupResource]bool{}
	for _, target := range found {
		ref, ok := operation.ParseKubernetesRef(target.Ref)
		resource := schema.GroupResource{Group: ref.Group, Resource: ref.Resource}
		if !ok || told[resource] {
			continue
		}
		told[resource] = true
		kind, err := r.mapper.KindForWithContext(ctx, resource.WithVersion(""))
		if err != nil {
			continue
		}
		list, err := r.types.ServerResourcesForGroupVersionWithContext(ctx, kind.GroupVersion().String())
		if err != nil {
			continue
		}
		if !slices.ContainsFunc(list.APIResources, func(a metav1.APIResource) bool { return a.Name == ref.Resource+"/scale" }) {
			r.warn("a %s cannot be scaled: nobody will need a grant for that; did you mean delete?", shown(kind.Kind))
		}
	}
}

func tooMany() error {
	return usageError("ask for a part of them", "these are more than %d objects, the most that one grant can name", breakglass.MaxTargets)
}

// references are objects, each once.
type references []operation.Reference

func (r *references) add(target operation.Reference) {
	if !slices.ContainsFunc(*r, func(other operation.Reference) bool { return other.Ref == target.Ref }) {
		*r = append(*r, target)
	}
}

// mapping finds a type as kubectl does (k8s.io/cli-runtime pkg/resource
// Builder.mappingFor): a resource, long, short or singular, with or without group
// and version, or a kind.
func (r resolver) mapping(ctx context.Context, typed string) (*meta.RESTMapping, error) {
	resource, anyVersion := schema.ParseResourceArg(typed)
	candidates := []schema.GroupVersionResource{anyVersion.WithVersion("")}
	if resource != nil {
		candidates = slices.Insert(candidates, 0, *resource)
	}
	for _, candidate := range candidates {
		kind, err := r.mapper.KindForWithContext(ctx, candidate)
		if err == nil {
			return r.mappingOf(ctx, kind)
		}
		if !meta.IsNoMatchError(err) {
			return nil, fmt.Errorf("look up the type %s: %w", shown(typed), err)
		}
	}
	kind, groupKind := schema.ParseKindArg(typed)
	if kind == nil {
		kind = new(groupKind.WithVersion(""))
	}
	mapping, err := r.mappingOf(ctx, *kind)
	if meta.IsNoMatchError(err) {
		return nil, usageError("kubectl api-resources lists what there is", "the cluster has no type %s", shown(typed))
	}
	return mapping, err
}

func (r resolver) mappingOf(ctx context.Context, kind schema.GroupVersionKind) (*meta.RESTMapping, error) {
	if kind.Version == "" {
		return r.mapper.RESTMappingWithContext(ctx, kind.GroupKind())
	}
	return r.mapper.RESTMappingWithContext(ctx, kind.GroupKind(), kind.Version)
}

// canonical looks at an object whose canonical name is given.
func (r resolver) canonical(ctx context.Context, ref operation.KubernetesName) (operation.Reference, error) {
	target := operation.Reference{
		Ref:       operation.KubernetesRef(ref.Cluster, ref.Group, ref.Resource, ref.Namespace, ref.Name),
		Namespace: ref.Namespace, Name: ref.Name,
	}
	resource := schema.GroupVersionResource{Group: ref.Group, Resource: ref.Resource}
	kind, err := r.mapper.KindForWithContext(ctx, resource)
	var mapping *meta.RESTMapping
	if err == nil {
		mapping, err = r.mappingOf(ctx, kind)
	}
	switch {
	case meta.IsNoMatchError(err):
		return target, usageError("check that this is the cluster that you mean", "the cluster has no type %s", shown(resource.GroupResource().String()))
	case err != nil:
		return target, fmt.Errorf("look up the type %s: %w", shown(resource.GroupResource().String()), err)
	case mapping.Resource.GroupResource() != resource.GroupResource():
		return target, usageError("", "%s: the resource is written %s", shown(target.Ref), shown(mapping.Resource.GroupResource().String()))
	case (mapping.Scope.Name() == meta.RESTScopeNameNamespace) != (ref.Namespace != ""):
		return target, usageError("namespaced objects are k8s://CLUSTER/GROUP/RESOURCE/NAMESPACE/NAME, others k8s://CLUSTER/GROUP/RESOURCE/NAME",
			"%s: a %s is in %s", shown(target.Ref), shown(mapping.GroupVersionKind.Kind), map[bool]string{true: "a namespace", false: "no namespace"}[ref.Namespace == ""])
	}
	target.Kind = mapping.GroupVersionKind.Kind
	target.UID, err = r.uid(ctx, mapping, ref.Namespace, ref.Name)
	return target, err
}

// named looks at an object by name.
func (r resolver) named(ctx context.Context, mapping *meta.RESTMapping, namespace, name string) (operation.Reference, error) {
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		namespace = ""
	}
	target := r.reference(mapping, namespace, name)
	var err error
	target.UID, err = r.uid(ctx, mapping, namespace, name)
	return target, err
}

func (r resolver) reference(mapping *meta.RESTMapping, namespace, name string) operation.Reference {
	return operation.Reference{
		Ref:  operation.KubernetesRef(r.cluster, mapping.Resource.Group, mapping.Resource.Resource, namespace, name),
		Kind: mapping.GroupVersionKind.Kind, Namespace: namespace, Name: name,
	}
}

// uid is that of the object which has a name now, so that one which is made anew
// under it is not meant; empty if there is none, or none that may be seen.
func (r resolver) uid(ctx context.Context, mapping *meta.RESTMapping, namespace, name string) (string, error) {
	what := shown(describeTarget(mapping.GroupVersionKind.Kind, namespace, name))
	for _, segment := range []string{namespace, name} { // ".." would ask for something else
		if errs := content.IsPathSegmentName(segment); len(errs) > 0 {
			return "", usageError("", "%s: a name %s", what, errs[0])
		}
	}
	object, err := r.client.Resource(mapping.Resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		r.warn("there is no %s: check name, namespace and cluster; the grant would be for whatever gets this name", what)
		return "", nil
	case apierrors.IsForbidden(err):
		r.warn("you may not look at %s: the grant would be for whatever has this name", what)
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look at %s: %w", what, err)
	}
	return string(object.UID), nil
}

// selected adds the objects of a type that are selected, with their uids.
func (r resolver) selected(ctx context.Context, found *references, mapping *meta.RESTMapping, i intent) error {
	namespace := r.namespace
	if i.allNamespaces || mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		namespace = metav1.NamespaceAll
	}
	list, err := r.client.Resource(mapping.Resource).Namespace(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: i.selector, FieldSelector: i.fieldSelector, Limit: breakglass.MaxTargets + 1,
	})
	switch {
	case apierrors.IsForbidden(err):
		return usageError("name the objects instead", "you may not list %s: what is selected cannot be told", shown(mapping.Resource.Resource))
	case apierrors.IsBadRequest(err):
		return usageError("", "%s", operation.Printable(err.Error()))
	case err != nil:
		return fmt.Errorf("list %s: %w", shown(mapping.Resource.Resource), err)
	}
	for _, object := range list.Items {
		target := r.reference(mapping, object.Namespace, object.Name)
		target.UID = string(object.UID)
		found.add(target)
	}
	if len(*found) > breakglass.MaxTargets {
		return tooMany()
	}
	return nil
}

// inFile adds the objects of a manifest. said is the namespace that the command
// names.
func (r resolver) inFile(ctx context.Context, found *references, file, said string) error {
	objects, err := readManifest(file, r.stdin)
	if err != nil {
		return usageError("", "%w", err)
	}
	if len(objects) > breakglass.MaxTargets {
		return tooMany()
	}
	for _, object := range objects {
		mapping, err := r.mappingOf(ctx, object.kind)
		switch {
		case meta.IsNoMatchError(err):
			return usageError("kubectl api-resources lists what there is", "the cluster has no type %s", shown(object.kind.GroupKind().String()))
		case err != nil:
			return fmt.Errorf("look up the type %s: %w", shown(object.kind.Kind), err)
		}
		namespace := object.namespace
		if namespace == "" {
			namespace = r.namespace
		} else if said != "" && said != namespace && mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			return usageError("", "%s: %s is in namespace %s, and the command says %s", shown(file), shown(object.name), shown(namespace), shown(said))
		}
		target, err := r.named(ctx, mapping, namespace, object.name)
		if err != nil {
			return err
		}
		found.add(target)
	}
	return nil
}
