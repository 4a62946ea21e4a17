package pace

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// entry is one verb on one object.
type entry struct {
	object uint64 // digest of the verb and the object
	at     int64  // milliseconds since 1970
	// namespace is a digest, or 0 for what is in none. Two namespaces of one digest (one
	// in four thousand million) are counted as one.
	namespace uint32
	// own says that this process counted it.
	own bool
}

// record holds entries of different objects, in no order.
type record struct {
	entries []entry
	own     int
}

// find returns the entry of an object, or nil. It is part of the record.
func (r *record) find(object uint64) *entry {
	for i := range r.entries {
		if r.entries[i].object == object {
			return &r.entries[i]
		}
	}
	return nil
}

// after is how many entries are younger than since.
func (r *record) after(since int64) int {
	n := 0
	for _, e := range r.entries {
		if e.at > since {
			n++
		}
	}
	return n
}

// add adds an entry, or has the one of its object be as of the later of both. Where there
// are limit of them it takes the place of the oldest, unless it is older than all. It
// reports whether anything changed.
func (r *record) add(e entry, limit int) bool {
	place := r.find(e.object)
	switch {
	case place != nil:
		e = entry{e.object, max(e.at, place.at), e.namespace, e.own || place.own}
	case len(r.entries) < limit:
		r.entries = append(r.entries, entry{})
		place = &r.entries[len(r.entries)-1]
	default:
		place = &r.entries[0]
		for i := range r.entries {
			if r.entries[i].at < place.at {
				place = &r.entries[i]
			}
		}
		if e.at < place.at {
			return false
		}
	}
	if place.own {
		r.own--
	}
	if e.own {
		r.own++
	}
	changed := *place != e
	*place = e
	return changed
}

// expire drops what is not younger than since.
func (r *record) expire(since int64) {
	r.entries = slices.DeleteFunc(r.entries, func(e entry) bool {
		if e.at <= since && e.own {
			r.own--
		}
		return e.at <= since
	})
}

// with adds a namespace to a list of different ones.
func with(list []uint32, namespace uint32) []uint32 {
	if namespace == 0 || slices.Contains(list, namespace) {
		return list
	}
	return append(list, namespace)
}

// crowdActor stands for nobody in particular.
const crowdActor = 0

// mark says whose an operation is, and what is counted of it. Digests are of 64 bits:
// among as many entries as a Book holds, two are the same by chance once in 10^10 Books,
// and who wants to make two the same would have to choose the uids of objects, which the
// API server does. They do not depend on the process, so that replicas agree on them.
func mark(op *operation.Operation) (actor uint64, e entry) {
	// Of this size the texts of almost all objects are put together on the stack.
	var buffer [512]byte
	digest := func(what string, parts ...string) [sha256.Size]byte {
		text := append(buffer[:0], what...)
		for _, part := range parts {
			text = append(append(text, 0), part...) // no name holds a zero
		}
		return sha256.Sum256(text)
	}
	object := digest("object", string(op.Verb), op.Target.UID, op.Target.Ref)
	if op.Target.Within != "" { // mollyguard itself: an upgrade is one thing, as it is one use of a grant
		object = digest("within", op.Target.Within)
	}
	e = entry{object: binary.BigEndian.Uint64(object[:]), at: op.Time.UnixMilli()}
	namespace := op.Target.Namespace
	if op.Target.Group == "" && op.Target.Resource == "namespaces" {
		namespace = op.Target.Name
	}
	if namespace != "" {
		e.namespace = max(fnv32(namespace), 1)
	}
	who := digest("actor", op.Actor.Name)
	return max(binary.BigEndian.Uint64(who[:]), crowdActor+1), e
}

// fnv32 is hash/fnv's New32a without its allocation. It only tells namespaces apart, to
// say how many there are.
func fnv32(text string) uint32 {
	const offset, prime = 2166136261, 16777619 // http://www.isthe.com/chongo/tech/comp/fnv/
	sum := uint32(offset)
	for i := range len(text) {
		sum = (sum ^ uint32(text[i])) * prime
	}
	return sum
}
