package tfplan

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// weakening is a field that a rule holds for.
type weakening struct {
	at  route
	how string // before → after
	// maybe: the value after is only known after apply.
	maybe bool
}

// disarms returns where a rule holds.
func (r *reading) disarms(d *disarm, created bool) []weakening {
	if slices.Contains(d.at, "*") && (d.when == Becomes || d.when == Leaves) {
		return r.disarmsAny(d)
	}
	var list []weakening
	seen := map[string]bool{}
	for _, root := range []any{r.before, r.after} {
		for _, f := range d.at.all(root) {
			key := f.at.String()
			if seen[key] {
				continue
			}
			seen[key] = true
			before, after := f.at.first(r.before), f.at.first(r.after)
			maybe := r.later(d, f.at)
			if d.holds(before, after, maybe, created) {
				list = append(list, weakening{f.at, r.how(f.at, before, after, maybe), maybe})
			}
		}
	}
	// What is only known after apply may be left out of what is after.
	if len(list) == 0 && len(seen) == 0 && !slices.Contains(d.at, "*") &&
		r.later(d, d.at) && d.holds(nil, nil, true, created) {
		list = append(list, weakening{d.at, r.how(d.at, nil, nil, true), true})
	}
	return list
}

// later reports whether a value is only known after apply. That something in a block is
// does not say that the block goes, only that it may change.
func (r *reading) later(d *disarm, at route) bool {
	if d.when == Changed {
		return marked(r.unknown, at)
	}
	return markedAbove(r.unknown, at)
}

func (r *reading) how(at route, before, after any, maybe bool) string {
	from, to := describe(before, r.beforeSensitive, at), describe(after, r.afterSensitive, at)
	if maybe {
		to = "known after apply"
	}
	return from + " → " + to
}

// disarmsAny is for the elements of lists, which may change places: it counts.
func (r *reading) disarmsAny(d *disarm) []weakening {
	count := func(root any) (n int) {
		for _, f := range d.at.all(root) {
			if d.hasValue(f.value) {
				n++
			}
		}
		return n
	}
	before, after := count(r.before), count(r.after)
	maybe := false
	for _, f := range d.at.all(r.unknown) {
		maybe = maybe || f.value == true
	}
	words := func(n int) string { return strconv.Itoa(n) + " × " + strings.Join(d.values, ", ") }
	how := words(before) + " → " + words(after)
	switch {
	case d.when == Becomes && after > before, d.when == Leaves && before > 0 && after == 0 && !maybe:
		return []weakening{{d.at, how, false}}
	case maybe && (d.when == Becomes || before > 0):
		return []weakening{{d.at, words(before) + " → known after apply", true}}
	}
	return nil
}

func (d *disarm) hasValue(value any) bool {
	text, ok := plain(value)
	return ok && slices.ContainsFunc(d.values, func(v string) bool { return strings.EqualFold(v, text) })
}

// holds reports whether the values before and after disarm, or with maybe could, if the
// value after is only known after apply.
func (d *disarm) holds(before, after any, maybe, created bool) bool {
	switch d.when {
	case Off:
		if created {
			text, ok := plain(after)
			return ok && strings.EqualFold(text, "false")
		}
		return isTrue(before) && (maybe || !isTrue(after))
	case On:
		return !isTrue(before) && (maybe && !created || isTrue(after))
	case Zero:
		if had, ok := before.([]any); ok {
			left, _ := after.([]any)
			return len(had) > 0 && (maybe || len(left) == 0)
		}
		to, known := amount(after)
		if created {
			return known && to == 0
		}
		from, had := amount(before)
		return had && from > 0 && (maybe || known && to == 0)
	case Less, More:
		from, had := amount(before)
		to, known := amount(after)
		if d.when == More {
			from, to = -from, -to
		}
		return had && (from != 0 || d.when == More) && (maybe || nothing(after) || known && to < from)
	case Removed:
		return !nothing(before) && (maybe || nothing(after))
	case Set:
		return nothing(before) && (maybe && !created || !nothing(after))
	case Shrunk:
		return !nothing(before) && (maybe || shrunk(before, after))
	case Changed:
		return !nothing(before) && (maybe || !same(before, after))
	case Becomes:
		return !d.hasValue(before) && (maybe && !created || d.hasValue(after))
	case Leaves:
		return d.hasValue(before) && (maybe || !d.hasValue(after))
	}
	return false
}

// durationForm is a duration as APIs write it: 604800s, 168h, 7d, 2w.
var durationForm = regexp.MustCompile(`^(\d+(?:\.\d+)?)(d|w)$`)

// amount reads a number, or a duration in seconds.
func amount(value any) (float64, bool) {
	var text string
	switch v := value.(type) {
	case string:
		text = strings.TrimSuffix(strings.TrimSpace(v), "%")
	case number:
		text = string(v)
	default:
		return 0, false
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n, !math.IsNaN(n)
	}
	if m := durationForm.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		const day = 24 * 60 * 60
		if m[2] == "w" {
			return n * 7 * day, err == nil
		}
		return n * day, err == nil
	}
	d, err := time.ParseDuration(text)
	return d.Seconds(), err == nil
}

// shrunk reports whether something that was in a list or object before is not after. A
// change of an element in place is none as long as their number stays.
func shrunk(before, after any) bool {
	switch b := before.(type) {
	case []any:
		a, _ := after.([]any)
		if len(a) < len(b) {
			return true
		}
		// Of texts each counts.
		return slices.ContainsFunc(b, func(item any) bool {
			_, ok := plain(item)
			return ok && !slices.Contains(texts(a), textOf(item))
		})
	case map[string]any:
		a, _ := after.(map[string]any)
		for key := range b {
			if _, ok := a[key]; !ok {
				return true
			}
		}
		return false
	}
	return nothing(after)
}

func textOf(item any) string {
	text, _ := plain(item)
	return text
}

func texts(list []any) []string {
	var all []string
	for _, item := range list {
		if text, ok := plain(item); ok {
			all = append(all, text)
		}
	}
	return all
}

// same reports whether two values are equal; texts that are the same name, written as an
// id and as a self link, are.
func same(a, b any) bool {
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, same)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for key := range x {
			if other, ok := y[key]; !ok || !same(x[key], other) {
				return false
			}
		}
		return true
	}
	return a == b
}
