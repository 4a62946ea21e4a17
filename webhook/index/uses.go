package index

import (
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// podMatch says which pods are meant. apart says that the pods of one template must be
// told apart, by the labels that are theirs alone; else those are not given.
type podMatch struct {
	is    func(*shape, extra) bool
	apart bool
	// may, if it is not nil, says which pods may be meant for all that is known: those
	// count, and doubt is said if one of them is production.
	may   func(*shape) bool
	doubt string
}

// byShape matches pods by what they have in common with others.
func byShape(is func(*shape) bool) podMatch {
	return podMatch{is: func(s *shape, _ extra) bool { return is(s) }}
}

// byName matches pods by the Secrets or ConfigMaps that they name.
func byName(is func(*shape) bool) podMatch {
	match := byShape(is)
	match.may, match.doubt = func(s *shape) bool { return s.namesCut }, tooManyNames
	return match
}

// podsIn counts the pods of a namespace that need something: those that are done do not.
func (a *asking) podsIn(namespace int32, via operation.Via, match podMatch) {
	if namespace != 0 {
		a.x.ofParent(a.x.namespaces.at(namespace).buckets, a.pods(via, match))
	}
}

// allPods counts the pods of all namespaces that need something.
func (a *asking) allPods(via operation.Via, match podMatch) {
	if kind := a.x.kindIDs[pods]; kind != 0 {
		a.x.ofKind(a.x.kinds.at(kind).buckets, a.pods(via, match))
	}
}

// pods counts those of a bucket that match, as long as the question may go on.
func (a *asking) pods(via operation.Via, match podMatch) func(int32, *bucketEntry) {
	kind := a.x.kindIDs[pods]
	return func(id int32, b *bucketEntry) {
		if b.kind != kind || !a.looksOn() {
			return
		}
		s, production := a.x.shapeAt(b.shape), a.x.production(b.place)
		switch {
		case s.done:
		case match.may != nil && match.may(s):
			a.tally.bucket(via, id, b)
			if production {
				a.doubt(match.doubt)
			}
		case match.apart:
			a.x.members(b, func(id int32, _ *recordEntry) bool {
				if match.is(s, a.x.extraOf(id)) {
					a.tally.record(via, id, production)
				}
				return a.looksOn()
			})
		case match.is(s, ""):
			a.tally.bucket(via, id, b)
		}
	}
}

// looksOn counts a pod that is looked at. It reports whether there may be more, and says
// so once there may not.
func (a *asking) looksOn() bool {
	a.compared++
	if a.compared <= maxCompared {
		return true
	}
	a.doubt(tooManyPods)
	return false
}

// doubt says once what could not be learnt.
func (a *asking) doubt(what string) {
	if !slices.Contains(a.unknown, what) {
		a.unknown = append(a.unknown, what)
	}
}

func (x *Index) extraOf(pod int32) extra {
	own, _ := x.facts[pod].(extra)
	return own
}

func (a *asking) secret() {
	a.podsIn(a.home, mounted, byName(func(s *shape) bool { return s.secrets.has(a.q.Name) }))
}

func (a *asking) configMap() {
	a.podsIn(a.home, mounted, byName(func(s *shape) bool { return s.configMaps.has(a.q.Name) }))
}

func (a *asking) account() { a.accounts([]string{a.q.Namespace + "/" + a.q.Name}) }

func (a *asking) priorityClass() {
	a.allPods(uses, byShape(func(s *shape) bool { return s.priority == a.q.Name }))
}

// storageClass counts the claims and volumes that name a class.
func (a *asking) storageClass() {
	for _, resource := range []int32{a.x.kindIDs[claims], a.x.kindIDs[volumes]} {
		if resource == 0 {
			continue
		}
		a.x.ofKind(a.x.kinds.at(resource).buckets, func(id int32, b *bucketEntry) {
			if a.x.shapeAt(b.shape).class == a.q.Name {
				a.tally.bucket(uses, id, b)
			}
		})
	}
}

// service counts the pods behind a Service, unless the question says which they are.
func (a *asking) service() {
	if selector, ok := a.fact().(*podSelector); ok && a.q.Selector == nil {
		a.podsIn(a.home, selected, selectionOf(selector).match(&a.compared))
	}
}

// role counts the pods that run as whom a role is bound to.
func (a *asking) role() {
	kind := "ClusterRole"
	if a.q.Resource == roles {
		kind = "Role"
	}
	var bound []string
	collect := func(_ int32, r *recordEntry, facts any) {
		if b, ok := facts.(*Binding); ok && b.RoleKind == kind && b.RoleName == a.q.Name &&
			(kind == "ClusterRole" || r.namespace == a.home) {
			bound = append(bound, b.Accounts...)
		}
	}
	a.x.factsOf(a.x.kindIDs[roleBindings], collect)
	if kind == "ClusterRole" {
		a.x.factsOf(a.x.kindIDs[clusterBindings], collect)
	}
	a.accounts(bound)
}

// factsOf calls f with the objects of a kind that has facts.
func (x *Index) factsOf(kind int32, f func(int32, *recordEntry, any)) {
	if kind == 0 {
		return
	}
	x.ofKind(x.kinds.at(kind).buckets, func(_ int32, b *bucketEntry) {
		x.members(b, func(id int32, r *recordEntry) bool {
			f(id, r, x.facts[id])
			return true
		})
	})
}

// binding counts the pods that run as whom a binding binds.
func (a *asking) binding() { a.accounts(a.q.Accounts) }

// accounts counts the pods that run as one of some accounts, written as in Binding.
func (a *asking) accounts(accounts []string) {
	const every = "*"
	byNamespace := map[string]map[string]bool{}
	for _, account := range accounts {
		if namespace, name, ok := strings.Cut(account, "/"); ok {
			if byNamespace[namespace] == nil {
				byNamespace[namespace] = map[string]bool{}
			}
			byNamespace[namespace][name] = true
		}
	}
	if _, ok := byNamespace[every]; ok {
		a.allPods(uses, byShape(func(*shape) bool { return true }))
		return
	}
	for namespace, names := range byNamespace {
		match := byShape(func(s *shape) bool { return names[s.account] })
		if names[every] {
			match = byShape(func(*shape) bool { return true })
		}
		a.podsIn(a.x.namespaceIDs[namespace], uses, match)
	}
}

// named counts what the question itself names: pods by their labels, Services, what is
// scaled.
func (a *asking) named() {
	var selectors []*podSelector
	if a.q.Selector != nil {
		selectors = append(selectors, compile(a.q.Selector))
	}
	for _, name := range a.q.Backends {
		if selector, ok := a.x.facts[a.x.find(services, a.q.Namespace, name)].(*podSelector); ok {
			selectors = append(selectors, selector)
		}
	}
	if len(selectors) > 0 {
		a.podsIn(a.home, selected, selectionOf(selectors...).match(&a.compared))
	}
	if target := a.scales(); target != nil {
		if id := a.x.find(target.Resource, target.Namespace, target.Name); id != 0 {
			a.tally.record(scaled, id, a.x.isMarked(id))
		}
	}
}

// scales is what the question says is scaled, with its namespace.
func (a *asking) scales() *Reference {
	if a.q.Scales == nil {
		return nil
	}
	target := *a.q.Scales
	if target.Namespace == "" {
		target.Namespace = a.q.Namespace
	}
	return &target
}

// isMarked reports whether an object is production.
func (x *Index) isMarked(id int32) bool {
	marked := false
	x.placesOf(x.records.at(id), func(b *bucketEntry) { marked = marked || b.parent == 0 && x.production(b.place) })
	return marked
}
