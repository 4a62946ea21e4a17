package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/operation"
)

// lookupTimeout bounds one question to the API server: what is not known by then
// is unknown, and the answer must still arrive in time.
const lookupTimeout = 2 * time.Second

// forLookup leaves at least half of the time that there is for the rest of the answer.
func forLookup(ctx context.Context) (context.Context, context.CancelFunc) {
	patience := lookupTimeout
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline)/2)
	}
	return context.WithTimeout(ctx, patience)
}

// ClusterLookup asks the cluster. Namespaces come from a cache; what the cache
// does not have yet, and objects behind scales and evictions, which are rare,
// are fetched, metadata only.
type ClusterLookup struct {
	cache   client.Reader
	fetcher metadata.Interface
	whole   dynamic.Interface
	mapper  meta.RESTMapper
}

var _ Lookup = (*ClusterLookup)(nil)

// NewClusterLookup returns a lookup. cache must serve PartialObjectMetadata of
// namespaces.
func NewClusterLookup(cache client.Reader, fetcher metadata.Interface, whole dynamic.Interface, mapper meta.RESTMapper) *ClusterLookup {
	return &ClusterLookup{cache: cache, fetcher: fetcher, whole: whole, mapper: mapper}
}

// NamespaceMetadata is the object that the cache must hold for ClusterLookup.
func NamespaceMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	return m
}

// NamespaceLabels implements Lookup.
func (l *ClusterLookup) NamespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	namespace := NamespaceMetadata()
	err := l.cache.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if err == nil {
		return namespace.Labels, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, err
	}
	found, err := l.get(ctx, ObjectKey{Version: "v1", Resource: "namespaces", Name: name}) // made a moment ago
	if err != nil {
		return nil, err
	}
	return found.Labels, nil
}

// Gone reports whether an object is not there any more, or on its way out, or
// another one under its name. An error means that it could not be told.
func (l *ClusterLookup) Gone(ctx context.Context, target operation.Reference) (bool, error) {
	name, ok := operation.ParseKubernetesRef(target.Ref)
	if !ok {
		return false, fmt.Errorf("%s is not an object of this cluster", operation.Printable(target.Ref))
	}
	found, err := l.get(ctx, ObjectKey{Group: name.Group, Resource: name.Resource, Namespace: name.Namespace, Name: name.Name})
	switch {
	case errors.Is(err, errGone):
		return true, nil
	case err != nil:
		return false, err
	}
	return found.DeletionTimestamp != nil || target.UID != "" && string(found.UID) != target.UID, nil
}

// Object implements Lookup.
func (l *ClusterLookup) Object(ctx context.Context, key ObjectKey) (ObjectMeta, error) {
	found, err := l.get(ctx, key)
	if err != nil {
		return ObjectMeta{}, err
	}
	m := ObjectMeta{
		UID: string(found.UID), Controlled: metav1.GetControllerOfNoCopy(found) != nil, Labels: found.Labels, Annotations: found.Annotations,
	}
	// Without a kind the resource's name is shown, which is no reason to fail.
	if kind, err := l.mapper.KindFor(key.resource()); err == nil {
		m.Kind = kind.Kind
	}
	return m, nil
}

func (l *ClusterLookup) get(ctx context.Context, key ObjectKey) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := forLookup(ctx)
	defer cancel()
	resource, err := l.resource(key)
	if err != nil {
		return nil, err
	}
	objects := l.fetcher.Resource(resource).Namespace(key.Namespace)
	found, err := objects.Get(ctx, key.Name, metav1.GetOptions{})
	if err == nil {
		return found, nil
	}
	if apierrors.IsForbidden(err) { // the server may get few kinds, and list all
		list, listErr := objects.List(ctx, byName(key.Name))
		switch {
		case listErr == nil:
			return theOne(key, list.Items, func(o metav1.PartialObjectMetadata) string { return o.Name })
		case !apierrors.IsForbidden(listErr):
			err = listErr
		}
	}
	return nil, lookupError(err, key.resource().GroupResource())
}

// byName asks for the one object that has a name.
func byName(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(), Limit: 1}
}

// theOne is the object that was asked for by its name. A server that knows no field
// selectors sends others.
func theOne[T any](key ObjectKey, items []T, nameOf func(T) string) (*T, error) {
	i := slices.IndexFunc(items, func(o T) bool { return nameOf(o) == key.Name })
	switch {
	case i >= 0:
		return &items[i], nil
	case len(items) > 0:
		return nil, fmt.Errorf("the server of %s does not look for names", key.resource().GroupResource())
	}
	return nil, errGone
}

// Whole implements Lookup. It lists, since that is what the server may do of all kinds.
func (l *ClusterLookup) Whole(ctx context.Context, key ObjectKey) ([]byte, error) {
	ctx, cancel := forLookup(ctx)
	defer cancel()
	resource, err := l.resource(key)
	if err != nil {
		return nil, err
	}
	list, err := l.whole.Resource(resource).Namespace(key.Namespace).List(ctx, byName(key.Name))
	if err != nil {
		return nil, lookupError(err, key.resource().GroupResource())
	}
	found, err := theOne(key, list.Items, func(o unstructured.Unstructured) string { return o.GetName() })
	if err != nil {
		return nil, err
	}
	return found.MarshalJSON()
}

