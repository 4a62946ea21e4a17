package index

import "k8s.io/apimachinery/pkg/runtime/schema"

// scheduled counts the pods on a node whose end nobody watches over: no budget covers
// them, and they are no DaemonSet's, whose pods go with their node whatever happens.
func (a *asking) scheduled() {
	on := a.x.findParent(called(roleNode, "", a.q.Name))
	if on == 0 {
		return
	}
	covers := map[int32]selection{}
	a.x.ofParent(a.x.parents.at(on).buckets, func(_ int32, b *bucketEntry) {
		a.x.members(b, func(id int32, r *recordEntry) bool {
			budgets, ok := covers[r.namespace]
			if !ok {
				budgets = a.x.budgetsOf(r.namespace)
				covers[r.namespace] = budgets
			}
			s := a.x.shapeAt(r.shape)
			controller := a.x.controllerOf(r)
			if !s.done && (controller == 0 || !a.x.isOf(controller, daemonSets)) &&
				!budgets.selects(s, a.x.extraOf(id), &a.compared) {
				a.tally.record(scheduled, id, a.x.isMarked(id))
			}
			return a.looksOn()
		})
	})
}

// covered finds out whether a controller will replace a pod, and a budget covers it. What
// is not known of pods and budgets for sure does not cover.
func (a *asking) covered() {
	id := a.self()
	if id == 0 || a.x.doubt(pods) != "" || a.x.doubt(budgets) != "" {
		return
	}
	r := a.x.records.at(id)
	a.isCovered = a.x.controllerOf(r) != 0 &&
		a.x.budgetsOf(r.namespace).selects(a.x.shapeAt(r.shape), a.x.extraOf(id), &a.compared)
}

// budgetsOf are the selectors of the budgets of a namespace that are worth something.
func (x *Index) budgetsOf(namespace int32) selection {
	var selectors []*podSelector
	kind := x.kindIDs[budgets]
	if kind == 0 || namespace == 0 {
		return selection{}
	}
	x.ofParent(x.namespaces.at(namespace).buckets, func(_ int32, b *bucketEntry) {
		if b.kind != kind {
			return
		}
		x.members(b, func(id int32, _ *recordEntry) bool {
			if selector, ok := x.facts[id].(*podSelector); ok {
				selectors = append(selectors, selector)
			}
			return true
		})
	})
	return selectionOf(selectors...)
}

// controllerOf is the owner that controls an object, or 0.
func (x *Index) controllerOf(r *recordEntry) int32 {
	controller := int32(0)
	x.placesOf(r, func(b *bucketEntry) {
		if b.flags&flagControlled != 0 {
			controller = b.parent
		}
	})
	return controller
}

// isOf reports whether an owner is of a kind, as far as the index has it.
func (x *Index) isOf(owner int32, kind schema.GroupResource) bool {
	found := false
	x.withID(x.parents.at(owner).id, func(_ int32, r *recordEntry) { found = found || x.kinds.at(r.kind).resource == kind })
	return found
}
