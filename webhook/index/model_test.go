package index

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
)

// model is the index as nobody would build it: all objects in a map, every question
// answered by looking at all of them. What it says is right by inspection.
type model struct {
	objects    map[modelKey]Object
	production Production
}

type modelKey struct {
	resource        schema.GroupResource
	namespace, name string
}

func keyOf(o Object) modelKey { return modelKey{o.Resource, o.Namespace, o.Name} }

func (m *model) find(resource schema.GroupResource, namespace, name string) (Object, bool) {
	o, ok := m.objects[modelKey{resource, namespace, name}]
	return o, ok
}

// all are the objects that match.
func (m *model) all(is func(Object) bool) []Object {
	var found []Object
	for _, o := range m.objects {
		if is(o) {
			found = append(found, o)
		}
	}
	return found
}

func (m *model) wholeNamespace(name string) bool {
	if name == "" {
		return false
	}
	o, _ := m.find(namespaces, "", name)
	return m.production.Namespace(name, o.Labels)
}

func (m *model) isProduction(o Object) bool {
	return m.production.Object(o.Namespace, o.Name, o.Labels) || m.wholeNamespace(o.Namespace) ||
		o.Resource == namespaces && m.wholeNamespace(o.Name)
}

func (m *model) holders() Holders {
	var h Holders
	in, defined := map[string]bool{}, map[string]bool{}
	for _, o := range m.objects {
		if o.Namespace != "" && m.isProduction(o) {
			in[o.Namespace] = true
		}
		if o.Resource == namespaces && m.wholeNamespace(o.Name) {
			in[o.Name] = true
		}
		if _, ok := m.find(definitions, "", o.Resource.String()); ok && m.isProduction(o) {
			defined[o.Resource.String()] = true
		}
	}
	h.Namespaces, h.Definitions = slices.Sorted(maps.Keys(in)), slices.Sorted(maps.Keys(defined))
	return h
}

// found is one dependent.
type found struct {
	via        operation.Via
	object     Object
	production bool
}

type modelAnswer struct {
	m     *model
	q     Question
	found []found
	// claims go, and with them their volumes.
	claims map[modelKey]bool
	// unbound are volumes that are lost without a claim.
	unbound []Object
	covered bool
}

func (a *modelAnswer) add(via operation.Via, objects ...Object) {
	for _, o := range objects {
		a.found = append(a.found, found{via, o, a.m.isProduction(o)})
	}
}

func (m *model) lost(q Question) Answer {
	a := &modelAnswer{m: m, q: q, claims: map[modelKey]bool{}}
	a.relations()
	a.selections()
	a.fall()
	return Answer{Dependents: a.dependents(), Volumes: a.volumes(), Covered: a.covered}
}

// pods counts the pods that are not done and match.
func (a *modelAnswer) pods(via operation.Via, is func(Object, *Pod) bool) {
	a.add(via, a.m.all(func(o Object) bool {
		p, ok := o.Facts.(*Pod)
		return ok && !p.Done && is(o, p)
	})...)
}

func (a *modelAnswer) contain(namespace string) {
	in := a.m.all(func(o Object) bool { return o.Namespace == namespace })
	a.add(operation.Contained, in...)
	for _, o := range in {
		if o.Resource == claims {
			a.claims[keyOf(o)] = true
		}
	}
}

func (a *modelAnswer) mounters(namespace, claim string) {
	a.pods(operation.Mounted, func(o Object, p *Pod) bool { return o.Namespace == namespace && slices.Contains(p.Claims, claim) })
}

func (m *model) mountedByProduction(namespace, claim string) bool {
	return slices.ContainsFunc(m.all(func(o Object) bool {
		p, ok := o.Facts.(*Pod)
		return ok && !p.Done && o.Namespace == namespace && slices.Contains(p.Claims, claim)
	}), m.isProduction)
}

func (a *modelAnswer) relations() {
	q, m := a.q, a.m
	switch q.Resource {
	case namespaces:
		a.contain(q.Name)
	case definitions:
		a.add(operation.Instance, m.all(func(o Object) bool { return o.Resource.String() == q.Name })...)
	case apiServices:
		a.add(operation.Instance, m.all(func(o Object) bool { return "v1."+o.Resource.Group == q.Name })...)
	case claims:
		if o, ok := m.find(claims, q.Namespace, q.Name); ok {
			a.claims[keyOf(o)] = true
		}
		a.mounters(q.Namespace, q.Name)
	case volumes:
		a.volume()
	case nodes:
		a.pods(operation.Scheduled, func(o Object, p *Pod) bool {
			return p.Node == q.Name && !m.budgeted(o) && !slices.ContainsFunc(m.controllers(o), func(c Object) bool { return c.Resource == daemonSets })
		})
	case pods:
		o, ok := m.find(pods, q.Namespace, q.Name)
		a.covered = ok && m.budgeted(o) && slices.ContainsFunc(o.Owners, func(o Owner) bool { return o.Controller })
	case storageClasses:
		a.add(operation.Uses, m.all(func(o Object) bool {
			c, isClaim := o.Facts.(*Claim)
			v, isVolume := o.Facts.(*PersistentVolume)
			return isClaim && c.StorageClass == q.Name || isVolume && v.StorageClass == q.Name
		})...)
	case priorityClasses:
		a.pods(operation.Uses, func(_ Object, p *Pod) bool { return p.PriorityClass == q.Name })
	case secrets:
		a.pods(operation.Mounted, func(o Object, p *Pod) bool { return o.Namespace == q.Namespace && slices.Contains(p.Secrets, q.Name) })
	case configMaps:
		a.pods(operation.Mounted, func(o Object, p *Pod) bool {
			return o.Namespace == q.Namespace && slices.Contains(p.ConfigMaps, q.Name)
		})
	case accounts:
		a.accounts([]string{q.Namespace + "/" + q.Name})
	case roles, clusterRoles:
		a.role()
	case roleBindings, clusterBindings:
		a.accounts(q.Accounts)
	}
}

