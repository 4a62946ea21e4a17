package index

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// namespaceOf returns the number of a namespace, which it makes if there is none. Until
// the namespace itself is known only its name says whether it is production.
func (x *Index) namespaceOf(name string) int32 {
	if name == "" {
		return 0
	}
	if id := x.namespaceIDs[name]; id != 0 {
		return id
	}
	name = strings.Clone(name)
	id := x.namespaces.add(namespaceEntry{name: name, whole: x.nameIsProduction(name)})
	x.namespaceIDs[name] = id
	return id
}

func (x *Index) nameIsProduction(name string) bool {
	f := x.isProduction.Namespace
	return f != nil && f(name, nil)
}

// dropNamespace forgets a namespace that is not there and has nothing in it.
func (x *Index) dropNamespace(id int32) {
	if id == 0 {
		return
	}
	if n := x.namespaces.at(id); !n.there && n.objects == 0 {
		delete(x.namespaceIDs, n.name)
		x.namespaces.remove(id)
	}
}

// setNamespace says whether a namespace is there, and whether all in it is production.
func (x *Index) setNamespace(name string, there, whole bool) {
	id := x.namespaceOf(name)
	n := x.namespaces.at(id)
	held := n.holds()
	n.there = there
	if n.whole != whole {
		n.whole = whole
		x.ofParent(n.buckets, func(_ int32, b *bucketEntry) {
			switch {
			case b.flags&flagOwn != 0:
			case whole:
				x.countProduction(x.kinds.at(b.kind), b.objects)
			default:
				x.countProduction(x.kinds.at(b.kind), -b.objects)
			}
		})
	}
	if n.holds() != held {
		x.touch()
	}
	x.dropNamespace(id)
}

// kindOf returns the number of a kind, which it makes if there is none.
func (x *Index) kindOf(resource schema.GroupResource) int32 {
	if id := x.kindIDs[resource]; id != 0 {
		return id
	}
	resource = schema.GroupResource{Group: strings.Clone(resource.Group), Resource: strings.Clone(resource.Resource)}
	id := x.kinds.add(kindEntry{resource: resource, name: resource.Resource, state: State{Phase: Pending}})
	x.kindIDs[resource] = id
	return id
}

// defined reports whether there is a definition of a kind.
func (x *Index) defined(k *kindEntry) bool { return x.find(definitions, "", k.resource.String()) != 0 }

// definitionTurned is told that a definition has come or gone.
func (x *Index) definitionTurned(name string) {
	if id := x.kindIDs[schema.ParseGroupResource(name)]; id != 0 && x.kinds.at(id).production > 0 {
		x.touch()
	}
}

// Holders returns the parents that hold production, as far as the index knows.
func (x *Index) Holders() Holders {
	var h Holders
	x.mu.RLock()
	for name, id := range x.namespaceIDs {
		if x.namespaces.at(id).holds() {
			h.Namespaces = append(h.Namespaces, name)
		}
	}
	for _, id := range x.kindIDs {
		if k := x.kinds.at(id); k.production > 0 && x.defined(k) {
			h.Definitions = append(h.Definitions, k.resource.String())
		}
	}
	x.mu.RUnlock()
	slices.Sort(h.Namespaces)
	slices.Sort(h.Definitions)
	return h
}

// Changed returns a channel that is sent to when Holders may differ from before. Several
// changes may be one signal. It is for one reader.
func (x *Index) Changed() <-chan struct{} { return x.changed }

func (x *Index) touch() {
	select {
	case x.changed <- struct{}{}:
	default: // a signal is waiting already
	}
}
