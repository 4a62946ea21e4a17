package index

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
)

// shape is what objects of one template have in common, as far as somebody asks for it.
// It is kept once, and objects are counted by it, so that a question over 100,000 pods
// is one over their templates. Other kinds have the zero shape.
type shape struct {
	account, priority           string // of a pod
	labels, secrets, configMaps packed // of a pod
	done                        bool   // of a pod
	// labelsCut and namesCut say of a pod that it has more labels, or names more Secrets
	// and ConfigMaps, than are kept: it has none of them here.
	labelsCut, namesCut bool
	class, reclaim      string // of a volume; of a claim, the class
}

// shapeEntry is a shape in the slab. Buckets keep it alive.
type shapeEntry struct {
	shape
	buckets, same int32
}

// packed is a sorted list of words, each with a value: one string takes less than half
// of what a slice or a map does. A word ends with a NUL and a value with endOfValue,
// neither of which is in any name or label.
type packed string

const endOfValue = '\x01'

func pack(words []string) packed {
	if !slices.IsSorted(words) {
		words = slices.Sorted(slices.Values(words))
	}
	var b strings.Builder
	for _, word := range words {
		b.WriteString(word + "\x00\x01")
	}
	return packed(b.String())
}

func packLabels(set map[string]string) packed {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(set)) {
		b.WriteString(key + "\x00" + set[key] + "\x01")
	}
	return packed(b.String())
}

// has reports whether a word is in the list.
func (p packed) has(word string) bool {
	_, ok := p.lookup(word)
	return ok
}

// lookup finds the value of a word, by halves.
func (p packed) lookup(word string) (string, bool) {
	for rest := string(p); rest != ""; {
		// The entry around the middle, or the one that ends there.
		begin := strings.LastIndexByte(rest[:len(rest)/2], endOfValue) + 1
		entry, after, _ := strings.Cut(rest[begin:], string(endOfValue))
		key, value, _ := strings.Cut(entry, "\x00")
		switch strings.Compare(key, word) {
		case 0:
			return value, true
		case -1:
			rest = after
		default:
			rest = rest[:begin]
		}
	}
	return "", false
}

// ownLabels are the labels by which Kubernetes' controllers tell the pods of one
// template apart (k8s.io/api apps/v1 and batch/v1, well-known labels): kept with
// the pod, or else each would have a shape of its own.
var ownLabels = []string{
	"statefulset.kubernetes.io/pod-name",
	"apps.kubernetes.io/pod-index",
	"batch.kubernetes.io/job-completion-index",
	"batch.kubernetes.io/job-name",
	"batch.kubernetes.io/controller-uid",
	"job-name",
	"controller-uid",
}

// extra are the labels of one pod that are not its template's: for each the place in
// ownLabels, as one byte, and the value.
type extra string

// splitLabels takes a pod's own labels apart from its template's.
func splitLabels(set map[string]string) (template packed, own extra) {
	var b strings.Builder
	for i, key := range ownLabels {
		if value, ok := set[key]; ok {
			b.WriteByte(byte(i))
			b.WriteString(value)
			b.WriteByte(0)
		}
	}
	if b.Len() == 0 {
		return packLabels(set), ""
	}
	rest := maps.Clone(set)
	for _, key := range ownLabels {
		delete(rest, key)
	}
	return packLabels(rest), extra(b.String())
}

func (e extra) lookup(label string) (string, bool) {
	for rest := string(e); rest != ""; {
		var value string
		key := int(rest[0])
		if value, rest, _ = strings.Cut(rest[1:], "\x00"); key < len(ownLabels) && ownLabels[key] == label {
			return value, true
		}
	}
	return "", false
}

// podLabels are a pod's labels, as selectors read them (labels.Labels).
type podLabels struct {
	template packed
	own      extra
	// compared counts the labels that were asked for.
	compared *int
}

func (l *podLabels) Lookup(label string) (string, bool) {
	*l.compared++
	if value, ok := l.own.lookup(label); ok {
		return value, true
	}
	return l.template.lookup(label)
}

func (l *podLabels) Has(label string) bool {
	_, ok := l.Lookup(label)
	return ok
}

func (l *podLabels) Get(label string) string {
	value, _ := l.Lookup(label)
	return value
}

func (h hasher) shape(s *shape) uint32 {
	var hash maphash.Hash
	hash.SetSeed(h.seed)
	for _, part := range [...]string{
		s.account, s.priority, s.class, s.reclaim, string(s.labels), string(s.secrets), string(s.configMaps),
	} {
		_, _ = hash.WriteString(part) // maphash.Hash never fails
		_ = hash.WriteByte(0)
	}
	return fold(hash.Sum64())
}

// shapeOf returns the number of a shape, 0 for the zero one.
func (x *Index) shapeOf(s shape) int32 {
	if s == (shape{}) {
		return 0
	}
	hash := x.hash.shape(&s)
	id := x.byShape.find(hash, func(e *shapeEntry) bool { return e.shape == s })
	if id == 0 {
		// What it was read from may be a piece of something large.
		for _, part := range []*string{&s.account, &s.priority, &s.class, &s.reclaim} {
			*part = strings.Clone(*part)
		}
		id = x.shapes.add(shapeEntry{shape: s})
		x.byShape.add(hash, id)
	}
	return id
}

func (x *Index) holdShape(id int32) {
	if id != 0 {
		x.shapes.at(id).buckets++
	}
}

func (x *Index) dropShape(id int32) {
	if id == 0 {
		return
	}
	e := x.shapes.at(id)
	if e.buckets--; e.buckets == 0 {
		x.byShape.remove(x.hash.shape(&e.shape), id)
		x.shapes.remove(id)
	}
}

// shapeAt returns a shape by its number.
func (x *Index) shapeAt(id int32) *shape {
	if id == 0 {
		return &shape{}
	}
	return &x.shapes.at(id).shape
}
