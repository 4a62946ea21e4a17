package tfplan

import (
	"reflect"
	"slices"
)

// families is a provider's family and that of a type that another provider's file has.
type families struct{ provider, home *family }

// readAs returns what holds for a resource: what its provider's file says, and that of its
// type, since a fork of one provider may bear the name of another.
func (m *Mapper) readAs(provider string, rule *typeRule) *family {
	f := m.familyOf(provider, rule)
	if rule == nil {
		return f
	}
	if both := m.unions[families{f, rule.home}]; both != nil {
		return both
	}
	return f
}

// unite makes what readAs hands out, for every type that is known.
func (m *Mapper) unite() {
	homes := map[*family]bool{}
	for _, rule := range m.types {
		homes[rule.home] = true
	}
	for _, p := range m.patterns {
		homes[p.rule.home] = true
	}
	m.unions = map[families]*family{}
	for home := range homes {
		for _, f := range m.families {
			if f != home && home != nil {
				m.unions[families{f, home}] = f.union(home)
			}
		}
	}
}

// union adds what a type's own family has and f has not. In places the type's comes first.
func (f *family) union(home *family) *family {
	return &family{
		labels:          both(f.labels, home.labels),
		annotations:     both(f.annotations, home.annotations),
		project:         both(home.project, f.project),
		location:        both(home.location, f.location),
		names:           both(home.names, f.names),
		namespace:       both(home.namespace, f.namespace),
		providerProject: both(home.providerProject, f.providerProject),
		fold:            f.fold || home.fold,
		disarm:          both(home.disarm, f.disarm),
	}
}

// both has what is in two lists, once.
func both[T any](a, b []T) []T {
	all := slices.Clone(a)
	for _, one := range b {
		if !slices.ContainsFunc(all, func(other T) bool { return reflect.DeepEqual(one, other) }) {
			all = append(all, one)
		}
	}
	return all
}
