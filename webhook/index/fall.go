package index

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// maxWalk bounds how many objects, and buckets of objects, of one question are looked at
// one by one: at some 400 ns each it takes 40 ms, a time that a review has to spare.
// Objects that own nothing and have one owner, nearly all, are counted without.
const maxWalk = 100_000

// fall finds what falls with an object: what it owns, what that owns, and so on. Of what
// falls, a namespace takes along what is in it, and a definition its instances.
type fall struct {
	*asking
	// root is what the question is about, which does not fall with itself.
	root identity
	// going are owners that go, and gone the objects that were looked at and do.
	going, gone set
	queue       []int32
	// below are buckets of objects that go and may be owners.
	below  []int32
	walked int
}

// owner notes that an owner goes.
func (f *fall) owner(id identity) {
	p := f.x.findParent(id)
	if p == 0 || f.going.has(p) {
		return
	}
	f.going.add(p)
	f.queue = append(f.queue, p)
}

func (f *fall) run() {
	special := map[int32]bool{f.x.kindIDs[namespaces]: true, f.x.kindIDs[definitions]: true}
	claimKind := f.x.kindIDs[claims]
	for f.walked <= maxWalk && (len(f.queue) > 0 || len(f.below) > 0) {
		if n := len(f.below); n > 0 {
			b := f.x.buckets.at(f.below[n-1])
			f.below = f.below[:n-1]
			f.walk(b, func(_ int32, r *recordEntry) { f.owner(r.id) })
			continue
		}
		p := f.queue[len(f.queue)-1]
		f.queue = f.queue[:len(f.queue)-1]
		f.x.ofParent(f.x.parents.at(p).buckets, func(id int32, b *bucketEntry) {
			switch {
			case b.flags&flagWalk != 0 || special[b.kind]:
				production := f.x.production(b.place)
				f.walk(b, func(id int32, r *recordEntry) { f.take(id, r, production) })
			case b.kind == claimKind:
				f.claims.add(id, f.x.production(b.place))
				fallthrough
			default:
				f.walked++
				f.tally.bucket(ownedBy, id, b)
			}
		})
	}
	if f.walked > maxWalk {
		f.unknown = append(f.unknown, fmt.Sprintf("all that it owns (more than %d objects must be looked at)", maxWalk))
	}
}

func (f *fall) walk(b *bucketEntry, visit func(int32, *recordEntry)) {
	f.x.members(b, func(id int32, r *recordEntry) bool {
		f.walked++
		visit(id, r)
		return f.walked <= maxWalk
	})
}

// take looks at one object of an owner that goes.
func (f *fall) take(id int32, r *recordEntry, production bool) {
	if r.id == f.root && r.id != (identity{}) || f.gone.has(id) || !f.goes(r) {
		return
	}
	f.gone.add(id)
	f.tally.record(ownedBy, id, production)
	f.owner(r.id)
	switch f.x.kinds.at(r.kind).resource {
	case claims:
		f.claims.add(-id, production)
	case namespaces:
		f.containedIn(f.x.namespaceIDs[r.name])
	case definitions:
		f.instancesOf(schema.ParseGroupResource(r.name))
	}
}

// goes reports whether the garbage collector takes an object: if all of its owners go.
// When another of its owners turns out to go later, it is looked at again.
func (f *fall) goes(r *recordEntry) bool {
	goes := true
	f.x.placesOf(r, func(b *bucketEntry) {
		if b.flags&flagOwned == 0 || f.going.has(b.parent) {
			return
		}
		f.x.withID(f.x.parents.at(b.parent).id, func(_ int32, owner *recordEntry) {
			goes = goes && owner.terminating
		})
	})
	return goes
}

// set is a set of numbers of entries, in one bit each.
type set []uint64

func (s set) has(id int32) bool { return int(id>>6) < len(s) && s[id>>6]&(1<<(id&63)) != 0 }

func (s *set) add(id int32) {
	if need := int(id>>6) + 1; need > len(*s) {
		*s = append(*s, make([]uint64, need-len(*s))...)
	}
	(*s)[id>>6] |= 1 << (id & 63)
}
