package index

import "k8s.io/apimachinery/pkg/runtime/schema"

// swept is how many records one step of a sweep looks at while it holds the store: at
// some 5 ns to look and 1 µs to remove, never much more than 1 ms.
const swept = 1024

// Sweep is the reading anew of a whole kind, in as many pieces as it comes in: what it
// does not meet is not there any more. The zero one ends nothing.
type Sweep struct {
	resource schema.GroupResource
	number   uint32
}

// Begin begins a sweep: Put what there is, and End it. Nothing is forgotten before the
// end, so that one which breaks off does no harm. A kind has one sweep at a time: to
// begin another makes the one before end nothing.
func (x *Index) Begin(resource schema.GroupResource) Sweep {
	x.mu.Lock()
	defer x.mu.Unlock()
	k := x.kinds.at(x.kindOf(resource))
	k.sweep++
	k.stale = k.objects
	return Sweep{resource: resource, number: k.sweep}
}

// End forgets all objects of the kind that were not Put since the sweep began. It lets
// others in between.
func (x *Index) End(s Sweep) {
	x.drop(s.resource, func(k *kindEntry) bool { return k.sweep == s.number && k.stale > 0 },
		func(k *kindEntry, r *recordEntry) bool { return r.sweep != k.sweep })
}

// Forget forgets a kind that is not there any more, with all its objects.
func (x *Index) Forget(resource schema.GroupResource) {
	x.drop(resource, func(k *kindEntry) bool { return k.objects > 0 }, func(*kindEntry, *recordEntry) bool { return true })
	x.mu.Lock()
	defer x.mu.Unlock()
	if id := x.kindIDs[resource]; id != 0 && x.kinds.at(id).objects == 0 {
		delete(x.kindIDs, resource)
		x.kinds.remove(id)
	}
	x.noteSynced()
}

// drop removes the records of a kind that are to go, while it has any.
func (x *Index) drop(resource schema.GroupResource, has func(*kindEntry) bool, goes func(*kindEntry, *recordEntry) bool) {
	for from, more := int32(1), true; more; from += swept {
		more = x.dropSome(resource, from, has, goes)
	}
}

// dropSome looks at some records from one on, and reports whether there may be more. It
// goes by number, since lists change when others write between the steps. What is put
// meanwhile is not for it to remove.
func (x *Index) dropSome(resource schema.GroupResource, from int32, has func(*kindEntry) bool, goes func(*kindEntry, *recordEntry) bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	kindID := x.kindIDs[resource]
	if kindID == 0 {
		return false
	}
	k := x.kinds.at(kindID)
	for id := from; id < min(from+swept, x.records.next) && has(k); id++ {
		if r := x.records.at(id); r.kind == kindID && goes(k, r) {
			x.remove(id)
		}
	}
	return has(k) && from+swept < x.records.next
}
