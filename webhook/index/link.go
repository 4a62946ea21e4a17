package index

import (
	"encoding/binary"
	"slices"
)

// relink puts a record in exactly the buckets of some places. What it is in already
// stays as it is, and the new is made before the old goes: a count that does not change
// is never seen to.
func (x *Index) relink(id int32, want []place) {
	r := x.records.at(id)
	stale := make([]int32, 0, 8)
	done := make([]bool, len(want))
	first := r.links
	r.links = 0
	for l := first; l != 0; {
		at := x.links.at(l)
		next := at.more
		if i := slices.Index(want, x.buckets.at(at.bucket).place); i >= 0 && !done[i] {
			done[i] = true
			at.more, r.links = r.links, l
		} else {
			stale = append(stale, l)
		}
		l = next
	}
	for i, p := range want {
		if !done[i] {
			x.link(id, r, p)
		}
	}
	for _, l := range stale {
		x.unlink(l)
	}
}

func (x *Index) link(id int32, r *recordEntry, p place) {
	in := x.bucketOf(p)
	b := x.buckets.at(in)
	l := x.links.add(linkEntry{record: id, bucket: in, after: b.first, more: r.links})
	if b.first != 0 {
		x.links.at(b.first).before = l
	}
	b.first, r.links = l, l
	b.objects++
	x.count(p, 1)
}

func (x *Index) unlink(id int32) {
	l := *x.links.at(id)
	b := x.buckets.at(l.bucket)
	if l.before != 0 {
		x.links.at(l.before).after = l.after
	} else {
		b.first = l.after
	}
	if l.after != 0 {
		x.links.at(l.after).before = l.before
	}
	x.links.remove(id)
	b.objects--
	x.count(b.place, -1)
	if b.objects == 0 {
		x.dropBucket(l.bucket)
	}
}

// count keeps the sums of what is at home somewhere.
func (x *Index) count(p place, by int32) {
	if p.parent != 0 {
		return
	}
	k := x.kinds.at(p.kind)
	k.objects += by
	if x.production(p) {
		x.countProduction(k, by)
	}
	if p.namespace == 0 {
		return
	}
	n := x.namespaces.at(p.namespace)
	held := n.holds()
	n.objects += by
	if p.flags&flagOwn != 0 {
		n.own += by
	}
	if n.holds() != held {
		x.touch()
	}
}

func (x *Index) countProduction(k *kindEntry, by int32) {
	had := k.production > 0
	k.production += by
	if had != (k.production > 0) && x.defined(k) {
		x.touch()
	}
}

// bucketOf returns the bucket of a place, which it makes if there is none.
func (x *Index) bucketOf(p place) int32 {
	hash := x.hash.place(p)
	id := x.byPlace.find(hash, func(b *bucketEntry) bool { return b.place == p })
	if id != 0 {
		return id
	}
	id = x.buckets.add(bucketEntry{place: p})
	x.byPlace.add(hash, id)
	x.holdShape(p.shape)
	b := x.buckets.at(id)
	if first := x.firstOf(p); first != nil {
		b.of.after = *first
		if *first != 0 {
			x.buckets.at(*first).of.before = id
		}
		*first = id
	}
	if p.parent == 0 {
		k := x.kinds.at(p.kind)
		b.like.after = k.buckets
		if k.buckets != 0 {
			x.buckets.at(k.buckets).like.before = id
		}
		k.buckets = id
	}
	return id
}

// firstOf is where the list begins that a bucket is in: its parent's, or for a home its
// namespace's; nil if there is none.
func (x *Index) firstOf(p place) *int32 {
	switch {
	case p.parent != 0:
		return &x.parents.at(p.parent).buckets
	case p.namespace != 0:
		return &x.namespaces.at(p.namespace).buckets
	}
	return nil
}

func (x *Index) dropBucket(id int32) {
	b := *x.buckets.at(id)
	if first := x.firstOf(b.place); first != nil {
		if b.of.before != 0 {
			x.buckets.at(b.of.before).of.after = b.of.after
		} else {
			*first = b.of.after
		}
		if b.of.after != 0 {
			x.buckets.at(b.of.after).of.before = b.of.before
		}
	}
	if b.parent == 0 {
		if b.like.before != 0 {
			x.buckets.at(b.like.before).like.after = b.like.after
		} else {
			x.kinds.at(b.kind).buckets = b.like.after
		}
		if b.like.after != 0 {
			x.buckets.at(b.like.after).like.before = b.like.before
		}
	}
	x.byPlace.remove(x.hash.place(b.place), id)
	x.buckets.remove(id)
	x.dropShape(b.shape)
	if b.parent != 0 && x.parents.at(b.parent).buckets == 0 {
		x.dropParent(b.parent)
	}
}

// parentOf returns who is hung on by this identity, whom it makes if there is none.
func (x *Index) parentOf(id identity) int32 {
	if p := x.findParent(id); p != 0 {
		return p
	}
	p := x.parents.add(parentEntry{id: id})
	x.byParent.add(x.hash.bytes(id[:]), p)
	x.turned = append(x.turned, id)
	return p
}

func (x *Index) findParent(id identity) int32 {
	if id == (identity{}) {
		return 0
	}
	return x.byParent.find(x.hash.bytes(id[:]), func(p *parentEntry) bool { return p.id == id })
}

func (x *Index) dropParent(p int32) {
	id := x.parents.at(p).id
	x.byParent.remove(x.hash.bytes(id[:]), p)
	x.parents.remove(p)
	x.turned = append(x.turned, id)
}

// settle moves the records of those who became owners, or are none any more, to the
// buckets of their like.
func (x *Index) settle() {
	for _, id := range x.turned {
		x.withID(id, func(record int32, r *recordEntry) {
			var want []place
			x.placesOf(r, func(b *bucketEntry) { want = append(want, b.place) })
			x.markWalk(r, want)
			x.relink(record, want)
		})
	}
	x.turned = x.turned[:0]
}

// markWalk sets who must be looked at one by one: an owner wherever it is, and what has
// several owners below each.
func (x *Index) markWalk(r *recordEntry, places []place) {
	owner := x.findParent(r.id) != 0
	owners := 0
	for _, p := range places {
		if p.flags&flagOwned != 0 {
			owners++
		}
	}
	for i := range places {
		p := &places[i]
		p.flags &^= flagWalk
		if owner && (p.parent == 0 || p.flags&flagOwned != 0) || owners > 1 && p.flags&flagOwned != 0 {
			p.flags |= flagWalk
		}
	}
}

// withID calls f with the records of a uid: one, or several where an API server shows
// the same object under two kinds.
func (x *Index) withID(id identity, f func(int32, *recordEntry)) {
	if id == (identity{}) {
		return
	}
	is := func(r *recordEntry) bool { return r.id == id }
	for at := x.byID.find(x.hash.bytes(id[:]), is); at != 0; at = x.byID.after(at) {
		if r := x.records.at(at); is(r) {
			f(at, r)
		}
	}
}

func (h hasher) place(p place) uint32 {
	var b [17]byte
	binary.LittleEndian.PutUint32(b[0:], uint32(p.parent))
	binary.LittleEndian.PutUint32(b[4:], uint32(p.kind))
	binary.LittleEndian.PutUint32(b[8:], uint32(p.namespace))
	binary.LittleEndian.PutUint32(b[12:], uint32(p.shape))
	b[16] = byte(p.flags)
	return h.bytes(b[:])
}
