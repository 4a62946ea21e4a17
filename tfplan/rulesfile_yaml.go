package tfplan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxRuleItems caps a list in a file of rules: the largest has about 300 types.
const maxRuleItems = 5000

// rulesFile notes what is wrong with a file, and at which line what was read stands.
type rulesFile struct {
	name  string
	lines map[string]int // by path, such as types[3].ref
	wrong []wrongLine
}

type wrongLine struct {
	line int
	text string
}

func (f *rulesFile) at(line int, format string, args ...any) {
	f.wrong = append(f.wrong, wrongLine{line, fmt.Sprintf(format, args...)})
}

// say notes what is wrong at a path that was read, or at what it is in.
func (f *rulesFile) say(where, format string, args ...any) {
	line, at := 1, where
	for at != "" {
		if n, ok := f.lines[at]; ok {
			line = n
			break
		}
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	f.at(line, "%s: %s", where, fmt.Sprintf(format, args...))
}

func (f *rulesFile) err() error {
	slices.SortStableFunc(f.wrong, func(a, b wrongLine) int { return a.line - b.line })
	var list []error
	for _, w := range f.wrong {
		list = append(list, fmt.Errorf("%s:%d: %s", f.name, w.line, w.text))
	}
	return errors.Join(list...)
}

// root returns the one document of the file, or nil.
func (f *rulesFile) root(data []byte) *yaml.Node {
	if len(data) > maxRules {
		f.at(1, "the file has %d bytes, and at most %d are read", len(data), maxRules)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	err := decoder.Decode(&first)
	if errors.Is(err, io.EOF) {
		f.at(1, "the file is empty")
		return nil
	}
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			f.at(second.Line, "a second document begins here, and a file has one")
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		line, text := 1, strings.TrimPrefix(err.Error(), "yaml: ")
		if _, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr == nil {
			_, text, _ = strings.Cut(text, ": ")
		}
		f.at(line, "%s", text)
		return nil
	}
	return first.Content[0]
}

// fill reads a document into a structure, by its yaml tags.
func (f *rulesFile) fill(node *yaml.Node, into any) {
	f.value(node, reflect.ValueOf(into).Elem(), "")
}

func (f *rulesFile) value(node *yaml.Node, into reflect.Value, where string) {
	f.lines[where] = node.Line
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		f.at(node.Line, "%san alias or anchor, which is not read: write it out", prefix(where))
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		f.value(node, into.Elem(), where)
	case reflect.Struct:
		f.mapping(node, into, where)
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode || len(node.Content) == 0 || len(node.Content) > maxRuleItems {
			f.at(node.Line, "%sa list with 1 to %d items should be here", prefix(where), maxRuleItems)
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
		for i, item := range node.Content {
			f.value(item, into.Index(i), fmt.Sprintf("%s[%d]", where, i))
		}
	case reflect.Bool:
		if node.Kind != yaml.ScalarNode || node.Tag != "!!bool" || node.Value != "true" && node.Value != "false" {
			f.at(node.Line, "%strue or false should be here", prefix(where))
		}
		into.SetBool(node.Value == "true")
	default: // a text
		if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Value == "" {
			f.at(node.Line, "%sa text should be here, and not an empty one", prefix(where))
			return
		}
		into.SetString(node.Value)
	}
}

func prefix(where string) string {
	if where == "" {
		return ""
	}
	return where + ": "
}

func (f *rulesFile) mapping(node *yaml.Node, into reflect.Value, where string) {
	if node.Kind != yaml.MappingNode {
		f.at(node.Line, "%skeys with values should be here", prefix(where))
		return
	}
	fields := map[string]int{}
	var known []string
	for i := range into.NumField() {
		key := into.Type().Field(i).Tag.Get("yaml")
		fields[key], known = i, append(known, key)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field, ok := fields[key.Value]
		switch {
		case !ok:
			f.at(key.Line, "%sthere is no key %q; these are: %s", prefix(where), key.Value, strings.Join(known, ", "))
		case seen[key.Value]:
			f.at(key.Line, "%s%q comes twice", prefix(where), key.Value)
		default:
			seen[key.Value] = true
			sub := key.Value
			if where != "" {
				sub = where + "." + key.Value
			}
			f.value(value, into.Field(field), sub)
		}
	}
}
