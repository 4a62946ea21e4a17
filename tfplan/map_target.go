package tfplan

import (
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// subject is the object that a change is about, as it was before; what is made, as it
// will be.
type subject struct{ values, sensitive, unknown any }

func (r *reading) subject() subject {
	if _, ok := r.before.(map[string]any); ok {
		return subject{r.before, r.beforeSensitive, nil}
	}
	if _, ok := r.after.(map[string]any); ok && !r.does.destroys() {
		return subject{r.after, r.afterSensitive, r.unknown}
	}
	return subject{}
}

// target names what the change is about.
func (r *reading) target() {
	c, t, s := r.c, &r.op.Target, r.subject()
	t.Within = r.w.Plan.Ref
	t.Address, t.PreviousAddress = shown(c.Address, maxAddress), shown(r.previous(), maxAddress)
	t.Kind, t.Resource = shown(c.Type, maxWord), shown(c.Type, maxWord)
	if t.Kind == "" {
		t.Kind, t.Resource = "resource", "resource"
	}
	t.Created = r.before == nil && r.does.creates && !r.does.destroys()
	rule := r.rule
	if rule == nil {
		rule = &typeRule{home: r.family}
	}
	t.Container = rule.Container
	if rule.Kind != "" {
		t.Kind = rule.Kind
	}
	fields := r.fields(rule, s)
	t.Name, t.Project, t.Location = fields["name"], fields["project"], fields["location"]
	if t.Name == "" {
		t.Name = shown(c.Name, maxName)
	}
	if rule.Kubernetes {
		r.kubernetes(rule, s, fields)
		r.namespaced()
	} else {
		t.Ref = shown(rule.ref.write(func(h hole) string {
			if common, ok := fields[h.name]; ok {
				return common
			}
			text, _ := h.at.text(s.values, s.sensitive)
			return text
		}), maxName)
		t.Group, _, _ = operation.ParseGCPRef(t.Ref)
	}
	if t.Ref == "" || r.does.invokes {
		t.Ref = r.addressRef()
	}
	var unknown []string
	t.Labels, unknown = r.labels(s)
	r.op.Unknown = append(r.op.Unknown, unknown...)
	if r.m.options.ProjectsCount && t.Project == "" && r.inProject(rule) {
		r.missing("which project it is in")
	}
}

// inProject reports whether resources like this one are in a project, account or
// subscription, as far as the rules know.
func (r *reading) inProject(rule *typeRule) bool {
	return !rule.Kubernetes && len(rule.project)+len(r.family.project)+len(r.family.providerProject) > 0
}

// addressRef is the name of what has no other.
func (r *reading) addressRef() string {
	address := r.c.Address
	if r.c.Deposed != "" {
		address += "#" + r.c.Deposed // another object than the one at the address
	}
	return operation.TerraformRef(shown(r.w.State, maxWord), shown(address, maxAddress))
}

// fields are what every provider has, by the rule's places, else the family's.
func (r *reading) fields(rule *typeRule, s subject) map[string]string {
	f := r.family
	fields, unread := map[string]string{}, map[string]bool{}
	for name, places := range map[string][2]place{
		"name": {rule.name, f.names}, "project": {rule.project, f.project},
		"location": {rule.location, f.location}, "namespace": {rule.namespace, f.namespace},
	} {
		at := places[0]
		if at == nil {
			at = places[1]
		}
		text, _ := at.text(s.values, s.sensitive)
		fields[name] = shown(text, maxName)
		unread[name] = text == "" && at.hidden(s.values, s.sensitive)
	}
	for _, name := range []string{"name", "namespace"} {
		if unread[name] {
			r.missing("its " + name)
		}
	}
	if fields["project"] == "" && !unread["project"] {
		fields["project"] = shown(r.w.Head.agreed(r.configurations(), func(constants map[string]string) string {
			for _, argument := range f.providerProject {
				if text := constants[argument]; text != "" {
					return text
				}
			}
			return ""
		}), maxName)
	}
	return fields
}

// withoutIndices takes [0] and ["key"] off an address. A key may hold brackets and, after
// a backslash, quotes.
func withoutIndices(address string) string {
	if !strings.ContainsRune(address, '[') {
		return address
	}
	var b strings.Builder
	inside, quoted, escaped := false, false, false
	for _, r := range address {
		switch {
		case !inside && r == '[':
			inside = true
		case !inside:
			b.WriteRune(r)
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case !quoted && r == ']':
			inside = false
		}
	}
	return b.String()
}