// lookupError says in words why something could not be looked up.
func lookupError(err error, resource schema.GroupResource) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("mollyguard may not get %s: see the ClusterRole mollyguard-reader", resource)
	case apierrors.IsNotFound(err):
		return errGone
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer from the API server in time")
	}
	return err
}

var errGone = errors.New("not found")

// resource completes a key that names no version: the cluster knows which it
// serves.
func (l *ClusterLookup) resource(key ObjectKey) (schema.GroupVersionResource, error) {
	resource := key.resource()
	if resource.Version != "" {
		return resource, nil
	}
	found, err := l.mapper.ResourceFor(resource)
	if err != nil {
		return resource, fmt.Errorf("find out where %s are served: %w", resource.GroupResource(), err)
	}
	return found, nil
}

func (k ObjectKey) resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Resource}
}

// FileLookup answers from objects that kubectl printed, for offline review.
type FileLookup struct {
	namespaces map[string]map[string]string
	objects    map[string]ObjectMeta
}

var _ Lookup = (*FileLookup)(nil)

// maxObjectBytes bounds a file of objects: the 5 KB of a usual pod, 50,000 times.
const maxObjectBytes = 256 << 20

type printedObject struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Items      []json.RawMessage `json:"items"`
}

// NewFileLookup reads what `kubectl get … -o json` prints: an object or a List,
// or several of them. A nil reader gives a lookup that knows nothing.
func NewFileLookup(r io.Reader) (*FileLookup, error) {
	l := &FileLookup{namespaces: map[string]map[string]string{}, objects: map[string]ObjectMeta{}}
	if r == nil {
		return l, nil
	}
	limited := &io.LimitedReader{R: r, N: maxObjectBytes + 1}
	decoder := json.NewDecoder(limited)
	for {
		var o printedObject
		err := decoder.Decode(&o)
		switch {
		case limited.N <= 0:
			return nil, fmt.Errorf("more than %d MiB", maxObjectBytes>>20)
		case errors.Is(err, io.EOF):
			return l, nil
		case err != nil:
			return nil, fmt.Errorf("not what kubectl get -o json prints: %w", err)
		}
		if err := l.add(o); err != nil {
			return nil, err
		}
	}
}

func (l *FileLookup) add(o printedObject) error {
	if strings.HasSuffix(o.Kind, "List") && o.Metadata.Name == "" {
		for i, item := range o.Items {
			var inner printedObject
			if err := json.NewDecoder(bytes.NewReader(item)).Decode(&inner); err != nil {
				return fmt.Errorf("items[%d]: %w", i, err)
			}
			if inner.Kind == "" { // typed lists leave it out
				inner.Kind, inner.APIVersion = strings.TrimSuffix(o.Kind, "List"), o.APIVersion
			}
			if err := l.add(inner); err != nil {
				return fmt.Errorf("items[%d]: %w", i, err)
			}
		}
		return nil
	}
	if o.Kind == "" || o.Metadata.Name == "" {
		return errors.New("an object without kind or metadata.name: expected what kubectl get -o json prints")
	}
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		group = ""
	}
	if group == "" && o.Kind == "Namespace" {
		l.namespaces[o.Metadata.Name] = o.Metadata.Labels
	}
	// There is no discovery offline: the resource follows from the kind by the
	// convention that Kubernetes itself uses when it has to guess.
	plural, singular := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: group, Kind: o.Kind})
	for _, resource := range []string{plural.Resource, singular.Resource} {
		l.objects[objectID(group, resource, o.Metadata.Namespace, o.Metadata.Name)] = ObjectMeta{
			Kind: o.Kind, UID: string(o.Metadata.UID), Controlled: metav1.GetControllerOfNoCopy(&o.Metadata) != nil,
			Labels: o.Metadata.Labels, Annotations: o.Metadata.Annotations,
		}
	}
	return nil
}

func objectID(group, resource, namespace, name string) string {
	return strings.Join([]string{group, resource, namespace, name}, "/")
}

var errNotGiven = errors.New("not among the given objects")

// NamespaceLabels implements Lookup.
func (l *FileLookup) NamespaceLabels(_ context.Context, name string) (map[string]string, error) {
	labels, ok := l.namespaces[name]
	if !ok {
		return nil, errNotGiven
	}
	return labels, nil
}

// Whole implements Lookup: of objects that are given, their metadata is all that is kept.
func (l *FileLookup) Whole(context.Context, ObjectKey) ([]byte, error) { return nil, errNotGiven }

// Object implements Lookup.
func (l *FileLookup) Object(_ context.Context, key ObjectKey) (ObjectMeta, error) {
	m, ok := l.objects[objectID(key.Group, key.Resource, key.Namespace, key.Name)]
	if !ok {
		return ObjectMeta{}, errNotGiven
	}
	return m, nil
}
