package index

import "hash/maphash"

// chunk is how many entries of a slab are allocated at once: 1,024 entries of the
// largest kind (64 bytes) are 64 KiB, too little to waste and too few to be many.
const (
	chunkBits = 10
	chunk     = 1 << chunkBits
)

// slab holds entries of one type by a number, so that they can name each other in four
// bytes, and the garbage collector has few pointers to follow. It grows by chunks: what
// is there is never copied, and pointers to entries stay good. No entry has number 0.
// What was freed is used again; a slab never shrinks.
type slab[T any] struct {
	chunks []*[chunk]T
	free   []int32
	next   int32
}

// at returns the entry with a number.
func (s *slab[T]) at(id int32) *T { return &s.chunks[id>>chunkBits][id&(chunk-1)] }

// add puts an entry in and returns its number.
func (s *slab[T]) add(entry T) int32 {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		*s.at(id) = entry
		return id
	}
	if s.next == 0 {
		s.next = 1
	}
	id := s.next
	if int(id>>chunkBits) == len(s.chunks) {
		s.chunks = append(s.chunks, new([chunk]T))
	}
	s.next++
	*s.at(id) = entry
	return id
}

// remove frees an entry.
func (s *slab[T]) remove(id int32) {
	var zero T
	*s.at(id) = zero
	s.free = append(s.free, id)
}

// len is how many entries are in use.
func (s *slab[T]) len() int {
	if s.next == 0 {
		return 0
	}
	return int(s.next) - 1 - len(s.free)
}

// table finds entries of a slab by what they hold, of which it keeps 32 bits of a hash:
// entries whose hashes are the same are chained through a field of their own, and told
// apart by looking at them, so that none is ever taken for another.
type table[T any] struct {
	entries *slab[T]
	heads   map[uint32]int32
	next    func(*T) *int32
}

func newTable[T any](entries *slab[T], next func(*T) *int32) table[T] {
	return table[T]{entries: entries, heads: map[uint32]int32{}, next: next}
}

// find returns the first entry with a hash that is the one, or 0.
func (t *table[T]) find(hash uint32, is func(*T) bool) int32 {
	for id := t.heads[hash]; id != 0; {
		entry := t.entries.at(id)
		if is(entry) {
			return id
		}
		id = *t.next(entry)
	}
	return 0
}

// after returns the entry of the same chain that follows one, or 0.
func (t *table[T]) after(id int32) int32 { return *t.next(t.entries.at(id)) }

func (t *table[T]) add(hash uint32, id int32) {
	*t.next(t.entries.at(id)) = t.heads[hash]
	t.heads[hash] = id
}

// remove takes an entry out that was added with this hash.
func (t *table[T]) remove(hash uint32, id int32) {
	after := *t.next(t.entries.at(id))
	head := t.heads[hash]
	switch {
	case head != id:
		for t.after(head) != id {
			head = t.after(head)
		}
		*t.next(t.entries.at(head)) = after
	case after == 0:
		delete(t.heads, hash)
	default:
		t.heads[hash] = after
	}
}

// hasher hashes with a key of this process, so that nobody can choose names whose
// hashes are the same.
type hasher struct{ seed maphash.Seed }

func (h hasher) bytes(b []byte) uint32 { return fold(maphash.Bytes(h.seed, b)) }

func (h hasher) nameOf(kind, namespace int32, name string) uint32 {
	// The same name in every namespace is usual (kube-root-ca.crt), so the numbers must
	// reach all bits: the multiplier is 2^64 divided by the golden ratio (Knuth, 6.4).
	mixed := maphash.String(h.seed, name) ^ uint64(uint32(kind))<<32 ^ uint64(uint32(namespace))
	return uint32(mixed * 0x9e3779b97f4a7c15 >> 32)
}

func fold(h uint64) uint32 { return uint32(h>>32) ^ uint32(h) }
