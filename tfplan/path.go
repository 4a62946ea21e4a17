package tfplan

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

const (
	// maxPathSteps caps how deep a rule may look: providers nest five blocks at most, and
	// each has an index.
	maxPathSteps = 16
	// maxMatches caps how many values one path of a rule may lead to: rules of a bucket's
	// lifecycle are at most 100.
	maxMatches = 1000
)

// route is a path into values: keys, indices and "*".
type route []string

var stepForm = regexp.MustCompile(`^(?:\*|[A-Za-z0-9_$][A-Za-z0-9_$-]*)$`)

func parseRoute(text string) (route, error) {
	steps := strings.Split(text, ".")
	if len(steps) > maxPathSteps {
		return nil, fmt.Errorf("%q: a path has at most %d steps", text, maxPathSteps)
	}
	for _, step := range steps {
		if !stepForm.MatchString(step) {
			return nil, fmt.Errorf("%q: between dots there is a key, an index or *", text)
		}
	}
	return steps, nil
}

func (r route) String() string { return strings.Join(r, ".") }

// step goes one step down. Index 0 of an object is the object itself.
func step(value any, key string) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		if key == "0" && v["0"] == nil {
			return v, true
		}
		down, ok := v[key]
		return down, ok
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

// found is a value that a path led to, and how: the path without stars.
type found struct {
	at    route
	value any
}

// all returns what the path leads to, at most maxMatches.
func (r route) all(root any) []found {
	list := []found{{value: root}}
	for _, key := range r {
		var next []found
		for _, f := range list {
			for _, sub := range keysAt(f.value, key) {
				down, ok := step(f.value, sub)
				if ok && len(next) < maxMatches {
					next = append(next, found{append(f.at[:len(f.at):len(f.at)], sub), down})
				}
			}
		}
		list = next
	}
	return list
}

// keysAt lists what a step stands for, in order.
func keysAt(value any, key string) []string {
	if key != "*" {
		return []string{key}
	}
	switch v := value.(type) {
	case map[string]any:
		return sortedKeys(v)
	case []any:
		list := make([]string, min(len(v), maxMatches))
		for i := range list {
			list[i] = strconv.Itoa(i)
		}
		return list
	}
	return nil
}

// first returns the first value that the path leads to, or nil.
func (r route) first(root any) any {
	if len(r) > 0 && !strings.Contains(r.String(), "*") {
		for _, key := range r {
			down, ok := step(root, key)
			if !ok {
				return nil
			}
			root = down
		}
		return root
	}
	if list := r.all(root); len(list) > 0 {
		return list[0].value
	}
	return nil
}

// marked reports whether a tree that mirrors values (before_sensitive, after_unknown) has
// true at the path, or above it, or below it.
func marked(tree any, at route) bool {
	end, ok := along(tree, at)
	return ok && anyTrue(end)
}

// markedAbove reports whether such a tree has true at the path or above it.
func markedAbove(tree any, at route) bool {
	end, ok := along(tree, at)
	return ok && end == true
}

// along follows a path down a tree that mirrors values, up to a true on the way, which is
// about all below it. ok is false if the tree ends before the path does.
func along(tree any, at route) (end any, ok bool) {
	for _, key := range at {
		if tree == true {
			break
		}
		if tree, ok = step(tree, key); !ok {
			return nil, false
		}
	}
	return tree, true
}

func anyTrue(tree any) bool {
	switch v := tree.(type) {
	case bool:
		return v
	case map[string]any:
		for _, sub := range v {
			if anyTrue(sub) {
				return true
			}
		}
	case []any:
		for _, sub := range v {
			if anyTrue(sub) {
				return true
			}
		}
	}
	return false
}
