package tfplan

import (
	"context"
	"maps"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mollyguard/mollyguard/operation"
)

// maxNamespaces caps whose labels are kept: Kubernetes is tested with 10,000 in a cluster
// (https://github.com/kubernetes/community/blob/master/sig-scalability/configs-and-limits/thresholds.md),
// and few states have more than some clusters. Those of all others count as unknown.
const maxNamespaces = 50_000

// namespaceKey names a namespace by its cluster or, where that has no name, by the
// configuration of its provider.
type namespaceKey struct{ cluster, provider, name string }

// namespaces are the labels of those that a plan tells of.
type namespaces map[namespaceKey]*namespace

type namespace struct {
	labels map[string]string
	// unsure: some of them cannot be read, or are told in two ways.
	unsure bool
}

// inNamespace reports whether a change may be about an object in a namespace.
func (m *Mapper) inNamespace(c *Change) bool {
	rule := m.typeOf(c.Type)
	does := effectOf(c)
	return rule != nil && rule.Kubernetes && (!does.reads || c.PreviousAddress != "")
}

// namespaces reads the labels of all namespaces that the state has, and of those that only
// the changes have.
func (m *Mapper) namespaces(ctx context.Context, p plan, w *Whole) (namespaces, error) {
	all := namespaces{}
	for r, err := range p.State(ctx) {
		if err != nil {
			return nil, err
		}
		if r.Deposed != "" || !m.mayBeNamespace(r.Type) {
			continue
		}
		c := &Change{
			Kind: Planned, Address: r.Address, Mode: r.Mode, Type: r.Type, Name: r.Name, Provider: r.Provider,
			Actions: tfjson.Actions{tfjson.ActionNoop}, Before: r.Values, BeforeSensitive: r.Sensitive,
		}
		if err := all.note(m, c, w, nil); err != nil {
			return nil, err
		}
	}
	inState := maps.Clone(all)
	for c, err := range p.Changes(ctx) {
		if err != nil {
			return nil, err
		}
		if c.Kind == Drift || c.Deposed != "" || !m.mayBeNamespace(c.Type) {
			continue
		}
		if err := all.note(m, c, w, inState); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (m *Mapper) mayBeNamespace(kind string) bool {
	rule := m.typeOf(kind)
	return rule != nil && rule.Kubernetes && (rule.objects != nil || rule.Group == "" && rule.Resource == "namespaces")
}

// note notes the labels of what a change is about, if that is a namespace which is not
// among the known.
func (all namespaces) note(m *Mapper, c *Change, w *Whole, known namespaces) error {
	r, err := m.read(c, w)
	if err != nil {
		return err
	}
	t := &r.op.Target
	key, ok := r.namespaceKey(t.Name)
	if !ok || !isNamespace(t) || known[key] != nil {
		return nil
	}
	one := all[key]
	if one == nil {
		if len(all) < maxNamespaces {
			all[key] = &namespace{t.Labels, len(r.unread) > 0}
		}
		return nil
	}
	// Two resources may be about one namespace, and each know some of its labels.
	labels := maps.Clone(one.labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for name, value := range t.Labels {
		if other, ok := labels[name]; ok && other != value {
			one.unsure = true
		}
		labels[name] = value
	}
	one.labels, one.unsure = labels, one.unsure || len(r.unread) > 0
	return nil
}

func isNamespace(t *operation.Target) bool { return t.Group == "" && t.Resource == "namespaces" }

// namespaceKey names a namespace beside the object; ok is false if there is no telling.
func (r *reading) namespaceKey(name string) (key namespaceKey, ok bool) {
	key.name = name
	if key.cluster = r.op.Target.Cluster; key.cluster != "" {
		return key, name != ""
	}
	configurations := r.configurations()
	key.provider = configurations[0]
	return key, name != "" && len(configurations) == 1
}

// namespaced fills in the labels of the object's namespace.
func (r *reading) namespaced() {
	t := &r.op.Target
	if !r.m.options.NamespaceLabelsCount || t.Namespace == "" || isNamespace(t) {
		return
	}
	var one *namespace
	if key, ok := r.namespaceKey(t.Namespace); ok {
		one = r.w.namespaces[key]
	}
	if one != nil {
		t.NamespaceLabels = one.labels
	}
	if one == nil || one.unsure {
		r.missing("the labels of namespace " + t.Namespace)
	}
}
