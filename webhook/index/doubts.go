package index

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
)

// maxCause bounds what is passed on of a server's error, which may be a whole page.
const maxCause = 200

// doubts says what could not be learnt. Where nothing is lost whatever is not known,
// there are none; nor about what an object owns of a kind that is not read, since that
// would be all objects as soon as one kind is not: the documentation says so.
func (a *asking) doubts() {
	r, related := relations[a.q.Resource]
	mayLose := !a.q.Orphan || related || a.q.Selector != nil || len(a.q.Backends) > 0 || a.q.Scales != nil
	if !a.x.read {
		if err := a.x.missing(); err != nil && mayLose && !leaves[a.q.Resource] {
			a.unknown = append(a.unknown, fmt.Sprintf("what depends on it (%v)", err))
		}
		return
	}
	var whys []string
	for _, resource := range append(slices.Clone(r.facts), a.asked()...) {
		if why := a.x.doubt(resource); why != "" {
			whys = append(whys, why)
		}
	}
	switch a.q.Resource {
	case namespaces:
		whys = append(whys, a.x.doubtsWhere(func(k *kindEntry) bool { return k.state.Namespaced })...)
		for group := range a.x.discovery.Unserved {
			whys = append(whys, a.x.groupDoubt(group))
		}
	case definitions:
		whys = append(whys, a.x.doubt(schema.ParseGroupResource(a.q.Name)))
	case apiServices:
		whys = append(whys, a.servedDoubts()...)
	}
	a.unknown = append(a.unknown, inWords(whys)...)
	if !a.q.Orphan && !leaves[a.q.Resource] && a.x.manyOwnProduction(a.q.Namespace) {
		a.doubt(tooManyOwners)
	}
}

// manyOwnProduction reports whether there is production in a namespace, or in none, whose
// owners are not all known. What is in a namespace may also have owners that are in none:
// of these it is not said, or whoever may write in one namespace could raise doubts about
// all that is in none.
func (x *Index) manyOwnProduction(namespace string) bool {
	found := false
	if p := x.findParent(ownedByMany(namespace)); p != 0 {
		x.ofParent(x.parents.at(p).buckets, func(_ int32, b *bucketEntry) { found = found || x.production(b.place) })
	}
	return found
}

// asked are the kinds that the answer to what the question itself names comes from.
func (a *asking) asked() []schema.GroupResource {
	var resources []schema.GroupResource
	if a.q.Selector != nil || len(a.q.Backends) > 0 {
		resources = append(resources, pods)
	}
	if len(a.q.Backends) > 0 {
		resources = append(resources, services)
	}
	if a.q.Scales != nil {
		resources = append(resources, a.q.Scales.Resource)
	}
	return resources
}

func (a *asking) servedDoubts() []string {
	group := apiGroup(a.q.Name)
	whys := a.x.doubtsWhere(func(k *kindEntry) bool { return k.resource.Group == group })
	if _, ok := a.x.discovery.Unserved[group]; ok {
		whys = append(whys, a.x.groupDoubt(group))
	}
	return whys
}

func (x *Index) doubtsWhere(is func(*kindEntry) bool) []string {
	var whys []string
	for resource, id := range x.kindIDs {
		if is(x.kinds.at(id)) {
			whys = append(whys, x.doubt(resource))
		}
	}
	return whys
}

// doubt says why a kind is not known, and nothing if it is.
func (x *Index) doubt(resource schema.GroupResource) string {
	id := x.kindIDs[resource]
	if id == 0 {
		if _, ok := x.discovery.Unserved[resource.Group]; ok {
			return x.groupDoubt(resource.Group)
		}
		return fmt.Sprintf("the index does not have %s", resource)
	}
	switch state := x.kinds.at(id).state; state.Phase {
	case Synced:
		return ""
	case Forbidden:
		return fmt.Sprintf("mollyguard may not list %s: see the ClusterRole mollyguard-reader", resource)
	case Unserved:
		return fmt.Sprintf("no answer about %s: %s", resource, cause(state.Err))
	default:
		return fmt.Sprintf("%s: not read yet", resource)
	}
}

// mayBeMissed reports whether there may be objects of a kind that the index does not have.
// A kind that the cluster does not serve has none.
func (x *Index) mayBeMissed(resource schema.GroupResource) bool {
	if id := x.kindIDs[resource]; id != 0 {
		return x.kinds.at(id).state.Phase != Synced
	}
	_, unserved := x.discovery.Unserved[resource.Group]
	return unserved || !x.discovery.Known
}

func (x *Index) groupDoubt(group string) string {
	return fmt.Sprintf("no answer about the API group %s: %s", group, cause(x.discovery.Unserved[group]))
}

func cause(err string) string { return operation.Clip(operation.Printable(err), maxCause) }

// inWords makes sentences of causes, as many as a reader has patience for.
func inWords(whys []string) []string {
	whys = slices.DeleteFunc(whys, func(why string) bool { return why == "" })
	slices.Sort(whys)
	whys = slices.Compact(whys)
	more := len(whys) - unknowns
	whys = whys[:min(len(whys), unknowns)]
	for i, why := range whys {
		whys[i] = fmt.Sprintf("what depends on it (%s)", why)
	}
	if more > 0 {
		whys = append(whys, fmt.Sprintf("what depends on it (%d more kinds are not known)", more))
	}
	return whys
}

// apiGroup is the group of an APIService, whose name is VERSION.GROUP.
func apiGroup(name string) string {
	_, group, _ := strings.Cut(name, ".")
	return group
}
