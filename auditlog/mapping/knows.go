package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// Knows says which kind of resource a canonical name (operation.GCPRef) is of. If an
// entry could never have that name, kind is empty and problem says in a few words why,
// and what was meant if that can be told: what is asked for by such a name is never
// found again. The name's text is not in problem, but parts of it may be: it is for
// operation.Printable. Entries of methods that no table knows have names that are not
// known either.
func (m *Mapper) Knows(ref string) (kind, problem string) {
	name, path, ok := operation.ParseGCPRef(ref)
	s := m.table.services[name]
	switch {
	case !ok:
		return "", "it is not of the form gcp://SERVICE/PATH"
	case name == kubernetesService:
		return "", "objects of a cluster are named k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME"
	case s == nil:
		return "", "no table of methods has the service " + name + ": an alert shows the name to ask for"
	}
	kinds := slices.Sorted(maps.Keys(s.kinds))
	for _, kind := range kinds {
		t := s.kinds[kind].templates[0]
		parts, ok := t.match(path)
		switch {
		case !ok:
			continue
		case digits(parts["project"]):
			return "", "a name has the project's id, not its number: expected " + operation.GCPRef(name, t.write(t.completed(parts)))
		}
		for _, part := range t.parts() {
			if isPlaceholder(parts[part]) {
				return "", fmt.Sprintf("%s stands for any %s: expected one by its name", parts[part], part)
			}
		}
		return kind, ""
	}
	return "", s.expected(kinds, path)
}

// isPlaceholder reports whether a part of a name is what calls write for "any".
func isPlaceholder(part string) bool { return part == "_" || part == "-" }

// maxExpected is how many names a problem lists: Compute Engine has sixty, and a person
// reads no more than these.
const maxExpected = 4

// expected says what a path should have been.
func (s *service) expected(kinds []string, path string) string {
	var meant, alike, all []string
	add := func(list *[]string, path string) {
		if ref := operation.GCPRef(s.name, path); !slices.Contains(*list, ref) {
			*list = append(*list, ref)
		}
	}
	for _, kind := range kinds {
		k := s.kinds[kind]
		full := k.templates[0]
		for _, t := range k.templates {
			if parts, ok := t.resembles(path); ok && parts["name"] != "" {
				add(&meant, full.write(full.completed(parts)))
			}
		}
		form := full.write(full.completed(nil))
		if full.ends(path) {
			add(&alike, form)
		}
		add(&all, form)
	}
	switch {
	case len(meant) > 0:
		return "expected " + alternatives(meant)
	case len(alike) > 0:
		return s.name + " has nothing by such a path: expected " + alternatives(alike)
	}
	return s.name + " has nothing by such a path: expected a name such as " + alternatives(all)
}

// alternatives lists names.
func alternatives(refs []string) string {
	if more := len(refs) - maxExpected; more > 0 {
		return fmt.Sprintf("%s, or one of %d others", strings.Join(refs[:maxExpected], ", "), more)
	}
	if last := len(refs) - 1; last > 0 {
		return strings.Join(refs[:last], ", ") + " or " + refs[last]
	}
	return refs[0]
}

// completed are the parts of a name, in capitals where they are missing or are not what
// a canonical name has.
func (t template) completed(parts map[string]string) map[string]string {
	all := map[string]string{}
	for _, part := range t.parts() {
		all[part] = parts[part]
		if text := parts[part]; text == "" || isPlaceholder(text) || part == "project" && digits(text) {
			all[part] = strings.ToUpper(part)
		}
	}
	return all
}

// places are what APIs call the segment before a location: which of them it is differs
// from service to service, and from version to version.
var places = []string{"locations", "zones", "regions"}

// resembles is match for people: it takes no notice of capitals, and takes one word for
// a place for another.
func (t template) resembles(name string) (parts map[string]string, ok bool) {
	segments := strings.Split(name, "/")
	if len(segments) != len(t.segments) {
		return nil, false
	}
	for i, s := range t.segments {
		if s.part == "" && s.resembles(segments[i]) {
			segments[i] = s.literals[0]
		}
	}
	return t.match(strings.Join(segments, "/"))
}

func (s segment) resembles(text string) bool {
	return slices.ContainsFunc(s.literals, func(literal string) bool {
		return strings.EqualFold(literal, text) || slices.Contains(places, literal) && slices.Contains(places, strings.ToLower(text))
	})
}

// ends reports whether a name says that it is of the same type, such as clusters/NAME.
func (t template) ends(name string) bool {
	given, n := strings.Split(name, "/"), len(t.segments)
	return len(given) > 1 && n > 1 && t.segments[n-2].part == "" && t.segments[n-2].resembles(given[len(given)-2])
}
