package webhook

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// traffic is about what keeps pods running and reachable.
var traffic = []weakening{
	{
		name: "a disruption budget protects nothing any more", verb: operation.Unprotect, through: itself,
		resources: []string{"policy/poddisruptionbudgets"},
		filter: func(generator) string {
			return anyOf(loses(celWorth), allOf(present(oldSpec, "selector"), changed("selector")))
		},
		judge: judgeBudget,
	},
	{
		name: "a Service leads nowhere, or elsewhere", verb: operation.Unprotect, through: itself,
		resources: []string{"/services"},
		filter: func(g generator) string {
			return anyOf(
				loses(func(spec string) string { return filled(spec, "{}", "selector") }),
				loses(func(spec string) string { return filled(spec, "[]", "ports") }),
				loses(func(spec string) string { return equals(spec, `"LoadBalancer"`, "type") }),
				allOf(filled(oldSpec, "{}", "selector"), changed("selector"), g.byHand()),
			)
		},
		judge: judgeService,
	},
	{
		name: "an Ingress has no rule any more", verb: operation.Unprotect, through: itself,
		resources: []string{"networking.k8s.io/ingresses"},
		filter: func(generator) string {
			return loses(func(spec string) string {
				return anyOf(filled(spec, "[]", "rules"), filled(spec, "{}", "defaultBackend"))
			})
		},
		judge: func(u *update) {
			leads := func(s side) bool { return !s.spec("rules").empty() || !s.spec("defaultBackend").empty() }
			if leads(u.was) && !leads(u.is) {
				u.says("spec.rules and spec.defaultBackend emptied: it leads nowhere")
			}
		},
	},
	{
		name: "a network policy isolates", verb: operation.Unprotect, through: itself,
		resources: []string{networkPolicies},
		filter:    func(generator) string { return allOf("o != n", celIsolates()) },
		judge:     judgeIsolation,
	},
}

const networkPolicies = "networking.k8s.io/networkpolicies"

// A budget is worth nothing with these (k8s.io/api policy/v1: an integer or a
// percentage, whose digits may have zeros in front).
const (
	noneOfThem = `^0+%$`
	allOfThem  = `^0*100%$`
)

var none, all = regexp.MustCompile(noneOfThem), regexp.MustCompile(allOfThem)

func celWorth(spec string) string {
	number := "(type(r) == int || type(r) == double)"
	return anyOf(
		"["+at(spec, absent, "minAvailable")+"].exists(r, "+number+" ? r > 0 : type(r) == string && !r.matches('"+noneOfThem+"'))",
		"["+at(spec, absent, "maxUnavailable")+"].exists(r, "+number+" || type(r) == string && !r.matches('"+allOfThem+"'))",
	)
}

func judgeBudget(u *update) {
	if u.was.worth() && !u.is.worth() {
		for _, field := range []string{"minAvailable", "maxUnavailable"} {
			if was, is := u.was.spec(field), u.is.spec(field); !is.same(was) {
				u.says("spec.%s %s → %s: every pod may be disrupted at once", field, was.brief(), is.brief())
			}
		}
	}
	if was := u.was.spec("selector"); was.there() {
		if is := u.is.spec("selector"); !is.same(was) {
			u.says("spec.selector %s → %s: it may not cover the pods that it covered", was.brief(), is.brief())
		}
	}
}

// worth reports whether a budget keeps any pod, as far as it says itself: a
// maxUnavailable of as many as there are is not seen.
func (s side) worth() bool {
	least, most := s.spec("minAvailable"), s.spec("maxUnavailable")
	keeps := false
	if least.text.Kind() == '"' {
		keeps = !none.MatchString(least.str())
	} else if count, set := least.count(); set {
		keeps = count > 0
	}
	if most.text.Kind() == '"' {
		return keeps || !all.MatchString(most.str())
	}
	_, set := most.count()
	return keeps || set
}

func judgeService(u *update) {
	before := u.was.spec("selector")
	if !before.empty() {
		after := u.is.spec("selector")
		switch {
		case len(after.pairs()) == 0:
			u.says("spec.selector %s → none: it leads to no pod that it finds itself", before.brief())
		case u.byHand() && !maps.Equal(after.pairs(), before.pairs()):
			u.says("spec.selector %s → %s: it may lead to other pods, or none", before.brief(), after.brief())
		}
	}
	if !u.was.spec("ports").empty() {
		if u.is.spec("ports").empty() {
			u.says("spec.ports emptied")
		}
	}
	if lost, now := u.turns("LoadBalancer", u.was.spec("type"), "type"); lost {
		u.says("spec.type LoadBalancer → %s: the address is given back", now)
	}
}

// isolation begins the change of a network policy that lets nothing through.
const isolation = "no traffic "

func judgeIsolation(u *update) {
	after := u.is.isolates()
	if len(after) == 0 && !u.is.spec().faulty() {
		return
	}
	before := u.was.isolates()
	moved := !u.is.spec("podSelector").same(u.was.spec("podSelector"))
	for _, direction := range after {
		if moved || !slices.Contains(before, direction) {
			u.says("%s", isolated(direction, u.is.spec("podSelector")))
		}
	}
}

func isolated(direction string, pods node) string {
	how := map[string]string{"Ingress": "comes in to", "Egress": "goes out of"}[direction]
	which := "pods that " + pods.brief() + " selects"
	if pods.empty() {
		which = "any pod of the namespace"
	}
	return isolation + how + " " + which
}

// isolates lists the directions in which a network policy lets nothing through. The
// API server fills in policyTypes; where they are absent, Ingress is meant, and
// Egress if there are rules for it (k8s.io/api networking/v1).
func (s side) isolates() []string {
	types := s.spec("policyTypes")
	directions := types.texts()
	if !types.there() && s.spec().there() {
		directions = []string{"Ingress"}
	}
	var isolated []string
	for _, direction := range []string{"Ingress", "Egress"} {
		if slices.Contains(directions, direction) && s.spec(strings.ToLower(direction)).empty() {
			isolated = append(isolated, direction)
		}
	}
	return isolated
}

// celIsolates is true if the new spec lets nothing through in one direction.
func celIsolates() string {
	types := at(newSpec, "['Ingress']", "policyTypes")
	return anyOf(
		allOf("'Ingress' in "+types, "!"+filled(newSpec, "[]", "ingress")),
		allOf("'Egress' in "+types, "!"+filled(newSpec, "[]", "egress")),
	)
}

// isolationVerb judges a network policy that is made. It takes nothing from itself:
// what it isolates is others.
func (m *mapper) isolationVerb(r *request) (operation.Verb, []operation.Verb, []string) {
	if !r.object.present {
		return operation.Unknown, nil, []string{"a creation without the object"}
	}
	u := newUpdate(m, r)
	verb, changes := u.judged(weakening{verb: operation.Unprotect, judge: judgeIsolation})
	if len(changes) == 0 {
		return operation.Update, nil, nil
	}
	return verb, nil, changes
}
