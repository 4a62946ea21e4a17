package tfplan

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
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
	var list []weakening
	all, more := d.at.pairs(r.before, r.after)
	all = append(all, r.yetUnknown(d, all)...)
	for _, p := range all {
		if d.where != nil && !d.where.holds(d.at, p, r) {
			continue
		}
		maybe := r.later(d, p.is)
		if p.gone && d.verb == operation.Empty && !maybe {
			continue // a rule that is gone deletes nothing
		}
		if d.holds(p.before, p.after, maybe, created) {
			list = append(list, weakening{r.toldAt(d, p), r.how(p, maybe), maybe})
		}
	}
	if star := slices.Index(d.at, "*"); more && !same(d.at[:star].first(r.before), d.at[:star].first(r.after)) {
		list = append(list, weakening{d.at, "there is more than is read", true})
	}
	// What is only known after apply may be left out of what is after.
	if len(all) == 0 && d.where == nil && r.later(d, d.at) && d.holds(nil, nil, true, created) {
		list = append(list, weakening{d.at, r.how(pair{was: d.at, is: d.at}, true), true})
	}
	return list
}

// yetUnknown are elements that are new, whose value is only known after apply and thus not
// there at all.
func (r *reading) yetUnknown(d *disarm, all []pair) (list []pair) {
	if !slices.Contains(d.at, "*") {
		return nil
	}
	seen := map[string]bool{}
	for _, p := range all {
		seen[p.is.String()] = true
	}
	for _, f := range d.at.all(r.unknown) {
		if f.value == true && !seen[f.at.String()] {
			list = append(list, pair{was: f.at, is: f.at, hasPlace: true})
		}
	}
	return list
}

// toldAt is what people find the field by: with "*" for keys of what is sensitive.
func (r *reading) toldAt(d *disarm, p pair) route {
	if p.hadPlace && marked(r.beforeSensitive, p.was) || p.hasPlace && marked(r.afterSensitive, p.is) {
		return d.at
	}
	return p.at()
}

// later reports whether a value is only known after apply. That something in a block is
// does not say that the block goes, only that it may change.
func (r *reading) later(d *disarm, at route) bool {
	if d.when == Changed {
		return marked(r.unknown, at)
	}
	return markedAbove(r.unknown, at)
}

func (r *reading) how(p pair, maybe bool) string {
	from, to := describe(p.before, r.beforeSensitive, p.was), describe(p.after, r.afterSensitive, p.is)
	if maybe {
		to = "known after apply"
	}
	return from + " → " + to
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
		return !nothing(before) && (maybe || shrunk(before, after, d.by))
	case Fewer:
		return !nothing(before) && (maybe || length(after) < length(before))
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

// shrunk reports whether something that was in a list or object before is not after, in
// any place of it. An element that has what by names is the same as long as that is.
func shrunk(before, after any, by place) bool {
	switch b := before.(type) {
	case []any:
		a, _ := after.([]any)
		if len(a) < len(b) || len(b) > maxElements || len(a) > maxElements {
			return true
		}
		left := map[string]int{}
		for _, item := range a {
			left[elementName(item, by)]++
		}
		for _, item := range b {
			name := elementName(item, by)
			if left[name] == 0 {
				return true
			}
			left[name]--
		}
		return false
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

func elementName(item any, by place) string {
	if text, _ := by.text(item, nil); text != "" {
		return "=" + text
	}
	return written(item)
}

func length(value any) int {
	switch v := value.(type) {
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	return 0
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
