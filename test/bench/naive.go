package main

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/webhook/index"
)

// metadataMap is what an informer of metadata keeps, without the annotations and managed
// fields, which a transformation can drop: a map of PartialObjectMetadata by name. It
// answers by looking at all.
type metadataMap struct {
	objects map[metadataKey]*metav1.PartialObjectMetadata
}

type metadataKey struct {
	resource        schema.GroupResource
	namespace, name string
}

func newMetadataMap() *metadataMap {
	return &metadataMap{map[metadataKey]*metav1.PartialObjectMetadata{}}
}

func (s *metadataMap) put(o index.Object) {
	clone := strings.Clone // as a decoder makes them
	m := &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: o.Kind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: clone(o.Namespace), Name: clone(o.Name), UID: types.UID(clone(o.UID)), ResourceVersion: clone("123456789"),
		},
	}
	if o.Labels != nil {
		m.Labels = make(map[string]string, len(o.Labels))
		for key, value := range o.Labels {
			m.Labels[clone(key)] = clone(value)
		}
	}
	for _, owner := range o.Owners {
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{
			APIVersion: clone("apps/v1"), Kind: clone("ReplicaSet"), Name: clone(o.Name), UID: types.UID(clone(owner.UID)),
			Controller: new(owner.Controller), BlockOwnerDeletion: new(true),
		})
	}
	s.objects[metadataKey{o.Resource, m.Namespace, m.Name}] = m
}

func (s *metadataMap) below(q index.Question) int {
	switch q.Resource {
	case namespaces.resource:
		return s.count(func(key metadataKey) bool { return key.namespace == q.Name })
	case definitions.resource:
		instances := schema.ParseGroupResource(q.Name)
		return s.count(func(key metadataKey) bool { return key.resource == instances })
	}
	return s.owned(types.UID(q.UID))
}

func (s *metadataMap) count(is func(metadataKey) bool) (n int) {
	for key := range s.objects {
		if is(key) {
			n++
		}
	}
	return n
}

// owned counts what an owner owns, through any depth.
func (s *metadataMap) owned(owner types.UID) (n int) {
	children := map[types.UID][]types.UID{}
	for _, m := range s.objects {
		for _, o := range m.OwnerReferences {
			children[o.UID] = append(children[o.UID], m.UID)
		}
	}
	for left := []types.UID{owner}; len(left) > 0; {
		below := children[left[len(left)-1]]
		left = append(left[:len(left)-1], below...)
		n += len(below)
	}
	return n
}
