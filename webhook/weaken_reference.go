package webhook

import (
	"slices"
	"strconv"

	"github.com/mollyguard/mollyguard/operation"
)

// The finalizers by which Kubernetes keeps claims and volumes that are in use
// (k8s.io/kubernetes pkg/volume/util).
const (
	claimProtection  = "kubernetes.io/pvc-protection"
	volumeProtection = "kubernetes.io/pv-protection"
)

// ObjectRef names an object the way an owner reference does: its namespace is that of
// the object which it owns, or none.
type ObjectRef struct{ APIVersion, Kind, Name, UID string }

// owner is an entry of metadata.ownerReferences.
type owner struct {
	ObjectRef
	controller, blocks bool
}

// references are finalizers and owners: what keeps an object from going, and what
// takes it along.
var references = []weakening{
	{
		name: "a finalizer is dropped", verb: operation.Unprotect, through: carriers, meta: true,
		filter: func(g generator) string {
			path := []string{"metadata", "finalizers"}
			terms := []string{allOf(present(oldObject, "metadata", "deletionTimestamp"), changedMeta(path...), g.byHand())}
			for _, finalizer := range []string{claimProtection, volumeProtection} {
				terms = append(terms, losesMeta(func(object string) string { return strconv.Quote(finalizer) + " in " + at(object, "[]", path...) }))
			}
			return anyOf(terms...)
		},
		judge: judgeFinalizers,
	},
	{
		name: "an owner is added, or no longer waits", verb: operation.Unprotect, through: carriers, meta: true,
		filter: func(generator) string {
			path := []string{"metadata", "ownerReferences"}
			return allOf(filled(newObject, "[]", path...), changedMeta(path...))
		},
		judge: judgeOwners,
	},
}

func (s side) metadata(name string) node {
	text := s.object.finalizers
	if name == "ownerReferences" {
		text = s.object.owners
	}
	return node{text: text, path: "metadata." + name, faults: s.faults}
}

// judgeFinalizers looks at what a terminating object waits for. Operators take their
// own finalizer off when they are done, so a service account may. Those of claims and
// volumes are the control plane's alone.
func judgeFinalizers(u *update) {
	before := u.was.metadata("finalizers").texts()
	if len(before) == 0 {
		return
	}
	controlPlane := u.byControlPlane()
	after := map[string]bool{}
	for _, finalizer := range u.is.metadata("finalizers").texts() {
		after[finalizer] = true
	}
	for _, finalizer := range before {
		if after[finalizer] {
			continue
		}
		switch {
		case finalizer == claimProtection || finalizer == volumeProtection:
			if !controlPlane {
				u.says("finalizer %s dropped: nothing keeps it while it is in use", finalizer)
			}
		case u.was.terminating && u.byHand():
			u.says("finalizer %s dropped from an object that is being deleted: it goes at once, whatever the finalizer was there for", clipped(finalizer))
		}
	}
}

// maxOwners is how many owners of one update are looked up. Objects have one or two.
const maxOwners = 8

// judgeOwners judges what a person does. Operators add owners all day; whether theirs
// are there has to be looked up (needs.owners). An owner that goes unasked is nobody's to
// add but the control plane's.
func judgeOwners(u *update) {
	owners := u.ownersAdded()
	if len(owners) > maxOwners {
		u.is.faults.add("metadata.ownerReferences gains more than " + strconv.Itoa(maxOwners) + " at once")
	}
	before := map[string]owner{}
	for _, was := range u.was.owned() {
		before[was.UID] = was
	}
	u.judgeAdoption(before)
	u.judgeAdded(owners)
	if !u.byHand() {
		return
	}
	for _, is := range u.is.owned() {
		was := before[is.UID]
		if was.blocks && !is.blocks {
			u.says("blockOwnerDeletion of %s %s true → false: its owner no longer waits for it", clipped(is.Kind), clipped(is.Name))
		}
		if was.controller && !is.controller {
			u.says("%s %s no longer controls it", clipped(is.Kind), clipped(is.Name))
		}
	}
}

func (u *update) judgeAdded(owners []ObjectRef) {
	if u.byControlPlane() {
		return
	}
	for _, added := range owners {
		kind, name := clipped(added.Kind), clipped(added.Name)
		if why := added.goesUnasked(); why != "" {
			u.says("owner reference to %s %s added, %s: the garbage collector would take it along", kind, name, why)
		} else if u.byHand() {
			u.says("owner reference to %s %s added: the garbage collector deletes it once that is not there", kind, name)
		}
	}
}

// adopted are the kinds that service accounts may delete if a controller owns them. The
// control plane adopts them, and others make them with their owner.
var adopted = []string{podResource, "apps/replicasets"}

// judgeAdoption judges a controller that is named afterwards: what has one is let go.
func (u *update) judgeAdoption(before map[string]owner) {
	if !slices.Contains(adopted, u.request.resource.full()) || u.byControlPlane() {
		return
	}
	for _, is := range u.is.owned() {
		if is.controller && !before[is.UID].controller {
			u.says("controller %s %s added: service accounts may delete what a controller owns", clipped(is.Kind), clipped(is.Name))
		}
	}
}

// ownersAdded are the owners that the new object has and the old one has not. One
// whose name has changed counts: the garbage collector looks for it by that.
func (u *update) ownersAdded() []ObjectRef {
	var added []ObjectRef
	before := map[ObjectRef]bool{}
	for _, o := range u.was.owned() {
		before[o.ObjectRef] = true
	}
	for _, o := range u.is.owned() {
		if !before[o.ObjectRef] {
			before[o.ObjectRef] = true
			added = append(added, o.ObjectRef)
		}
	}
	return added
}

func (s side) owned() []owner {
	var list []owner
	s.metadata("ownerReferences").items(func(item node) {
		f := item.pick("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
		list = append(list, owner{ObjectRef{f[0].str(), f[1].str(), f[2].str(), f[3].str()}, f[4].yes(), f[5].yes()})
	})
	return list
}
