package tfplan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

var (
	typeForm     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	typesForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*(?:\*[A-Za-z0-9_-]*)?$`)
	providerForm = regexp.MustCompile(`^(?:\*|[a-z0-9][a-z0-9_-]*)$`)
)

// disarmVerbs are what a Disarm may amount to.
var disarmVerbs = []string{
	string(operation.Unprotect), string(operation.ScaleToZero), string(operation.Empty), string(operation.Delete),
}

// whenCreated are what may be told of a resource that is made that way.
var whenCreated = []When{Off, On, Zero, Set, Becomes}

func (f *rulesFile) checkRules(r *Rules) {
	if len(r.Providers) == 0 {
		f.say("providers", "is missing")
	}
	for i, name := range r.Providers {
		if !providerForm.MatchString(name) {
			f.say(nth("providers", i), "%q is no provider's type, such as google, nor *", name)
		}
	}
	f.routes("labels", r.Labels)
	f.routes("annotations", r.Annotations)
	f.places("project", r.Project)
	f.places("location", r.Location)
	f.places("names", r.Names)
	f.places("namespace", r.Namespace)
	for i, d := range r.Disarm {
		f.checkDisarm(nth("disarm", i), d)
	}
	seen := map[string]bool{}
	for i := range r.Types {
		f.checkType(nth("types", i), &r.Types[i], seen)
	}
}

func nth(where string, i int) string { return fmt.Sprintf("%s[%d]", where, i) }

func (f *rulesFile) routes(where string, list []string) {
	for i, text := range list {
		f.route(nth(where, i), text)
	}
}

func (f *rulesFile) route(where, text string) {
	if text == "" {
		return // said already, or left out
	}
	if _, err := parseRoute(text); err != nil {
		f.say(where, "%v", err)
	}
}

func (f *rulesFile) places(where string, list []string) {
	for i, text := range list {
		f.place(nth(where, i), text)
	}
}

func (f *rulesFile) place(where, text string) {
	if text == "" {
		return
	}
	if _, err := parsePlace(text); err != nil {
		f.say(where, "%v", err)
	}
}

func (f *rulesFile) checkType(where string, t *TypeRule, seen map[string]bool) {
	if len(t.Types) == 0 {
		f.say(where, "types is missing")
	}
	for i, name := range t.Types {
		switch at := nth(where+".types", i); {
		case name == "": // said already
		case !typesForm.MatchString(name):
			f.say(at, "%q is no resource type", name)
		case seen[name]:
			f.say(at, "%s has a rule already", name)
		}
		seen[name] = true
	}
	f.place(where+".name", t.Name)
	f.place(where+".project", t.Project)
	f.place(where+".location", t.Location)
	f.place(where+".namespace", t.Namespace)
	f.place(where+".cluster", t.Cluster)
	for path := range strings.SplitSeq(t.Object, "|") {
		f.route(where+".object", path)
	}
	f.routes(where+".labels", t.Labels)
	if t.Ref != "" {
		if _, err := parseTemplate(t.Ref); err != nil {
			f.say(where+".ref", "%v", err)
		}
	}
	f.checkKubernetes(where, t)
	if t.Loose && len(t.Labels) == 0 {
		f.say(where+".loose", "is about labels, and there are none")
	}
	for i, h := range t.Holds {
		f.checkHolds(nth(where+".holds", i), h)
	}
	if len(t.Holds) > 0 && !t.Container {
		f.say(where+".holds", "what holds others is a container: say so")
	}
	for i, d := range t.Disarm {
		f.checkDisarm(nth(where+".disarm", i), d)
	}
	if t.Grants != nil {
		f.checkGrants(where+".grants", t.Grants)
	}
	if t.Rights != nil {
		if t.Rights.Field == "" || len(t.Rights.Strong) == 0 {
			f.say(where+".rights", "field and strong should be here")
		}
		f.route(where+".rights.field", t.Rights.Field)
		f.patterns(where+".rights.strong", t.Rights.Strong)
	}
}

func (f *rulesFile) checkKubernetes(where string, t *TypeRule) {
	switch {
	case !t.Kubernetes && t.Group+t.Resource+t.Object+t.Cluster != "":
		f.say(where, "group, resource, object and cluster are for what is in Kubernetes: say kubernetes: true")
	case t.Kubernetes && t.Ref != "":
		f.say(where+".ref", "an object of Kubernetes is called by its cluster, group, resource and name")
	case t.Kubernetes && (t.Object == "") == (t.Resource == ""):
		f.say(where, "an object of Kubernetes has either object, or resource, kind and group (left out for core)")
	case t.Kubernetes && t.Object == "" && t.Kind == "":
		f.say(where, "kind is missing")
	case t.Object != "" && t.Group+t.Kind != "":
		f.say(where, "object says group and kind already")
	}
	if strings.ToLower(t.Resource) != t.Resource || strings.Contains(t.Resource, "/") {
		f.say(where+".resource", "%q is no resource as the API calls it: lower case, plural", t.Resource)
	}
}

func (f *rulesFile) checkHolds(where string, h Holds) {
	if len(h.Types) == 0 || h.Field == "" || len(h.By) == 0 {
		f.say(where, "types, field and by should be here")
	}
	for i, name := range h.Types {
		if name != "" && name != "*" && !typeForm.MatchString(name) {
			f.say(nth(where+".types", i), "%q is no resource type, nor *", name)
		}
	}
	f.place(where+".field", h.Field)
	f.places(where+".by", h.By)
}

func (f *rulesFile) checkDisarm(where string, d Disarm) {
	if d.Field == "" || d.When == "" || d.Says == "" {
		f.say(where, "field, when and says should be here")
	}
	f.route(where+".field", d.Field)
	if d.When != "" && !slices.Contains(d.When.Values(), string(d.When)) {
		f.say(where+".when", "%q is none of %s", d.When, strings.Join(d.When.Values(), ", "))
	}
	if d.Verb != "" && !slices.Contains(disarmVerbs, d.Verb) {
		f.say(where+".verb", "%q is none of %s", d.Verb, strings.Join(disarmVerbs, ", "))
	}
	if needs := d.When == Becomes || d.When == Leaves; needs != (len(d.Values) > 0) {
		f.say(where+".values", "becomes and leaves have values, and no other when has")
	}
	if d.By != "" && d.When != Shrunk {
		f.say(where+".by", "is for shrunk")
	}
	f.place(where+".by", d.By)
	if d.Where != nil {
		if d.Where.Field == "" {
			f.say(where+".where", "field is missing")
		}
		for path := range strings.SplitSeq(d.Where.Field, "|") {
			f.route(where+".where.field", path)
		}
		f.patterns(where+".where.is", d.Where.Is)
	}
	if d.Created && !slices.Contains(whenCreated, d.When) {
		f.say(where+".created", "what is new is never %s", d.When)
	}
}

func (f *rulesFile) checkGrants(where string, g *GrantRule) {
	if g.Members == "" {
		f.say(where, "members is missing")
	}
	for path := range strings.SplitSeq(g.Members, "|") {
		f.route(where+".members", path)
	}
	f.route(where+".role", g.Role)
	for path := range strings.SplitSeq(g.Terms, "|") {
		f.route(where+".terms", path)
	}
	f.patterns(where+".strong", g.Strong)
	f.patterns(where+".weak", g.Weak)
}

func (f *rulesFile) patterns(where string, list []string) {
	for i, text := range list {
		if _, err := operation.ParsePattern(text); err != nil && text != "" {
			f.say(nth(where, i), "%v", err)
		}
	}
}
