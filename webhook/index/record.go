package index

import "k8s.io/apimachinery/pkg/runtime/schema"

// The store is five tables whose entries name each other by number:
//
//	record ──first link──► link ──► bucket ──► parent: an owner, a node, a claim
//	  │                     │ └─ the next link of the same record
//	  │                     └─ the next link of the same bucket
//	  └─ kind, namespace, shape          bucket lists: of its parent or namespace, of its kind
//
// A bucket counts the objects that are alike in all that an answer is made of, and lists
// them. Every object is in one bucket by where it lives (its home), and in one by each
// owner, node and claim that it hangs on. So a namespace, a kind and an owner are counted
// by adding up their buckets, whatever the number of objects.

// recordEntry is what is kept of an object: 64 bytes, and its name.
type recordEntry struct {
	id                     identity
	name                   string
	kind, namespace, shape int32
	links                  int32 // the first
	sameName, sameID       int32 // the next of the same hash
	sweep                  uint32
	terminating            bool
}

// flags are what tells buckets of the same place apart.
type flags uint8

const (
	// flagOwn: the objects are production by themselves.
	flagOwn flags = 1 << iota
	// flagOwned: the parent is an owner.
	flagOwned
	// flagControlled: and their controller.
	flagControlled
	// flagWalk: each object must be looked at, since it is an owner itself, or has several.
	flagWalk
)

// place says which bucket.
type place struct {
	// parent is 0 for a home; namespace is 0 for what is in none.
	parent, kind, namespace, shape int32
	flags                          flags
}

// bucketEntry counts and lists objects of one place.
type bucketEntry struct {
	place
	objects, first int32 // first is a link
	same           int32 // the next of the same hash
	of, like       neighbours
}

// neighbours are the buckets before and after in a list.
type neighbours struct{ before, after int32 }

// linkEntry puts a record in a bucket.
type linkEntry struct {
	record, bucket int32
	before, after  int32 // in the bucket
	more           int32 // the record's next link
}

// parentEntry is what others hang on. It is there as long as something does, whether it is
// itself in the index or not.
type parentEntry struct {
	id            identity
	buckets, same int32
}

// namespaceEntry is there as long as the namespace or something in it is.
type namespaceEntry struct {
	name    string
	buckets int32
	// objects are in it, and so many of them are production by themselves.
	objects, own int32
	// there: the namespace itself is in the index. whole: all in it is production.
	there, whole bool
}

// holds reports whether the namespace holds production.
func (n *namespaceEntry) holds() bool { return n.own > 0 || n.whole && (n.there || n.objects > 0) }

// kindEntry is there from its first mention until it is forgotten.
type kindEntry struct {
	resource schema.GroupResource
	name     string
	state    State
	buckets  int32
	// objects are so many, and so many of them production.
	objects, production int32
	// sweep numbers the readings anew, and stale counts the objects that the last one
	// has not met.
	sweep uint32
	stale int32
}

// whole reports whether all in a namespace is production.
func (x *Index) whole(namespace int32) bool {
	return namespace != 0 && x.namespaces.at(namespace).whole
}

// production reports whether the objects of a bucket are production.
func (x *Index) production(p place) bool { return p.flags&flagOwn != 0 || x.whole(p.namespace) }

// ofParent calls f with the buckets in the list of a parent or namespace, and ofKind
// with those in the list of a kind.
func (x *Index) ofParent(first int32, f func(int32, *bucketEntry)) {
	for id := first; id != 0; {
		b := x.buckets.at(id)
		f(id, b)
		id = b.of.after
	}
}

func (x *Index) ofKind(first int32, f func(int32, *bucketEntry)) {
	for id := first; id != 0; {
		b := x.buckets.at(id)
		f(id, b)
		id = b.like.after
	}
}

// members calls f with the records of a bucket until it says false.
func (x *Index) members(b *bucketEntry, f func(int32, *recordEntry) bool) {
	for id := b.first; id != 0; {
		l := x.links.at(id)
		if !f(l.record, x.records.at(l.record)) {
			return
		}
		id = l.after
	}
}

// placesOf calls f with the buckets that a record is in.
func (x *Index) placesOf(r *recordEntry, f func(*bucketEntry)) {
	for id := r.links; id != 0; {
		l := x.links.at(id)
		f(x.buckets.at(l.bucket))
		id = l.more
	}
}
