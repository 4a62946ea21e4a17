package tfplan

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxElements caps the elements of a list that are compared one by one: ten times the
// largest that the APIs of the embedded rules take (10,000 projects of a perimeter). A
// list with more counts as changed.
const maxElements = 100_000

// identities are the keys by which elements of a list are told apart, if all else changes.
var identities = []string{"name", "key", "id", "condition"}

// pair is where a path leads to before and after. The place of what is only at one of
// them is that of the other.
type pair struct {
	was, is       route
	before, after any
	// hadPlace, hasPlace: the path leads somewhere.
	hadPlace, hasPlace bool
	// gone: it was in an element that is no more.
	gone bool
}

// at is how people find it: after, if it is there.
func (p pair) at() route {
	if p.hasPlace {
		return p.is
	}
	return p.was
}

// pairs returns what a path leads to, at most maxMatches. Elements of lists, which may
// change places, are compared with those that are the same, else with that of the same
// name, key or condition, else with the next. more: there are more than are returned.
func (r route) pairs(before, after any) (list []pair, more bool) {
	if !slices.Contains(r, "*") {
		one := pair{was: r, is: r}
		one.before, one.hadPlace = r.only(before)
		one.after, one.hasPlace = r.only(after)
		if !one.hadPlace && !one.hasPlace {
			return nil, false
		}
		return []pair{one}, false
	}
	list = []pair{{before: before, after: after, hadPlace: true, hasPlace: true}}
	for _, key := range r {
		var next []pair
		for _, p := range list {
			if key != "*" {
				next = append(next, p.down(key, key))
				continue
			}
			subs, left := p.elements()
			more = more || left
			next = append(next, subs...)
		}
		list = next[:0]
		for _, p := range next {
			if p.hadPlace || p.hasPlace {
				list = append(list, p)
			}
		}
		if len(list) > maxMatches {
			list, more = list[:maxMatches], true
		}
	}
	return list, more
}

// only returns the value that a path without "*" leads to.
func (r route) only(value any) (any, bool) {
	ok := true
	for _, key := range r {
		if value, ok = step(value, key); !ok {
			return nil, false
		}
	}
	return value, true
}

// down goes one step down, on each side its own. No step is "".
func (p pair) down(was, is string) pair {
	down := pair{gone: p.gone || is == ""}
	if p.hadPlace && was != "" {
		down.before, down.hadPlace = step(p.before, was)
	}
	if p.hasPlace && is != "" {
		down.after, down.hasPlace = step(p.after, is)
	}
	if was == "" {
		was = is
	}
	if is == "" {
		is = was
	}
	down.was, down.is = append(slices.Clone(p.was), was), append(slices.Clone(p.is), is)
	return down
}

// elements are the pairs of what is in two lists or objects.
func (p pair) elements() (list []pair, more bool) {
	b, a := keysOf(p.before), keysOf(p.after)
	if len(b) > maxElements || len(a) > maxElements {
		return nil, true
	}
	_, object := p.before.(map[string]any)
	_, toObject := p.after.(map[string]any)
	byKey := func(key string, _ any) string { return key }
	ways := []func(string, any) string{byKey}
	if !object || !toObject {
		ways = []func(string, any) string{
			func(_ string, v any) string { return written(v) },
			func(_ string, v any) string { return identity(v) },
			func(string, any) string { return "" },
		}
	}
	for i, way := range ways {
		last := i == len(ways)-1
		waiting := map[string][]string{}
		for _, key := range a {
			v, _ := step(p.after, key)
			name := way(key, v)
			waiting[name] = append(waiting[name], key)
		}
		var left []string
		taken := map[string]bool{}
		for _, key := range b {
			v, _ := step(p.before, key)
			name := way(key, v)
			switch to := waiting[name]; {
			case len(to) > 0 && (name != "" || last):
				list = append(list, p.down(key, to[0]))
				waiting[name], taken[to[0]] = to[1:], true
			case last:
				list = append(list, p.down(key, ""))
			default:
				left = append(left, key)
			}
		}
		b, a = left, slices.DeleteFunc(a, func(key string) bool { return taken[key] })
	}
	for _, key := range a {
		list = append(list, p.down("", key))
	}
	if len(list) > maxMatches {
		// What is as it was goes first.
		same := func(q pair) bool { return q.hadPlace == q.hasPlace && written(q.before) == written(q.after) }
		list = slices.DeleteFunc(list, same)
	}
	return list[:min(len(list), maxMatches)], len(list) > maxMatches
}

// keysOf are the steps to all elements of a list or object.
func keysOf(value any) []string {
	switch v := value.(type) {
	case map[string]any:
		return sortedKeys(v)
	case []any:
		keys := make([]string, len(v))
		for i := range keys {
			keys[i] = strconv.Itoa(i)
		}
		return keys
	}
	return nil
}

// identity is what an element is called, or "".
func identity(value any) string {
	object, ok := value.(map[string]any)
	if !ok {
		return ""
	}
	for _, key := range identities {
		if sub := object[key]; !nothing(sub) {
			return key + "=" + written(sub)
		}
	}
	return ""
}

// written is a value as a text that equal values share, whatever the order of their keys;
// "" for nothing. A text that is JSON counts as what it says.
func written(value any) string {
	if nothing(value) {
		return ""
	}
	if text, ok := value.(string); ok {
		value = fromJSON(text)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "" // what decode returns can be written
	}
	return string(text)
}

// fromJSON is what a text says that is an object or list in JSON; else the text.
func fromJSON(text string) any {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") || len(text) > maxPolicy {
		return text
	}
	value, err := decode(jsontext.Value(text))
	if err != nil {
		return text
	}
	return value
}