func (a *modelAnswer) volume() {
	pv, ok := a.m.find(volumes, "", a.q.Name)
	if !ok {
		return
	}
	facts := pv.Facts.(*PersistentVolume)
	claim, ok := a.m.find(claims, facts.ClaimNamespace, facts.ClaimName)
	if !ok || claim.Facts.(*Claim).Volume != pv.Name {
		a.unbound = append(a.unbound, pv)
		return
	}
	a.claims[keyOf(claim)] = true
	a.found = append(a.found, found{operation.Bound, claim, a.m.isProduction(claim) || a.m.mountedByProduction(claim.Namespace, claim.Name)})
	a.mounters(claim.Namespace, claim.Name)
}

func (a *modelAnswer) role() {
	kind := map[schema.GroupResource]string{roles: "Role", clusterRoles: "ClusterRole"}[a.q.Resource]
	var bound []string
	for _, o := range a.m.objects {
		if b, ok := o.Facts.(*Binding); ok && b.RoleKind == kind && b.RoleName == a.q.Name && (kind == "ClusterRole" || o.Resource == roleBindings && o.Namespace == a.q.Namespace) {
			bound = append(bound, b.Accounts...)
		}
	}
	a.accounts(bound)
}

func (a *modelAnswer) accounts(accounts []string) {
	a.pods(operation.Uses, func(o Object, p *Pod) bool {
		return slices.Contains(accounts, "*/*") || slices.Contains(accounts, o.Namespace+"/*") || slices.Contains(accounts, o.Namespace+"/"+p.ServiceAccount)
	})
}

func (m *model) budgeted(pod Object) bool {
	return slices.ContainsFunc(m.all(func(o Object) bool { return o.Resource == budgets && o.Namespace == pod.Namespace }), func(o Object) bool {
		b := o.Facts.(*Budget)
		return !b.Worthless && b.Selector != nil && b.Selector.Matches(labels.Set(pod.Labels))
	})
}

func (m *model) controllers(o Object) []Object {
	return m.all(func(c Object) bool { return slices.Contains(o.Owners, Owner{UID: c.UID, Controller: true}) })
}

func (a *modelAnswer) selections() {
	var selectors []labels.Selector
	service := func(name string) {
		if o, ok := a.m.find(services, a.q.Namespace, name); ok && o.Facts.(*Service).Selector != nil {
			selectors = append(selectors, o.Facts.(*Service).Selector)
		}
	}
	for _, name := range a.q.Backends {
		service(name)
	}
	if a.q.Selector != nil {
		selectors = append(selectors, a.q.Selector)
	} else if a.q.Resource == services {
		service(a.q.Name)
	}
	a.pods(operation.Selected, func(o Object, _ *Pod) bool {
		return o.Namespace == a.q.Namespace && slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(labels.Set(o.Labels)) })
	})
	if s := a.q.Scales; s != nil {
		if o, ok := a.m.find(s.Resource, cmp.Or(s.Namespace, a.q.Namespace), s.Name); ok {
			a.add(operation.Scaled, o)
		}
	}
}

// fall repeats over all objects until nothing more goes.
func (a *modelAnswer) fall() {
	root := a.q.UID
	if o, ok := a.m.find(a.q.Resource, a.q.Namespace, a.q.Name); ok && root == "" {
		root = o.UID
	}
	going, gone := map[string]bool{}, map[modelKey]bool{}
	if root != "" && !a.q.Orphan {
		going[root] = true
	}
	instances := func(definition string) {
		for _, o := range a.m.objects {
			if o.UID != "" && o.Resource.String() == definition {
				going[o.UID] = true
			}
		}
	}
	if a.q.Resource == definitions {
		instances(a.q.Name)
	}
	for more := true; more; {
		more = false
		for key, o := range a.m.objects {
			if gone[key] || root != "" && o.UID == root || !a.falls(o, going) {
				continue
			}
			more, gone[key] = true, true
			if o.UID != "" {
				going[o.UID] = true
			}
			a.add(operation.Owned, o)
			switch o.Resource {
			case claims:
				a.claims[key] = true
			case namespaces:
				a.contain(o.Name)
			case definitions:
				a.add(operation.Instance, a.m.all(func(i Object) bool { return i.Resource.String() == o.Name })...)
				instances(o.Name)
			}
		}
	}
}

// falls reports whether an owner of an object goes and no other stays.
func (a *modelAnswer) falls(o Object, going map[string]bool) bool {
	some := false
	for _, owner := range o.Owners {
		if going[owner.UID] {
			some = true
			continue
		}
		for _, other := range a.m.objects {
			if owner.UID != "" && other.UID == owner.UID && !other.Terminating {
				return false
			}
		}
	}
	return some
}
