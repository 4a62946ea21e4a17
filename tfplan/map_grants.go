package tfplan

import (
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxMembers caps how many members of a policy are looked at: Google allows 1500.
	maxMembers = 5000
	// maxPolicy caps a policy in JSON: Google allows 64 KiB.
	maxPolicy = 1 << 20
)

// everybody is who need not be named, as Google's IAM, AWS' and Kubernetes call them.
var everybody = []string{
	"allusers", "allauthenticatedusers", "*", "system:authenticated", "system:unauthenticated", "system:serviceaccounts",
}

// given is a right of somebody. terms say how far it goes: a condition, a policy.
type given struct{ role, member, terms string }

// granted notes that somebody who applies, or everybody, is given more rights.
func (r *reading) granted() {
	if r.rule == nil {
		return
	}
	for i := range r.rule.grants {
		r.grantedBy(&r.rule.grants[i])
	}
	for i := range r.rule.rights {
		r.grown(&r.rule.rights[i])
	}
}

// widens notes for whom rights grow; who is named first counts.
func (r *reading) widens(who string) {
	if r.op.Target.Widens == "" {
		r.op.Target.Widens = who
	}
}

func (r *reading) grantedBy(g *grants) {
	had := map[given]bool{}
	hadRole := map[given]bool{} // on whatever terms
	before, _ := r.given(g, r.before, nil)
	for _, one := range before {
		had[one], hadRole[given{one.role, one.member, ""}] = true, true
	}
	after, unknown := r.given(g, r.after, r.unknown)
	hide := slices.ContainsFunc(g.members, r.secret) || r.secret(g.role)
	for _, one := range after {
		// Where no role is named, the terms are all that is given.
		if had[one] || !g.counts(one.role) || g.role == nil && g.terms != nil && one.terms == "" {
			continue
		}
		who, name := shown(one.member, maxWord), memberName(one.member)
		switch {
		case slices.Contains(everybody, name):
			who = "everybody"
		case !r.m.appliers[name]:
			continue
		}
		right := shown(one.role, maxWord) + " is"
		if one.role == "" {
			right = "rights are"
		}
		if hide {
			who, right = hidden, hidden+" is"
		}
		text := right + " given to " + who
		if hadRole[given{one.role, one.member, ""}] {
			text += " on other terms than before"
		}
		r.widens(who)
		r.add(operation.Update, text)
	}
	if unknown {
		r.add(operation.Update, "rights are given to somebody who is only known after apply")
		r.missing("who is given rights")
	}
}

func (r *reading) secret(at route) bool {
	return at != nil && (marked(r.afterSensitive, at) || secretPath(at))
}

// counts reports whether a role does. One that is only known after apply does.
func (g *grants) counts(role string) bool {
	matches := func(p *regexp.Regexp) bool { return p.MatchString(role) }
	return role == "" || !slices.ContainsFunc(g.weak, matches) &&
		(len(g.strong) == 0 || slices.ContainsFunc(g.strong, matches))
}

// given lists the rights that a resource gives. unsaid: it gives rights that count, and
// whom is not known.
func (r *reading) given(g *grants, values, unknown any) (list []given, unsaid bool) {
	roles := rolesAt(g.role, values)
	terms := ""
	for _, at := range g.terms {
		if value := at.first(values); !nothing(value) {
			terms += at.String() + "=" + written(value) + "\n"
		}
		if unknown != nil && marked(unknown, at) {
			terms += at.String() + "?\n" // other than any that are known
		}
	}
	counts := slices.ContainsFunc(roles, g.counts)
	var all []found
	for _, at := range g.members {
		all = append(all, at.all(values)...)
		unsaid = unsaid || unknown != nil && counts && (marked(unknown, at) || slices.ContainsFunc(at.all(unknown), func(f found) bool { return anyTrue(f.value) }))
	}
	add := func(member string) {
		for _, role := range roles {
			list = append(list, given{role, member, terms})
		}
	}
	for _, f := range all {
		switch v := f.value.(type) {
		case []any:
			for _, member := range texts(v) {
				add(member)
			}
		case map[string]any:
			add(subjectName(v))
		case string:
			if policy, ok := bindings(v); ok {
				list = append(list, policy...)
			} else if v != "" {
				add(v)
			}
		}
		if len(list) > maxMembers {
			return list[:maxMembers], true
		}
	}
	return list, unsaid
}

// rolesAt lists the roles at a place; one that is not there, or not known, is "".
func rolesAt(at route, values any) []string {
	if at == nil {
		return []string{""}
	}
	value := at.first(values)
	if list, ok := value.([]any); ok && len(list) > 0 {
		return texts(list[:min(len(list), maxMembers)])
	}
	return []string{textOf(value)}
}

// subjectName is how Kubernetes calls whom a binding is about
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects).
func subjectName(subject map[string]any) string {
	name, namespace := textOf(subject["name"]), textOf(subject["namespace"])
	if textOf(subject["kind"]) == "ServiceAccount" {
		return "system:serviceaccount:" + namespace + ":" + name
	}
	return name
}

// bindings reads a policy as Google's google_iam_policy writes it.
func bindings(text string) ([]given, bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") || len(text) > maxPolicy {
		return nil, false
	}
	value, err := decode(jsontext.Value(text))
	if err != nil {
		return nil, false
	}
	list, ok := step(value, "bindings")
	all, isList := list.([]any)
	if !ok || !isList {
		return nil, false
	}
	var rights []given
	for _, b := range all {
		role, _ := step(b, "role")
		members, _ := step(b, "members")
		condition, _ := step(b, "condition")
		who, _ := members.([]any)
		for _, member := range texts(who) {
			rights = append(rights, given{textOf(role), member, written(condition)})
			if len(rights) > maxMembers {
				return rights, true
			}
		}
	}
	return rights, true
}
