package index

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxVolumes is how many volumes an answer names.
	maxVolumes = 5
	// weighed is among how many claims those of production are looked for, those that are
	// marked themselves first. One takes some 1 µs, and an answer has 1 ms.
	weighed = 256
)

// claim finds out who mounts a claim, and what becomes of its data.
func (a *asking) claim() {
	if id := a.self(); id != 0 {
		a.claims.add(-id, a.x.isMarked(id))
	}
	a.mountersOf(a.q.Namespace, a.q.Name)
}

// volume finds out which claim a volume is bound to and who mounts it.
func (a *asking) volume() {
	self := a.self()
	if self == 0 {
		return
	}
	of, _ := a.x.facts[self].(*claimName)
	if of != nil {
		// A volume that was released still names its claim, and another may have the name.
		if id := a.x.find(claims, of.namespace, of.name); id != 0 && a.x.facts[id] == volumeName(a.q.Name) {
			production := a.x.isMarked(id) || a.x.mountedByProduction(of.namespace, of.name)
			a.claims.add(-id, production)
			a.tally.record(bound, id, production)
			a.mountersOf(of.namespace, of.name)
			return
		}
	}
	a.volumes = append(a.volumes, volumeOf{volume: self})
}

// mountersOf counts the pods that mount a claim.
func (a *asking) mountersOf(namespace, claim string) {
	match := byShape(func(*shape) bool { return true })
	for _, name := range []string{claim, anyClaim} {
		if p := a.x.findParent(called(roleClaim, namespace, name)); p != 0 {
			a.x.ofParent(a.x.parents.at(p).buckets, a.pods(mounted, match))
		}
		match.may, match.doubt = func(*shape) bool { return true }, tooManyClaims
	}
}

// mountedByProduction reports whether a pod of production mounts a claim, or may.
func (x *Index) mountedByProduction(namespace, claim string) bool {
	found := false
	for _, name := range []string{claim, anyClaim} {
		if p := x.findParent(called(roleClaim, namespace, name)); p != 0 {
			x.ofParent(x.parents.at(p).buckets, func(_ int32, b *bucketEntry) {
				found = found || x.production(b.place) && !x.shapeAt(b.shape).done
			})
		}
	}
	return found
}

// volumeOf are the records of a claim and its volume, 0 for what there is not.
type volumeOf struct{ claim, volume int32 }

// claimList are claims that go, as the tally has them: those that are marked themselves,
// and the others. Each has a claim at least, so that as many as are weighed are enough.
type claimList struct{ marked, others []int32 }

func (c *claimList) add(id int32, marked bool) {
	list := &c.others
	if marked {
		list = &c.marked
	}
	if len(*list) < weighed {
		*list = append(*list, id)
	}
}

// lostVolumes are the volumes of the claims that go, those of production first.
func (a *asking) lostVolumes() []operation.Volume {
	seen := map[int32]bool{}
	a.tally.each(slices.Concat(a.claims.marked, a.claims.others), func(id int32, _ *recordEntry) bool {
		if !seen[id] {
			seen[id] = true
			name, _ := a.x.facts[id].(volumeName)
			a.volumes = append(a.volumes, volumeOf{claim: id, volume: a.x.find(volumes, "", string(name))})
		}
		return len(a.volumes) < weighed
	})
	var all []operation.Volume
	for _, v := range a.volumes {
		all = append(all, a.x.describe(v))
	}
	slices.SortFunc(all, func(a, b operation.Volume) int {
		return cmp.Or(-compareBool(a.Production, b.Production), cmp.Compare(a.Claim, b.Claim), cmp.Compare(a.Name, b.Name))
	})
	all = all[:min(len(all), maxVolumes)]
	for i := range all {
		a.x.addSnapshot(&all[i])
	}
	return all
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// describe says what a volume is. Its snapshot is added to those that are named.
func (x *Index) describe(v volumeOf) operation.Volume {
	var out operation.Volume
	if v.volume != 0 {
		r := x.records.at(v.volume)
		out.Name, out.ReclaimPolicy, out.Production = r.name, x.shapeAt(r.shape).reclaim, x.isMarked(v.volume)
	}
	if v.claim != 0 {
		r := x.records.at(v.claim)
		if name, _ := x.facts[v.claim].(volumeName); out.Name == "" {
			out.Name = string(name)
		}
		namespace := x.namespaces.at(r.namespace).name
		out.Claim = namespace + "/" + r.name
		out.Production = out.Production || x.isMarked(v.claim) || x.mountedByProduction(namespace, r.name)
	}
	return out
}

// addSnapshot names the newest snapshot of a volume that is ready.
func (x *Index) addSnapshot(v *operation.Volume) {
	defer func() { v.SnapshotsUnknown = v.Snapshot == "" && x.mayBeMissed(snapshots) }()
	namespace, claim, _ := strings.Cut(v.Claim, "/")
	p := x.findParent(called(roleSnapshot, namespace, claim))
	if v.Claim == "" || p == 0 {
		return
	}
	x.ofParent(x.parents.at(p).buckets, func(_ int32, b *bucketEntry) {
		x.members(b, func(id int32, r *recordEntry) bool {
			made, _ := x.facts[id].(time.Time)
			if v.Snapshot == "" || made.After(v.SnapshotTime) || made.Equal(v.SnapshotTime) && r.name < v.Snapshot {
				v.Snapshot, v.SnapshotTime = r.name, made
			}
			return true
		})
	})
}
