package index

import (
	"cmp"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// The ways to depend, in short.
const (
	contained = operation.Contained
	instance  = operation.Instance
	ownedBy   = operation.Owned
	bound     = operation.Bound
	mounted   = operation.Mounted
	selected  = operation.Selected
	scheduled = operation.Scheduled
	uses      = operation.Uses
	scaled    = operation.Scaled
)

// takesAway are the ways to depend of what is deleted with the target.
var takesAway = map[operation.Via]bool{contained: true, instance: true, ownedBy: true}

const (
	// shown is how many names an entry has: as many as people read.
	shown = 5
	// candidates is among how many the first in order are looked for: looking at a name
	// takes some 100 ns, and a namespace may have a hundred kinds.
	candidates = 16
)

// tally counts dependents by how they depend and by kind.
type tally struct {
	x       *Index
	entries map[tallyKey]*tallyEntry
}

type tallyKey struct {
	via  operation.Via
	kind int32
}

type tallyEntry struct {
	objects, production int
	// marked are buckets of production, and of single records the numbers below zero;
	// others are the rest. Each has an object at least, so that candidates are enough.
	marked, others []int32
}

func (t *tally) entry(via operation.Via, kind int32) *tallyEntry {
	key := tallyKey{via, kind}
	e := t.entries[key]
	if e == nil {
		if t.entries == nil {
			t.entries = map[tallyKey]*tallyEntry{}
		}
		e = &tallyEntry{}
		t.entries[key] = e
	}
	return e
}

// bucket counts all objects of a bucket.
func (t *tally) bucket(via operation.Via, id int32, b *bucketEntry) {
	t.entry(via, b.kind).add(id, int(b.objects), t.x.production(b.place))
}

// record counts one object.
func (t *tally) record(via operation.Via, id int32, production bool) {
	t.entry(via, t.x.records.at(id).kind).add(-id, 1, production)
}

func (e *tallyEntry) add(id int32, objects int, production bool) {
	e.objects += objects
	list := &e.others
	if production {
		e.production += objects
		list = &e.marked
	}
	if len(*list) < candidates {
		*list = append(*list, id)
	}
}

// dependents are the entries in order. Objects of the namespace home are named without it.
func (t *tally) dependents(home int32) []operation.Dependents {
	var all []operation.Dependents
	for key, e := range t.entries {
		kind := t.x.kinds.at(key.kind)
		d := operation.Dependents{
			Kind: kind.name, Via: key.via, Count: e.objects, Production: e.production, Names: t.names(e, home),
		}
		all = append(all, d)
		// Whether one of them says that its resource stays is not kept here: it goes then.
		if e.production > 0 && takesAway[key.via] && InCloud(kind.resource.Group) {
			d.Via, d.Names = operation.Backs, slices.Clone(d.Names)
			all = append(all, d)
		}
	}
	ways := operation.Via("").Values()
	slices.SortFunc(all, func(a, b operation.Dependents) int {
		return cmp.Or(
			-compareBool(a.Production > 0, b.Production > 0),
			cmp.Compare(slices.Index(ways, string(a.Via)), slices.Index(ways, string(b.Via))),
			cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Kind, b.Kind),
			slices.Compare(a.Names, b.Names), // the same kind of two groups
		)
	})
	return all
}

// names are a few names, those of production first.
func (t *tally) names(e *tallyEntry, home int32) []string {
	names := t.some(e.marked, home)
	names = names[:min(len(names), shown)]
	if len(names) < shown {
		others := t.some(e.others, home)
		names = append(names, others[:min(len(others), shown-len(names))]...)
	}
	return names
}

func (t *tally) some(list []int32, home int32) []string {
	names := make([]string, 0, candidates)
	t.each(list, func(_ int32, r *recordEntry) bool {
		name := r.name
		if r.namespace != 0 && r.namespace != home {
			name = t.x.namespaces.at(r.namespace).name + "/" + name
		}
		names = append(names, name)
		return len(names) < candidates
	})
	slices.Sort(names)
	return names
}

// each calls f with the records of a list of buckets and records until it says false.
func (t *tally) each(list []int32, f func(int32, *recordEntry) bool) {
	more := true
	for _, id := range list {
		switch {
		case !more:
			return
		case id < 0:
			more = f(-id, t.x.records.at(-id))
		default:
			t.x.members(t.x.buckets.at(id), func(id int32, r *recordEntry) bool {
				more = f(id, r)
				return more
			})
		}
	}
}
