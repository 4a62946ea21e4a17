package tfplan

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// holdsIndex finds the containers that a resource is in, by what the resource says of it.
//
// Self links, ids and plain names of one object differ. Two that have slashes must be the
// same from projects/ on; where one has none, the last segments must be the same.
type holdsIndex struct {
	holds *holds
	// full are by names with slashes, last by the last segment of any, bare by plain names
	// of containers that have no other.
	full, last, bare map[string][]*container
}

func (all *contents) indexOf(h *holds) *holdsIndex {
	for _, index := range all.index {
		if index.holds == h {
			return index
		}
	}
	index := &holdsIndex{
		holds: h, full: map[string][]*container{}, last: map[string][]*container{}, bare: map[string][]*container{},
	}
	all.index = append(all.index, index)
	return index
}

func (x *holdsIndex) add(c *container, values, sensitive any) {
	slashes := false
	var names []string
	for _, by := range x.holds.by {
		text, _ := by.text(values, sensitive)
		if text != "" {
			names = append(names, text)
			slashes = slashes || strings.Contains(text, "/")
		}
	}
	for _, name := range names {
		if strings.Contains(name, "/") {
			x.full[fromProject(name)] = append(x.full[fromProject(name)], c)
		}
		x.last[lastSegment(name)] = append(x.last[lastSegment(name)], c)
		if !slashes {
			x.bare[name] = append(x.bare[name], c)
		}
	}
}

// find returns the containers that a resource in a project names, some of them more than
// once. By plain names only those of the same project are meant, as far as both say it;
// projects themselves are in none, and what holds every type is one.
func (x *holdsIndex) find(resource string, values any, project string) []*container {
	text, _ := x.holds.field.text(values, nil)
	if text == "" {
		return nil
	}
	plain, full := x.last[text], []*container(nil)
	if strings.Contains(text, "/") {
		plain, full = x.bare[lastSegment(text)], x.full[fromProject(text)]
	}
	found := slices.Clone(full)
	for _, c := range plain {
		if x.holds.every || resource == "google_project" || c.project == "" || project == "" || c.project == project {
			found = append(found, c)
		}
	}
	return found
}

func fromProject(name string) string {
	if i := strings.Index(name, "projects/"); i >= 0 {
		return name[i:]
	}
	return strings.Trim(name, "/")
}

// fieldsOf are the keys of a resource's values that counting reads.
func (all *contents) fieldsOf(r *Resource) map[string]bool {
	key := r.Provider + " " + r.Type
	if fields, ok := all.fields[key]; ok {
		return fields
	}
	fields := map[string]bool{}
	addRoutes := func(list []route) {
		for _, at := range list {
			fields[at[0]] = true
		}
	}
	addPlace := func(p place) {
		for _, o := range p {
			fields[o.at[0]] = true
		}
	}
	rule := all.m.typeOf(r.Type)
	f := all.m.readAs(r.Provider, rule)
	addRoutes(f.labels)
	addPlace(f.project)
	if rule != nil {
		addRoutes(rule.labels)
		addRoutes(rule.objects)
	}
	for _, index := range all.index {
		if index.holds.every || index.holds.types[r.Type] {
			addPlace(index.holds.field)
		}
	}
	// Types are few; a plan made to have many is not remembered.
	const maxTypes = 5000
	if len(all.fields) < maxTypes {
		all.fields[key] = fields
	}
	return fields
}

// pick decodes the members of an object that are asked for, and skips the others.
func pick(raw jsontext.Value, names map[string]bool) (map[string]any, error) {
	object := map[string]any{}
	if len(raw) == 0 || raw.Kind() != '{' {
		return object, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	for d.PeekKind() != '}' {
		key, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := key.String()
		if !names[name] {
			if err := d.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		if object[name], err = decodeNext(d, 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}
