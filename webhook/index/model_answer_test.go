package index

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
)

func (a *modelAnswer) dependents() []operation.Dependents {
	type group struct {
		via      operation.Via
		resource schema.GroupResource
	}
	home := a.q.Namespace
	if a.q.Resource == namespaces {
		home = a.q.Name
	}
	groups, kinds := map[group]*operation.Dependents{}, map[group][2][]string{}
	for _, f := range a.found {
		g := group{f.via, f.object.Resource}
		if groups[g] == nil {
			groups[g] = &operation.Dependents{Kind: f.object.Kind, Via: f.via}
		}
		name := f.object.Name
		if f.object.Namespace != "" && f.object.Namespace != home {
			name = f.object.Namespace + "/" + name
		}
		names := kinds[g]
		groups[g].Count++
		if f.production {
			groups[g].Production++
			names[0] = append(names[0], name)
		} else {
			names[1] = append(names[1], name)
		}
		kinds[g] = names
	}
	var all []operation.Dependents
	for g, d := range groups {
		slices.Sort(kinds[g][0])
		slices.Sort(kinds[g][1])
		d.Names = slices.Concat(kinds[g][0], kinds[g][1])
		d.Names = d.Names[:min(len(d.Names), 5)]
		all = append(all, *d)
	}
	ways := operation.Via("").Values()
	slices.SortFunc(all, func(a, b operation.Dependents) int {
		sortKey := func(d operation.Dependents) string {
			return fmt.Sprintf("%t %02d %09d %s %v", d.Production == 0, slices.Index(ways, string(d.Via)), 1e9-1-d.Count, d.Kind, d.Names)
		}
		return strings.Compare(sortKey(a), sortKey(b))
	})
	return all
}

func (a *modelAnswer) volumes() []operation.Volume {
	var all []operation.Volume
	for _, pv := range a.unbound {
		all = append(all, operation.Volume{Name: pv.Name, ReclaimPolicy: pv.Facts.(*PersistentVolume).ReclaimPolicy, Production: a.m.isProduction(pv)})
	}
	for key := range a.claims {
		claim := a.m.objects[key]
		v := operation.Volume{
			Claim: claim.Namespace + "/" + claim.Name, Name: claim.Facts.(*Claim).Volume,
			Production: a.m.isProduction(claim) || a.m.mountedByProduction(claim.Namespace, claim.Name),
		}
		if pv, ok := a.m.find(volumes, "", v.Name); ok {
			v.ReclaimPolicy = pv.Facts.(*PersistentVolume).ReclaimPolicy
			v.Production = v.Production || a.m.isProduction(pv)
		}
		var newest time.Time
		for _, o := range a.m.objects {
			if s, ok := o.Facts.(*Snapshot); ok && s.Ready && o.Namespace == claim.Namespace && s.Claim == claim.Name &&
				(v.Snapshot == "" || s.Time.After(newest) || s.Time.Equal(newest) && o.Name < v.Snapshot) {
				v.Snapshot, v.SnapshotTime, newest = o.Name, s.Time, s.Time
			}
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b operation.Volume) int {
		if a.Production != b.Production {
			return map[bool]int{true: -1, false: 1}[a.Production]
		}
		return cmp.Or(strings.Compare(a.Claim, b.Claim), strings.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), 5)]
}
