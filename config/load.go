package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/operation"
)

// maxSize is far above any real configuration; a ConfigMap holds 1 MiB at most.
const maxSize = 1 << 20

// Load reads, completes and validates a file. The error has a line for every
// problem: file, line, what, what to do.
func Load(path string) (Configuration, error) {
	file, err := os.Open(path)
	if err != nil {
		return Configuration{}, fmt.Errorf("read configuration: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return Configuration{}, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// inFolder makes paths of what is judged by count from the configuration's folder, and not
// from where somebody stands: for a Terraform plan that is often the repository that is
// judged, and what is in it must not say by which policies and rules, nor whose tokens and
// receipts are believed.
func (c *Configuration) inFolder(folder string) {
	paths := []*string{&c.Terraform.Receipts.Key}
	lists := [][]string{c.Terraform.Rules, c.Terraform.Receipts.PublicKeys, c.Policies.Directories, c.BreakGlass.Policies.Directories}
	for _, list := range lists {
		for i := range list {
			paths = append(paths, &list[i])
		}
	}
	for i := range c.BreakGlass.Trust {
		paths = append(paths, &c.BreakGlass.Trust[i].File)
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

// Parse is Load for data that has been read; name is what errors call it, and its folder
// is where relative paths count from.
func Parse(name string, data []byte) (Configuration, error) {
	if len(data) > maxSize {
		return Configuration{}, fmt.Errorf("%s: larger than %d KiB", name, maxSize>>10)
	}
	var c Configuration
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		if errors.Is(err, io.EOF) {
			return Configuration{}, fmt.Errorf("%s: empty: expected apiVersion: %s, kind: %s", name, APIVersion, Kind)
		}
		return Configuration{}, problems{name: name, lines: decodeProblems(err)}.err()
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		return Configuration{}, fmt.Errorf("%s:%d: a second YAML document: the file holds one", name, second.Line)
	case !errors.Is(err, io.EOF):
		return Configuration{}, problems{name: name, lines: decodeProblems(err)}.err()
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil { // for the lines of what is invalid
		return Configuration{}, fmt.Errorf("%s: %w", name, err)
	}
	found := problems{name: name, root: &root}
	if c.APIVersion != APIVersion || c.Kind != Kind {
		field := "kind"
		if c.APIVersion != APIVersion {
			field = "apiVersion"
		}
		found.add(field, "expected apiVersion %s and kind %s, found %q and %q", APIVersion, Kind, c.APIVersion, c.Kind)
	} else {
		c.refuseZeros(&found)
		c.complete()
		c.inFolder(filepath.Dir(name))
		c.validate(&found)
	}
	if err := found.err(); err != nil {
		return Configuration{}, err
	}
	return c, nil
}

// problems collects what is wrong, with the line where it stands.
type problems struct {
	name  string
	root  *yaml.Node
	lines []string
}

func (p problems) err() error {
	if len(p.lines) == 0 {
		return nil
	}
	prefixed := make([]string, len(p.lines))
	for i, line := range p.lines {
		prefixed[i] = p.name + ":" + operation.Printable(line) // it may quote the file, line breaks and all
	}
	return errors.New(strings.Join(prefixed, "\n"))
}

// add reports a problem of a field such as "production.selectors[1]".
func (p *problems) add(field, format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf("%d: %s: %s", lineOf(p.root, field), field, fmt.Sprintf(format, args...)))
}

// Where says where a field such as "audit.mappings[0]" stands in a file that was loaded,
// as FILE:LINE: for what is wrong with what the field names. It is the file alone if that
// cannot be read any more.
func Where(path, field string) string {
	data, err := os.ReadFile(path)
	var root yaml.Node
	if err != nil || len(data) > maxSize || yaml.Unmarshal(data, &root) != nil {
		return path
	}
	return fmt.Sprintf("%s:%d", path, lineOf(&root, field))
}

// lineOf is the line of a field, or of as much of its path as is in the file.
func lineOf(node *yaml.Node, field string) int {
	line, _ := find(node, field)
	return line
}

// find reports the line of a field, or of as much of its path as is in the file,
// and whether the field is.
func find(node *yaml.Node, field string) (line int, found bool) {
	if node == nil || node.Kind != yaml.DocumentNode || len(node.Content) == 0 {
		return 1, false
	}
	node = node.Content[0]
	line = node.Line
	for _, step := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := child(node, step)
		if next == nil {
			return line, false
		}
		node, line = next, next.Line
	}
	return line, true
}

func child(node *yaml.Node, step string) *yaml.Node {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			if fmt.Sprint(i) == step {
				return item
			}
		}
	}
	return nil
}

var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (.*) not found in type (\S+)$`)
	atLine     = regexp.MustCompile(`^line (\d+): (.*)$`)
	// oneLow are the errors of the library's parser, which counts lines from 0
	// where its scanner counts from 1 (go.yaml.in/yaml/v3 decode.go, parser.fail).
	oneLow = regexp.MustCompile(`^did not find expected (<document start>|node content|'-' indicator|key|',' or '[\]}]')$`)
)

// decodeProblems turns the YAML library's errors into "LINE: what". The library
// has no types for them; a text that is not known is passed on as it is.
func decodeProblems(err error) []string {
	var typeError *yaml.TypeError
	texts := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if errors.As(err, &typeError) {
		texts = typeError.Errors
	}
	var lines []string
	for _, text := range texts {
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			lines = append(lines, fmt.Sprintf("%s: unknown key %q: %s", m[1], m[2], suggestion(m[2], keysOf(m[3]))))
		} else if m := atLine.FindStringSubmatch(text); m != nil {
			line, _ := strconv.Atoi(m[1]) // digits; a number too large for a line is shown as 0
			if oneLow.MatchString(m[2]) {
				line++
			}
			lines = append(lines, fmt.Sprintf("%d: %s", line, m[2]))
		} else {
			lines = append(lines, "1: "+text)
		}
	}
	return lines
}

func suggestion(key string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(k, key) {
			return "did you mean " + k + "?"
		}
	}
	return "known here are " + strings.Join(known, ", ")
}

// keysOf lists the keys of one of the types of this package, by the name that
// the YAML library prints.
func keysOf(typeName string) []string {
	var keys []string
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Slice, reflect.Pointer:
			walk(t.Elem())
		case reflect.Struct:
			for field := range t.Fields() {
				if t.String() == typeName {
					keys = append(keys, field.Tag.Get("yaml"))
				}
				walk(field.Type)
			}
		}
	}
	walk(reflect.TypeFor[Configuration]())
	slices.Sort(keys)
	return slices.Compact(keys)
}
