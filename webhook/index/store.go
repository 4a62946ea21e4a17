package index

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Options are what an Index is made with.
type Options struct {
	Production Production
	// Registerer takes the metrics mollyguard_index_objects, mollyguard_index_kinds and
	// mollyguard_index_synced; nil for none.
	Registerer prometheus.Registerer
}

// Index is the store and what it answers. All its methods may be called concurrently.
//
// A write holds it for some microseconds, an answer for less than a millisecond unless
// thousands of objects must be looked at one by one (see maxWalk and maxCompared).
//
// It takes about 260 bytes an object (BenchmarkBuild). Who may create objects can make it
// grow, by no more than etcd holds of them, and some 100 KB an object: it keeps names, and
// for pods what they mount and are labelled with, up to bounds (see maxText). What objects leave behind is used again for others but not given
// back: it is as large as the cluster ever was.
type Index struct {
	isProduction Production
	hash         hasher
	changed      chan struct{}

	mu         sync.RWMutex
	records    slab[recordEntry]
	links      slab[linkEntry]
	buckets    slab[bucketEntry]
	parents    slab[parentEntry]
	shapes     slab[shapeEntry]
	namespaces slab[namespaceEntry]
	kinds      slab[kindEntry]
	// facts of the objects of some kinds, as their kind needs them.
	facts map[int32]any

	byName   table[recordEntry]
	byID     table[recordEntry]
	byPlace  table[bucketEntry]
	byParent table[parentEntry]
	byShape  table[shapeEntry]

	namespaceIDs map[string]int32
	kindIDs      map[schema.GroupResource]int32
	// turned are those who became owners in the write at hand, or ceased to be.
	turned []identity

	discovery Discovery
	// read says that all was read once.
	read bool
	// synced and complete are whether Synced and Complete were nil when last looked at.
	synced, complete bool
}

// New returns an index that knows nothing yet.
func New(opts Options) *Index {
	x := &Index{
		isProduction: opts.Production,
		hash:         hasher{seed: maphash.MakeSeed()},
		changed:      make(chan struct{}, 1),
		facts:        map[int32]any{},
		namespaceIDs: map[string]int32{},
		kindIDs:      map[schema.GroupResource]int32{},
	}
	x.byName = newTable(&x.records, func(r *recordEntry) *int32 { return &r.sameName })
	x.byID = newTable(&x.records, func(r *recordEntry) *int32 { return &r.sameID })
	x.byPlace = newTable(&x.buckets, func(b *bucketEntry) *int32 { return &b.same })
	x.byParent = newTable(&x.parents, func(p *parentEntry) *int32 { return &p.same })
	x.byShape = newTable(&x.shapes, func(s *shapeEntry) *int32 { return &s.same })
	x.register(opts.Registerer)
	return x
}

// Put takes an object in, in place of what had its kind, namespace and name. It keeps
// nothing of what it is given but pointers to the selectors of budgets and services.
func (x *Index) Put(o Object) {
	t := x.take(o)
	x.mu.Lock()
	defer x.mu.Unlock()
	kindID := x.kindOf(o.Resource)
	k := x.kinds.at(kindID)
	if k.name != o.Kind && o.Kind != "" {
		k.name = strings.Clone(o.Kind)
	}
	namespaceID := x.namespaceOf(o.Namespace)
	hash := x.hash.nameOf(kindID, namespaceID, o.Name)
	id := x.byName.find(hash, func(r *recordEntry) bool {
		return r.kind == kindID && r.namespace == namespaceID && r.name == o.Name
	})
	isNew := id == 0
	if isNew {
		id = x.records.add(recordEntry{name: strings.Clone(o.Name), kind: kindID, namespace: namespaceID, sweep: k.sweep})
		x.byName.add(hash, id)
	}
	r := x.records.at(id)
	if r.sweep != k.sweep {
		r.sweep = k.sweep
		k.stale--
	}
	r.terminating = t.terminating
	x.identify(id, r, t.id)
	x.relink(id, x.placesFor(r, t))
	if t.facts != nil {
		x.facts[id] = t.facts
	} else {
		delete(x.facts, id)
	}
	switch o.Resource {
	case namespaces:
		x.setNamespace(o.Name, true, t.whole)
	case definitions:
		if isNew {
			x.definitionTurned(o.Name)
		}
	}
	x.settle()
}

// identify gives a record its uid.
func (x *Index) identify(id int32, r *recordEntry, uid identity) {
	if r.id == uid {
		return
	}
	if r.id != (identity{}) {
		x.byID.remove(x.hash.bytes(r.id[:]), id)
	}
	r.id = uid
	if uid != (identity{}) {
		x.byID.add(x.hash.bytes(uid[:]), id)
	}
}

// Remove forgets an object. To remove what is not there does nothing.
func (x *Index) Remove(resource schema.GroupResource, namespace, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if id := x.find(resource, namespace, name); id != 0 {
		x.remove(id)
	}
}

// find returns the record of a name, or 0.
func (x *Index) find(resource schema.GroupResource, namespace, name string) int32 {
	kindID, namespaceID := x.kindIDs[resource], x.namespaceIDs[namespace]
	if kindID == 0 || namespaceID == 0 && namespace != "" {
		return 0
	}
	return x.byName.find(x.hash.nameOf(kindID, namespaceID, name), func(r *recordEntry) bool {
		return r.kind == kindID && r.namespace == namespaceID && r.name == name
	})
}

func (x *Index) remove(id int32) {
	r := x.records.at(id)
	k := x.kinds.at(r.kind)
	if r.sweep != k.sweep {
		k.stale--
	}
	resource, name, in := k.resource, r.name, r.namespace
	x.relink(id, nil)
	x.identify(id, r, identity{})
	x.byName.remove(x.hash.nameOf(r.kind, r.namespace, r.name), id)
	x.records.remove(id)
	delete(x.facts, id)
	x.dropNamespace(in)
	switch resource {
	case namespaces:
		x.setNamespace(name, false, x.nameIsProduction(name))
	case definitions:
		x.definitionTurned(name)
	}
	x.settle()
}
