package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// condition is one item of a row's when.
type condition struct {
	path path
	// test is the key: is, equals, contains or has; operand its value.
	test, operand string
}

// states are what "is" knows.
var states = map[string]func(value any) bool{
	"absent":  func(v any) bool { return v == nil },
	"present": func(v any) bool { return v != nil },
	"zero":    zero,
	"nonzero": func(v any) bool { return !zero(v) },
	"false":   func(v any) bool { return v == nil || v == false || v == "false" || v == "FALSE" },
	"true":    func(v any) bool { return v == true || v == "true" || v == "TRUE" },
	"empty":   empty,
}

func stateNames() string { return strings.Join(slices.Sorted(maps.Keys(states)), ", ") }

func zero(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == "" || strings.Trim(value, "0") == ""
	case number:
		return strings.Trim(strings.TrimPrefix(string(value), "-"), "0.") == ""
	}
	return false
}

func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case object:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return false
}

func newCondition(text, test, operand string) (condition, error) {
	p, err := parsePath(text)
	if err != nil {
		return condition{}, err
	}
	if test == "is" && states[operand] == nil {
		return condition{}, fmt.Errorf("is: %q is none of %s", operand, stateNames())
	}
	return condition{path: p, test: test, operand: operand}, nil
}

func (c condition) holds(entry object) bool {
	return c.path.walk(entry, func(value any) bool {
		switch c.test {
		case "is":
			return states[c.operand](value)
		case "equals":
			return value != nil && plain(value) == c.operand
		case "contains":
			return contains(value, c.operand)
		}
		return masks(value, c.operand)
	})
}

func contains(value any, text string) bool {
	list, _ := value.([]any)
	return slices.ContainsFunc(list, func(item any) bool { return plain(item) == text })
}

// masks reports whether a field mask has a path or a parent of it. Masks are a text
// (https://protobuf.dev/reference/protobuf/google.protobuf/#field-mask), or an object
// where a service logs the message as it is declared.
func masks(value any, text string) bool {
	var paths []string
	switch value := value.(type) {
	case string:
		paths = strings.Split(value, ",")
	case object:
		list, _ := value["paths"].([]any)
		for _, item := range list {
			paths = append(paths, plain(item))
		}
	}
	text = snakeCase(text)
	return slices.ContainsFunc(paths, func(p string) bool {
		p = snakeCase(strings.TrimSpace(p))
		return p == "*" || p == text || p != "" && strings.HasPrefix(text, p+".")
	})
}
