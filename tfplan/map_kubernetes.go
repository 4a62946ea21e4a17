package tfplan

import (
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/operation"
)

// maxObject caps the text of a Kubernetes object: etcd takes 1.5 MiB.
const maxObject = 2 << 20

// kubernetes names an object of a cluster as the API does.
func (r *reading) kubernetes(rule *typeRule, s subject, fields map[string]string) {
	t := &r.op.Target
	name, namespace := fields["name"], fields["namespace"]
	group, resource := rule.Group, rule.Resource
	if rule.objects != nil {
		var kind string
		group, kind, name, namespace = rule.objectOf(s)
		t.Name = name
		if kind == "" || name == "" {
			if s.values != nil {
				r.missing("which object of the cluster it is")
			}
			t.Name = shown(r.c.Name, maxName)
			return
		}
		// What the API calls it no plan says. Its kind in the plural is right for all of
		// Kubernetes' own, and by custom for others.
		t.Kind, resource = kind, strings.ToLower(operation.Plural(kind))
		if at := rule.objectAt(s); (place{{at: append(at[:len(at):len(at)], "metadata", "namespace")}}).hidden(s.values, s.sensitive) {
			r.missing("its namespace")
		}
	}
	t.Group, t.Resource, t.Namespace = group, resource, namespace
	if s.values != nil {
		t.Annotations = r.annotations(rule, s)
	}
	if r.m.options.Cluster == nil {
		return
	}
	named, _ := rule.cluster.text(s.values, s.sensitive)
	t.Cluster = r.cluster(named)
	switch {
	case t.Cluster == "":
		r.missing("which cluster it is in")
	case name != "" && s.values != nil && !strings.Contains(name+namespace, "/"):
		t.Ref = operation.KubernetesRef(t.Cluster, group, resource, namespace, name)
	}
}

// objectAt returns where the object is that can be read, or nil.
func (t *typeRule) objectAt(s subject) route {
	for _, at := range t.objects {
		kind := place{{at: append(at[:len(at):len(at)], "kind")}}
		if text, _ := kind.text(s.values, s.sensitive); text != "" {
			return at
		}
	}
	return nil
}

// objectOf says what a whole object says of itself.
func (t *typeRule) objectOf(s subject) (group, kind, name, namespace string) {
	at := t.objectAt(s)
	if at == nil {
		return "", "", "", ""
	}
	text := func(steps ...string) string {
		text, _ := place{{at: append(at[:len(at):len(at)], steps...)}}.text(s.values, s.sensitive)
		return shown(text, maxName)
	}
	if version := text("apiVersion"); strings.Contains(version, "/") {
		group, _, _ = strings.Cut(version, "/")
	}
	return group, text("kind"), text("metadata", "name"), text("metadata", "namespace")
}

// annotations are those of the object, without what is said of secrets and of the whole
// object as it was applied last, which holds everything again.
func (r *reading) annotations(rule *typeRule, s subject) map[string]string {
	l := &labeler{m: r.m, s: s, loose: true}
	for _, at := range r.family.annotations {
		l.read(at)
	}
	if at := rule.objectAt(s); at != nil {
		l.read(append(at[:len(at):len(at)], "metadata", "annotations"))
	}
	for _, one := range l.maps {
		delete(one, "kubectl.kubernetes.io/last-applied-configuration")
	}
	l.merge(false)
	return l.labels
}

// parsed replaces the text of an object by what it says, so that paths lead into it. What
// cannot be read stays a text. values is not changed.
func (t *typeRule) parsed(values any) any {
	root, ok := values.(map[string]any)
	if !ok {
		return values
	}
	for _, at := range t.objects {
		text, ok := root[at[0]].(string)
		if len(at) != 1 || !ok || len(text) > maxObject {
			continue
		}
		var object map[string]any
		if yaml.Unmarshal([]byte(text), &object) != nil || object == nil {
			continue
		}
		root = maps.Clone(root)
		root[at[0]] = fromYAML(object, 0)
	}
	return root
}

// fromYAML turns what the YAML library returns into what decode does.
func fromYAML(value any, depth int) any {
	if depth > MaxDepth {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, sub := range v {
			object[key] = fromYAML(sub, depth+1)
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i, sub := range v {
			list[i] = fromYAML(sub, depth+1)
		}
		return list
	case nil, bool, string:
		return v
	}
	return numberOf(value)
}

// aliased puts an object that is only where a rule looks second (kubectl's yaml_body) where
// it looks first, so that all paths lead into it, with what is said of its secrets.
func (r *reading) aliased() {
	if len(r.rule.objects) < 2 {
		return
	}
	r.before, r.beforeSensitive = r.rule.alias(r.before, r.beforeSensitive)
	r.after, r.afterSensitive = r.rule.alias(r.after, r.afterSensitive)
}

func (t *typeRule) alias(values, sensitive any) (any, any) {
	root, ok := values.(map[string]any)
	first := t.objects[0][0]
	if _, parsed := root[first].(map[string]any); !ok || parsed {
		return values, sensitive
	}
	for _, at := range t.objects[1:] {
		object, ok := root[at[0]].(map[string]any)
		if !ok || len(at) != 1 {
			continue
		}
		root = maps.Clone(root)
		root[first] = object
		if marks, ok := sensitive.(map[string]any); ok && marks[at[0]] != nil {
			marks = maps.Clone(marks)
			marks[first] = marks[at[0]]
			sensitive = marks
		}
		return root, sensitive
	}
	return values, sensitive
}
