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

// everybody is who need not be named, as Google's IAM and AWS' call them.
var everybody = []string{"allusers", "allauthenticatedusers", "*"}

// given is a right of somebody.
type given struct{ role, member string }

// granted notes that somebody who applies, or everybody, is given more rights.
func (r *reading) granted() {
	if r.rule == nil || r.rule.Grants == nil {
		return
	}
	before, _ := r.given(r.before, nil)
	after, unknown := r.given(r.after, r.unknown)
	var widens []string
	for _, g := range after {
		if slices.Contains(before, g) || !r.strong(g.role) {
			continue
		}
		name := memberName(g.member)
		switch {
		case slices.Contains(everybody, name):
			widens = append(widens, "everybody")
		case r.m.appliers[name]:
			widens = append(widens, shown(g.member, maxWord))
		default:
			continue
		}
		right := shown(g.role, maxWord) + " is"
		if g.role == "" {
			right = "rights are"
		}
		if slices.ContainsFunc(r.rule.members, r.secret) || r.secret(r.rule.role) {
			widens[len(widens)-1] = hidden
			right = hidden + " is"
		}
		r.add(operation.Update, right+" given to "+widens[len(widens)-1])
	}
	if len(widens) > 0 {
		r.op.Target.Widens = widens[0]
	}
	if unknown {
		r.add(operation.Update, "rights are given to somebody who is only known after apply")
		r.missing("who is given rights")
	}
}

func (r *reading) secret(at route) bool { return marked(r.afterSensitive, at) || secretPath(at) }

// strong reports whether a role counts. One that is only known after apply does.
func (r *reading) strong(role string) bool {
	return len(r.rule.strong) == 0 || role == "" ||
		slices.ContainsFunc(r.rule.strong, func(p *regexp.Regexp) bool { return p.MatchString(role) })
}

// given lists the rights that a resource gives. unsaid: it gives rights that count, and
// whom is not known.
func (r *reading) given(values, unknown any) (list []given, unsaid bool) {
	role := ""
	if r.rule.role != nil {
		role = textOf(r.rule.role.first(values))
	}
	var all []found
	for _, at := range r.rule.members {
		all = append(all, at.all(values)...)
		unsaid = unsaid || unknown != nil && marked(unknown, at) && r.strong(role)
	}
	for _, f := range all {
		switch v := f.value.(type) {
		case []any:
			for _, member := range texts(v) {
				list = append(list, given{role, member})
			}
		case string:
			if policy, ok := bindings(v); ok {
				list = append(list, policy...)
			} else if v != "" {
				list = append(list, given{role, v})
			}
		}
		if len(list) > maxMembers {
			return list[:maxMembers], true
		}
	}
	return list, unsaid
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
		who, _ := members.([]any)
		for _, member := range texts(who) {
			rights = append(rights, given{textOf(role), member})
			if len(rights) > maxMembers {
				return rights, true
			}
		}
	}
	return rights, true
}

// memberName is how members are compared: without the kind that Google's IAM writes before
// it, in lower case.
func memberName(member string) string {
	member = strings.ToLower(strings.TrimSpace(member))
	for _, kind := range []string{"serviceaccount:", "user:", "group:"} {
		if name, ok := strings.CutPrefix(member, kind); ok {
			return name
		}
	}
	return member
}
