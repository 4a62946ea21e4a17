package tfplan

import (
	"regexp"
	"slices"
)

// where is a condition on other fields.
type where struct {
	at []route
	is []*regexp.Regexp // empty: something
}

// holds reports whether the condition holds before or after, or may. Where its path begins
// as the field's does, it is about the same elements.
func (w *where) holds(field route, p pair, r *reading) bool {
	return slices.ContainsFunc(w.at, func(at route) bool {
		was, is := replaced(at, field, p.was), replaced(at, field, p.is)
		return p.hadPlace && w.found(was, r.before) || p.hasPlace && w.found(is, r.after) || marked(r.unknown, is)
	})
}

// replaced puts the steps by which a field was found into a path that begins the same.
func replaced(at, field, by route) route {
	with := slices.Clone(at)
	for i := range with {
		if i >= len(field) || i >= len(by) || at[i] != field[i] {
			break
		}
		with[i] = by[i]
	}
	return with
}

func (w *where) found(at route, root any) bool {
	return slices.ContainsFunc(at.all(root), func(f found) bool {
		if len(w.is) == 0 {
			return !nothing(f.value)
		}
		text, ok := plain(f.value)
		return ok && slices.ContainsFunc(w.is, func(p *regexp.Regexp) bool { return p.MatchString(text) })
	})
}
