package tfplan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// family is what the types of a provider have in common.
type family struct {
	labels, annotations []route
	// places: the first counts.
	project, location, names, namespace place
	providerProject                     []string
	fold                                bool
	disarm                              []disarm
}

// typeRule is a TypeRule, made ready.
type typeRule struct {
	TypeRule
	home                               *family
	name, project, location, namespace place
	cluster                            place
	ref                                template
	labels, objects                    []route
	disarm                             []disarm
	holds                              []holds
	grants                             []grants
	rights                             []rights
}

type disarm struct {
	at      route
	when    When
	values  []string
	verb    operation.Verb
	created bool
	says    string
	by      place
	where   *where
}

// grants is a GrantRule, made ready.
type grants struct {
	members, terms []route
	role           route
	strong, weak   []*regexp.Regexp
}

// rights is a RightsRule, made ready.
type rights struct {
	at     route
	strong []*regexp.Regexp
}

type holds struct {
	types map[string]bool
	every bool
	field place
	by    []place
}

// add adds a file of rules.
func (m *Mapper) add(r *Rules) error {
	one, err := familyOf(r)
	if err != nil {
		return err
	}
	var home *family
	for _, provider := range r.Providers {
		if provider == "*" {
			// It lies below all, whenever it comes.
			m.everyone = m.everyone.with(one)
			for name, f := range m.families {
				m.families[name] = one.with(f)
			}
			home = m.everyone
			continue
		}
		below := m.families[provider]
		if below == nil {
			below = m.everyone
		}
		m.families[provider] = below.with(one)
		home = m.families[provider]
	}
	for i := range r.Types {
		rule, err := compileType(&r.Types[i])
		if err != nil {
			return err
		}
		rule.home = home
		for _, name := range r.Types[i].Types {
			if before, after, ok := strings.Cut(name, "*"); ok {
				m.patterns = slices.Insert(m.patterns, 0, typePattern{before, after, rule})
			} else {
				m.types[name] = rule.over(m.typeOf(name))
			}
		}
	}
	return nil
}

// typePattern is a rule for types that begin and end in some way.
type typePattern struct {
	before, after string
	rule          *typeRule
}

// typeOf returns what is known of a type, or nil.
func (m *Mapper) typeOf(name string) *typeRule {
	if rule := m.types[name]; rule != nil {
		return rule
	}
	var match []*typeRule // later ones first, none below one that replaces
	for _, p := range m.patterns {
		rest, ok := strings.CutPrefix(name, p.before)
		if !ok || !strings.HasSuffix(rest, p.after) {
			continue
		}
		match = append(match, p.rule)
		if p.rule.Replace {
			break
		}
	}
	var rule *typeRule
	for _, one := range slices.Backward(match) {
		rule = one.over(rule)
	}
	return rule
}

// familyOf returns what holds for resources of a provider. That of the type's file counts
// if the provider is not known: a fork has another name.
func (m *Mapper) familyOf(provider string, rule *typeRule) *family {
	if f := m.families[lastSegment(provider)]; f != nil {
		return f
	}
	if rule != nil && rule.home != nil {
		return rule.home
	}
	return m.everyone
}

// with lays another over it.
func (f *family) with(over *family) *family {
	return &family{
		labels:          slices.Concat(f.labels, over.labels),
		annotations:     slices.Concat(f.annotations, over.annotations),
		project:         slices.Concat(over.project, f.project),
		location:        slices.Concat(over.location, f.location),
		names:           slices.Concat(over.names, f.names),
		namespace:       slices.Concat(over.namespace, f.namespace),
		providerProject: slices.Concat(over.providerProject, f.providerProject),
		fold:            f.fold || over.fold,
		disarm:          slices.Concat(over.disarm, f.disarm),
	}
}

// compiler keeps the first error, so that reading stays short.
type compiler struct{ err error }

func (c *compiler) route(text string) route {
	if text == "" {
		return nil
	}
	r, err := parseRoute(text)
	c.note(err)
	return r
}

func (c *compiler) routes(list []string) (all []route) {
	for _, text := range list {
		all = append(all, c.route(text))
	}
	return all
}

func (c *compiler) place(texts ...string) (all place) {
	for _, text := range texts {
		if text == "" {
			continue
		}
		p, err := parsePlace(text)
		c.note(err)
		all = append(all, p...)
	}
	return all
}

func (c *compiler) note(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *compiler) disarms(list []Disarm) (all []disarm) {
	for _, d := range list {
		verb := operation.Verb(d.Verb)
		if verb == "" {
			verb = operation.Unprotect
		}
		all = append(all, disarm{
			at: c.route(d.Field), when: d.When, values: d.Values, verb: verb, created: d.Created, says: d.Says,
			by: c.place(d.By), where: c.where(d.Where),
		})
	}
	return all
}

func (c *compiler) where(w *Where) *where {
	if w == nil {
		return nil
	}
	return &where{c.routes(strings.Split(w.Field, "|")), c.patterns(w.Is)}
}

func (c *compiler) patterns(list []string) (all []*regexp.Regexp) {
	for _, text := range list {
		p, err := operation.ParsePattern(text)
		c.note(err)
		all = append(all, p)
	}
	return all
}

func familyOf(r *Rules) (*family, error) {
	var c compiler
	f := &family{
		labels: c.routes(r.Labels), annotations: c.routes(r.Annotations),
		project: c.place(r.Project...), location: c.place(r.Location...),
		names: c.place(r.Names...), namespace: c.place(r.Namespace...),
		providerProject: r.ProviderProject, fold: r.FoldLabels, disarm: c.disarms(r.Disarm),
	}
	return f, c.err
}

func compileType(t *TypeRule) (*typeRule, error) {
	var c compiler
	rule := &typeRule{
		TypeRule: *t,
		name:     c.place(t.Name), project: c.place(t.Project), location: c.place(t.Location),
		namespace: c.place(t.Namespace), cluster: c.place(t.Cluster),
		labels: c.routes(t.Labels), disarm: c.disarms(t.Disarm),
	}
	if t.Object != "" {
		rule.objects = c.routes(strings.Split(t.Object, "|"))
	}
	if t.Ref != "" {
		var err error
		rule.ref, err = parseTemplate(t.Ref)
		c.note(err)
	}
	for _, h := range t.Holds {
		one := holds{types: map[string]bool{}, every: slices.Contains(h.Types, "*"), field: c.place(h.Field)}
		for _, name := range h.Types {
			one.types[name] = true
		}
		for _, text := range h.By {
			one.by = append(one.by, c.place(text))
		}
		rule.holds = append(rule.holds, one)
	}
	if g := t.Grants; g != nil {
		one := grants{
			members: c.routes(strings.Split(g.Members, "|")), role: c.route(g.Role),
			strong: c.patterns(g.Strong), weak: c.patterns(g.Weak),
		}
		if g.Terms != "" {
			one.terms = c.routes(strings.Split(g.Terms, "|"))
		}
		rule.grants = append(rule.grants, one)
	}
	if t.Rights != nil {
		rule.rights = append(rule.rights, rights{c.route(t.Rights.Field), c.patterns(t.Rights.Strong)})
	}
	if c.err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(t.Types, ", "), c.err)
	}
	return rule, nil
}
