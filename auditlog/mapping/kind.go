package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// kind says how the targets of one kind are named.
type kind struct {
	name, resource string
	// templates are path, then match.
	templates []template
	names     []path
	parts     map[string][]path
}

// template is a full resource name below its service, with parts in braces.
type template struct{ segments []segment }

type segment struct {
	// part is the name in braces; else one of literals is there.
	part     string
	literals []string
}

var partForm = regexp.MustCompile(`^\{([a-z][a-z0-9_]*)\}$`)

func parseTemplate(text string) (template, error) {
	var t template
	for _, s := range strings.Split(text, "/") {
		if m := partForm.FindStringSubmatch(s); m != nil {
			if slices.Contains(t.parts(), m[1]) {
				return template{}, fmt.Errorf("%q: %s comes twice", text, s)
			}
			t.segments = append(t.segments, segment{part: m[1]})
			continue
		}
		literals := strings.Split(s, "|")
		if slices.Contains(literals, "") || strings.ContainsAny(s, "{}*") {
			return template{}, fmt.Errorf("%q: between slashes there is a name, or a part in braces", text)
		}
		t.segments = append(t.segments, segment{literals: literals})
	}
	return t, nil
}

func (t template) parts() []string {
	var list []string
	for _, s := range t.segments {
		if s.part != "" {
			list = append(list, s.part)
		}
	}
	return list
}

func (t template) alternatives() bool {
	return slices.ContainsFunc(t.segments, func(s segment) bool { return len(s.literals) > 1 })
}

// match takes a name apart.
func (t template) match(name string) (map[string]string, bool) {
	segments := strings.Split(name, "/")
	if len(segments) != len(t.segments) {
		return nil, false
	}
	found := map[string]string{}
	for i, s := range t.segments {
		switch {
		case s.part != "" && segments[i] != "":
			found[s.part] = segments[i]
		case s.part != "" || !slices.Contains(s.literals, segments[i]):
			return nil, false
		}
	}
	return found, true
}

// write puts parts in.
func (t template) write(parts map[string]string) string {
	var list []string
	for _, s := range t.segments {
		if s.part != "" {
			list = append(list, parts[s.part])
		} else {
			list = append(list, s.literals[0])
		}
	}
	return strings.Join(list, "/")
}

func mustPath(text string) path {
	p, err := parsePath(text)
	if err != nil {
		panic(err) // a constant of ours
	}
	return p
}

// change is a row's text for Operation.Changes, with paths in braces.
type change struct {
	texts []string
	paths []path
}

var holeForm = regexp.MustCompile(`\{([^{}]*)\}`)

func parseChange(text string) (change, error) {
	var c change
	at := 0
	for _, hole := range holeForm.FindAllStringSubmatchIndex(text, -1) {
		p, err := parsePath(text[hole[2]:hole[3]])
		if err != nil {
			return change{}, fmt.Errorf("change: %w", err)
		}
		c.texts, c.paths = append(c.texts, text[at:hole[0]]), append(c.paths, p)
		at = hole[1]
	}
	c.texts = append(c.texts, text[at:])
	return c, nil
}

// write puts in what an entry has; what it has not is shown as a question mark.
func (c change) write(entry object) string {
	var b strings.Builder
	for i, text := range c.texts {
		b.WriteString(text)
		if i < len(c.paths) {
			value := short(plain(c.paths[i].first(entry)))
			if value == "" {
				value = "?"
			}
			b.WriteString(value)
		}
	}
	return b.String()
}
