package webhook

import (
	"fmt"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// The filters of weakenings are built from these. API servers compile them whenever
// the configuration changes, and run them for every update, so they are short: inside
// weakened, o and n stand for the old and the new spec. The types below those are
// looked at only where any type can be: the API server has decoded its own kinds.

const (
	oldObject = "oldObject"
	newObject = "object"
	oldSpec   = "o"
	newSpec   = "n"
	absent    = "dyn(null)"
)

// maxCompared is how many elements of a list or map CEL compares with those of
// another, since that takes time with the square of the size. What is larger is
// sent, and the mapper looks.
const maxCompared = 64

// weakened is true if a term about o and n is. A spec that is no object any more is
// as good as an empty one: it has lost whatever there was. s is what it is.
func weakened(terms ...string) string {
	return "[oldObject.?spec.orValue({})].exists(p, (p == null || type(p) == map) && [p == null ? {} : p].exists(o, " +
		"[object.?spec.orValue({})].exists(s, [type(s) == map ? s : {}].exists(n, " + anyOf(terms...) + "))))"
}

// at is the value at a path, or another one where there is none. A null has to be
// dyn(null), since the checker would take the value to be always null.
func at(object, otherwise string, path ...string) string {
	var b strings.Builder
	b.WriteString(object)
	for _, name := range path {
		if strings.ContainsAny(name, "./-") {
			b.WriteString("[?" + strconv.Quote(name) + "]")
		} else {
			b.WriteString(".?" + name)
		}
	}
	return b.String() + ".orValue(" + otherwise + ")"
}

// equals is true if the value at a path is this one, a CEL literal.
func equals(object, literal string, path ...string) string {
	return at(object, absent, path...) + " == " + literal
}

// changed is true if the value at a path is another one now.
func changed(path ...string) string {
	return at(oldSpec, absent, path...) + " != " + at(newSpec, absent, path...)
}

// changedMeta is changed for what is not below spec.
func changedMeta(path ...string) string {
	return at(oldObject, absent, path...) + " != " + at(newObject, absent, path...)
}

// present is true if there is a value at a path.
func present(object string, path ...string) string { return at(object, absent, path...) + " != null" }

// filled is true if there is a list or map with something in it at a path; empty is
// the CEL literal of one with nothing.
func filled(object, empty string, path ...string) string {
	value := at(object, empty, path...)
	return "(" + value + " != " + empty + " && " + value + " != null)"
}

// counts is true if there is a number of at least one at a path, which may be
// written as a text.
func counts(object string, path ...string) string {
	return "[" + at(object, "0", path...) + "].exists(r, (type(r) == int || type(r) == double) ? r >= 1 : " +
		"(type(r) == string && r.matches(" + strconv.Quote(numericText) + ") && r.matches('[1-9]')))"
}

// loses is true if something is so in the old spec and not in the new one.
func loses(is func(spec string) string) string {
	return "(" + is(oldSpec) + " && !(" + is(newSpec) + "))"
}

// losesMeta is loses for what is not below spec.
func losesMeta(is func(object string) string) string {
	return "(" + is(oldObject) + " && !(" + is(newObject) + "))"
}

func anyOf(terms ...string) string { return "(" + strings.Join(terms, " || ") + ")" }
func allOf(terms ...string) string { return "(" + strings.Join(terms, " && ") + ")" }

// about is true for requests that a weakening is about.
func (w weakening) about() string {
	byGroup := map[string][]string{}
	var groups []string
	for _, resource := range w.resources {
		group, name, _ := strings.Cut(resource, "/")
		if byGroup[group] == nil {
			groups = append(groups, group)
		}
		byGroup[group] = append(byGroup[group], strconv.Quote(name))
	}
	var terms []string
	for _, group := range groups {
		terms = append(terms, fmt.Sprintf("(request.resource.group == %q && request.resource.resource in [%s])", group, strings.Join(byGroup[group], ", ")))
	}
	return anyOf(terms...)
}

// byHand is true for people and agents. It mirrors update.byHand; the control plane
// is not sent at all.
func (g generator) byHand() string {
	return "(!request.userInfo.username.startsWith(" + strconv.Quote(serviceAccounts) + ") || " + matches("request.userInfo.username", g.Agents) + ")"
}

// weakenedBy is true if an update may weaken in one of the ways that lead through a
// sub-resource, or through the object itself ("").
func (g generator) weakenedBy(through string) []string {
	var terms, below []string
	for _, w := range weakenings() {
		if !w.leads(through) {
			continue
		}
		term := w.filter(g)
		if len(w.resources) > 0 {
			term = allOf(w.about(), "("+term+")")
		}
		if w.meta {
			terms = append(terms, "("+term+")")
		} else {
			below = append(below, "("+term+")")
		}
	}
	if len(below) > 0 {
		terms = append(terms, weakened(below...))
	}
	return terms
}

// labels are the updates of sub-resources that are done with whole objects: what the
// API server takes over of them differs, and labels are among it. Namespaces being
// finalized are sent by the hook for namespaces.
func (g generator) labels() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("labels", admissionregistrationv1.Update, "*/status", admissionregistrationv1.AllScopes, g.FailProtected)
	hook.Rules[0].Resources = []string{"*/status", "pods/resize", "pods/ephemeralcontainers"}
	terms := append(g.strips(), g.weakenedBy("status")...)
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{
		g.notControlPlane(), g.notChurn(), g.notOwn(), g.costly("weakens", strings.Join(terms, " || ")),
	}
	return hook
}

// isolate is the creation of network policies: the one thing that harms others by
// being made. It fails open, unless everything is production: whatever sets up a
// namespace makes some of them.
func (g generator) isolate() admissionregistrationv1.ValidatingWebhook {
	failure := g.FailOther
	if g.WholeCluster {
		failure = g.FailProtected
	}
	group, resource, _ := strings.Cut(networkPolicies, "/")
	hook := g.hook("isolate", admissionregistrationv1.Create, resource, admissionregistrationv1.NamespacedScope, failure)
	hook.Rules[0].APIGroups = []string{group}
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{
		g.notControlPlane(), g.notOwn(), g.costly("isolates", "object == null || "+isolating()),
	}
	return hook
}

// isolating is weakened for a new object alone.
func isolating() string {
	return "[object.?spec.orValue({})].exists(s, [type(s) == map ? s : {}].exists(n, " + celIsolates() + "))"
}
