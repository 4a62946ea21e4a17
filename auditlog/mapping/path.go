package mapping

import (
	"fmt"
	"strings"
	"unicode"
)

// maxSteps is how long a path may be: entries are not nested deeper where anybody
// would look.
const maxSteps = 16

// path leads to values in an entry.
type path struct {
	text  string
	steps []step
}

type step struct {
	name, snake string
	// each goes on through all items of the list there.
	each bool
}

func parsePath(text string) (path, error) {
	p := path{text: text}
	for _, name := range strings.Split(text, ".") {
		name, each := strings.CutSuffix(name, "[]")
		if name == "" || strings.ContainsAny(name, "[]{} \t") {
			return path{}, fmt.Errorf("%q is no path: names between dots, with [] after one that is a list", text)
		}
		p.steps = append(p.steps, step{name: name, snake: snakeCase(name), each: each})
	}
	if len(p.steps) > maxSteps {
		return path{}, fmt.Errorf("%q is longer than %d names", text, maxSteps)
	}
	return p, nil
}

// snakeCase writes a name as protocol buffers declare it, which some services log.
func snakeCase(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// walk calls visit with each value that p leads to, and with nil once if it leads to
// none, until visit returns true. It reports whether it did.
func (p path) walk(from object, visit func(value any) bool) bool {
	found := false
	done := walkSteps(from, p.steps, func(value any) bool {
		found = true
		return visit(value)
	})
	return done || !found && visit(nil)
}

func walkSteps(from any, steps []step, visit func(any) bool) bool {
	if len(steps) == 0 {
		return visit(from)
	}
	o, ok := from.(object)
	if !ok {
		return false
	}
	value := o[steps[0].name]
	if value == nil {
		value = o[steps[0].snake]
	}
	if value == nil {
		return false
	}
	if !steps[0].each {
		return walkSteps(value, steps[1:], visit)
	}
	list, _ := value.([]any)
	for _, item := range list {
		if walkSteps(item, steps[1:], visit) {
			return true
		}
	}
	return false
}

// first returns the first value that p leads to, or nil.
func (p path) first(from object) any {
	var first any
	p.walk(from, func(value any) bool {
		first = value
		return true
	})
	return first
}

// in reports whether p leads to something below another path.
func (p path) in(parent string) bool {
	return p.text == parent || strings.HasPrefix(p.text, parent+".")
}
