package tfplan

import (
	"regexp"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// holders stand for those who have a role, when nobody knows who they are.
const holders = "whoever has this role"

// grown notes that a role comes to have a right that counts. A role that is made is given
// to nobody yet.
func (r *reading) grown(rule *rights) {
	if _, had := r.before.(map[string]any); !had {
		return
	}
	if marked(r.unknown, rule.at) {
		r.widens(holders)
		r.add(operation.Update, "rights that are only known after apply are given to "+holders)
		r.missing("which rights the role has")
		return
	}
	before, after := statements(rule.at.first(r.before)), statements(rule.at.first(r.after))
	if len(before) > maxElements || len(after) > maxElements {
		r.gives("more than is read")
		return
	}
	if slices.ContainsFunc(lost(before, after), denies) {
		r.gives("what was denied")
	}
	told := 0
	for _, one := range lost(after, before) {
		right := rule.strongIn(one)
		if right == "" {
			continue
		}
		if r.secret(rule.at) {
			right = hidden
		}
		r.gives(right)
		if told++; told > maxChanges {
			return // nobody reads more
		}
	}
}

func (r *reading) gives(right string) {
	r.widens(holders)
	r.add(operation.Update, shown(right, maxWord)+" is given to "+holders)
}

// statements are the elements of a list of rights: texts, rules, or those of a policy as
// AWS writes it, of which one may stand without a list.
func statements(value any) []any {
	if text, ok := value.(string); ok {
		value = fromJSON(text)
	}
	if policy, ok := value.(map[string]any); ok {
		value = policy["Statement"]
	}
	if one, ok := value.(map[string]any); ok {
		return []any{one}
	}
	list, _ := value.([]any)
	return list
}

// lost lists the elements of one list that another does not have.
func lost(list, other []any) (only []any) {
	has := map[string]bool{}
	for _, one := range other {
		has[written(one)] = true
	}
	for _, one := range list {
		if !has[written(one)] {
			only = append(only, one)
		}
	}
	return only
}

func denies(one any) bool {
	statement, ok := one.(map[string]any)
	return ok && statement["Effect"] == "Deny"
}

// strongIn returns the first right in an element that counts, or "".
func (rule *rights) strongIn(one any) string {
	statement, ok := one.(map[string]any)
	switch {
	case denies(one):
		return ""
	case ok && statement["NotAction"] != nil:
		return "all but some rights"
	case ok && statement["Action"] != nil:
		one = statement["Action"] // of all resources is not of everything
	}
	return rule.strongText(one)
}

func (rule *rights) strongText(value any) string {
	switch v := value.(type) {
	case []any:
		for _, sub := range v {
			if text := rule.strongText(sub); text != "" {
				return text
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if text := rule.strongText(v[key]); text != "" {
				return text
			}
		}
	case string:
		if slices.ContainsFunc(rule.strong, func(p *regexp.Regexp) bool { return p.MatchString(v) }) {
			return v
		}
	}
	return ""
}
