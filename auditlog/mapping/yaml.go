package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxTable is how large a table may be: thirty times the largest that is embedded.
const maxTable = 1 << 20

// document reads a YAML file strictly, and notes all that is wrong with it.
type document struct {
	file     string
	problems []problem
}

type problem struct {
	line int
	text string
}

func (d *document) wrong(node *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, problem{node.Line, fmt.Sprintf(format, args...)})
}

// err returns the problems by line, one a line, or nil.
func (d *document) err() error {
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	var list []error
	for _, p := range d.problems {
		list = append(list, fmt.Errorf("%s:%d: %s", d.file, p.line, p.text))
	}
	return errors.Join(list...)
}

// root returns the one document of a file, or nil.
func (d *document) root(data []byte) *yaml.Node {
	first := &yaml.Node{Line: 1}
	if len(data) > maxTable {
		d.wrong(first, "the file has %d bytes, more than %d", len(data), maxTable)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		d.wrong(first, "the file is empty")
		return nil
	}
	if err == nil {
		err = decoder.Decode(&second)
		if err == nil {
			d.wrong(&second, "a second document: a file has one")
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		line, text := yamlError(err)
		d.wrong(&yaml.Node{Line: line}, "%s", text)
		return nil
	}
	return root.Content[0]
}

// yamlError takes the line out of an error of the library ("yaml: line 3: text").
func yamlError(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	line = 1
	if _, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	return line, text
}

// readers reads the values of a mapping, by key.
type readers map[string]func(value *yaml.Node)

// mapping reads a mapping of which all keys are known.
func (d *document) mapping(node *yaml.Node, known readers) {
	d.entries(node, func(key, value *yaml.Node) {
		read, ok := known[key.Value]
		if !ok {
			d.wrong(key, "%q is no key here; these are: %s", key.Value, keys(known))
			return
		}
		read(value)
	})
}

// entries calls visit with each key and value of a mapping.
func (d *document) entries(node *yaml.Node, visit func(key, value *yaml.Node)) {
	if !d.is(node, yaml.MappingNode, "a mapping") {
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if !d.is(key, yaml.ScalarNode, "a text as key") {
			continue
		}
		if seen[key.Value] {
			d.wrong(key, "%q comes twice", key.Value)
			continue
		}
		seen[key.Value] = true
		visit(key, value)
	}
}

func (d *document) items(node *yaml.Node, visit func(item *yaml.Node)) {
	if !d.is(node, yaml.SequenceNode, "a list") {
		return
	}
	for _, item := range node.Content {
		visit(item)
	}
}

func (d *document) is(node *yaml.Node, kind yaml.Kind, want string) bool {
	if node.Kind == yaml.AliasNode {
		d.wrong(node, "an alias (*%s): write it out", node.Value)
		return false
	}
	if node.Kind != kind {
		d.wrong(node, "this should be %s", want)
		return false
	}
	return true
}

func (d *document) text(into *string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if !d.is(node, yaml.ScalarNode, "a text") {
			return
		}
		if node.Value == "" || node.Tag == "!!null" {
			d.wrong(node, "this should not be empty")
			return
		}
		*into = node.Value
	}
}

func (d *document) texts(into *[]string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		d.items(node, func(item *yaml.Node) {
			var text string
			d.text(&text)(item)
			*into = append(*into, text)
		})
		if node.Kind == yaml.SequenceNode && len(node.Content) == 0 {
			d.wrong(node, "this should not be empty")
		}
	}
}

func (d *document) flag(into *bool) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if !d.is(node, yaml.ScalarNode, "true or false") {
			return
		}
		if node.Value != "true" && node.Value != "false" {
			d.wrong(node, "this should be true or false, not %q", node.Value)
		}
		*into = node.Value == "true"
	}
}

func keys(known readers) string {
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
