package tfplan

import (
	"cmp"
	"slices"
)

// over lays a rule over an earlier one for the same types, which may be nil: what either
// says of dangers counts, and of names what the later one says. Neither is changed.
func (t *typeRule) over(below *typeRule) *typeRule {
	if below == nil || t.Replace {
		return t
	}
	one := *below
	for _, text := range []struct{ into, later *string }{
		{&one.Kind, &t.Kind}, {&one.Name, &t.Name}, {&one.Project, &t.Project}, {&one.Location, &t.Location},
		{&one.Namespace, &t.Namespace}, {&one.Ref, &t.Ref}, {&one.Group, &t.Group}, {&one.Resource, &t.Resource},
		{&one.Cluster, &t.Cluster}, {&one.Destroys, &t.Destroys},
	} {
		*text.into = cmp.Or(*text.later, *text.into)
	}
	one.Container = below.Container || t.Container
	one.Guards = below.Guards || t.Guards
	one.Loose = below.Loose || t.Loose
	one.Kubernetes = below.Kubernetes || t.Kubernetes
	for _, at := range []struct{ into, later *place }{
		{&one.name, &t.name}, {&one.project, &t.project}, {&one.location, &t.location},
		{&one.namespace, &t.namespace}, {&one.cluster, &t.cluster},
	} {
		if *at.later != nil {
			*at.into = *at.later
		}
	}
	if len(t.ref.holes) > 0 {
		one.ref = t.ref
	}
	one.objects = slices.Concat(below.objects, t.objects)
	one.labels = slices.Concat(below.labels, t.labels)
	// What is told first counts, and the later rule's words are closer to who reads them.
	one.disarm = slices.Concat(t.disarm, below.disarm)
	one.holds = slices.Concat(t.holds, below.holds)
	one.grants = slices.Concat(t.grants, below.grants)
	one.rights = slices.Concat(t.rights, below.rights)
	if one.home == nil {
		one.home = t.home
	}
	return &one
}
