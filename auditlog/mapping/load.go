package mapping

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/operation"
)

// add reads a file. Of two kinds of one name the first stays.
func (l *loader) add(name string, data []byte) {
	d := &document{file: name}
	l.docs = append(l.docs, d)
	root := d.root(data)
	if root == nil {
		return
	}
	read := service{kinds: map[string]*kind{}}
	d.mapping(root, readers{
		"service": d.text(&read.name),
		"kinds": func(node *yaml.Node) {
			d.entries(node, func(key, value *yaml.Node) { read.kinds[key.Value] = d.kind(key, value) })
		},
		"rows": func(node *yaml.Node) {
			d.items(node, func(item *yaml.Node) { read.rows = append(read.rows, d.row(item)) })
		},
	})
	if read.name == "" {
		if root.Kind == yaml.MappingNode {
			d.wrong(root, "service is missing")
		}
		return
	}
	s := l.services[read.name]
	if s == nil {
		s = &service{name: read.name, kinds: map[string]*kind{}}
		l.services[read.name] = s
	}
	s.rows = append(s.rows, read.rows...)
	for name, k := range read.kinds {
		if s.kinds[name] == nil {
			s.kinds[name] = k
		}
	}
	for _, r := range read.rows {
		if r.kindName == "" && !r.ignore && read.name != kubernetesService {
			d.wrong(r.node, "kind is missing")
		}
	}
}

func (d *document) kind(name, node *yaml.Node) *kind {
	k := &kind{name: name.Value}
	var full string
	var match, names []string
	at := map[string]*yaml.Node{}
	note := func(key string, read func(*yaml.Node)) func(*yaml.Node) {
		return func(value *yaml.Node) { at[key] = value; read(value) }
	}
	d.mapping(node, readers{
		"resource": d.text(&k.resource),
		"path":     note("path", d.text(&full)),
		"match":    note("match", d.texts(&match)),
		"names":    note("names", d.texts(&names)),
		"parts": note("parts", func(value *yaml.Node) {
			k.parts = map[string][]path{}
			d.entries(value, func(key, value *yaml.Node) {
				var texts []string
				d.texts(&texts)(value)
				k.parts[key.Value] = d.paths(value, texts)
			})
		}),
	})
	if k.resource == "" {
		d.wrong(name, "kind %s: resource is missing", name.Value)
	}
	if full == "" {
		d.wrong(name, "kind %s: path is missing", name.Value)
		return k
	}
	for i, text := range append([]string{full}, match...) {
		t, err := parseTemplate(text)
		if err != nil {
			where := at["path"]
			if i > 0 {
				where = at["match"].Content[i-1]
			}
			d.wrong(where, "%v", err)
			continue
		}
		k.templates = append(k.templates, t)
	}
	d.checkParts(k, at)
	k.names = d.paths(at["names"], names)
	if names == nil {
		k.names = []path{mustPath("protoPayload.resourceName")}
	}
	return k
}

// checkParts says which parts no template mentions, and whether path itself can be
// written.
func (d *document) checkParts(k *kind, at map[string]*yaml.Node) {
	if len(k.templates) == 0 {
		return
	}
	full := k.templates[0]
	if full.alternatives() {
		d.wrong(at["path"], "path: | is for match, a canonical name has one form")
	}
	known := full.parts()
	if !slices.Contains(known, "name") {
		d.wrong(at["path"], "path: {name} is missing")
	}
	for i, t := range k.templates[1:] {
		for _, part := range t.parts() {
			if !slices.Contains(known, part) {
				d.wrong(at["match"].Content[i], "match: {%s} is not in path", part)
			}
		}
	}
	if at["parts"] == nil {
		return
	}
	d.entries(at["parts"], func(key, _ *yaml.Node) {
		if !slices.Contains(known, key.Value) && key.Value != "project" && key.Value != "location" {
			d.wrong(key, "parts: {%s} is not in path", key.Value)
		}
	})
}

func (d *document) paths(node *yaml.Node, texts []string) []path {
	var list []path
	for i, text := range texts {
		if text == "" {
			continue // said already
		}
		p, err := parsePath(text)
		if err != nil {
			d.wrong(node.Content[i], "%v", err)
		}
		list = append(list, p)
	}
	return list
}

func (d *document) row(node *yaml.Node) *row {
	r := &row{file: d.file, line: node.Line, doc: d, node: node}
	var methods []string
	var verb, labels, changed string
	at := map[string]*yaml.Node{}
	note := func(key string, read func(*yaml.Node)) func(*yaml.Node) {
		return func(value *yaml.Node) { at[key] = value; read(value) }
	}
	d.mapping(node, readers{
		"methods": note("methods", d.texts(&methods)),
		"kind":    note("kind", d.text(&r.kindName)),
		"verb":    note("verb", d.text(&verb)),
		"when": func(value *yaml.Node) {
			d.items(value, func(item *yaml.Node) {
				if c, ok := d.condition(item); ok {
					r.when = append(r.when, c)
				}
			})
		},
		"change": note("change", d.text(&changed)),
		"labels": note("labels", d.text(&labels)),
		"own":    d.flag(&r.own),
	})
	if at["kind"] != nil {
		r.node = at["kind"]
	}
	d.methods(r, node, at["methods"], methods)
	d.verb(r, node, at["verb"], verb)
	if changed != "" {
		var err error
		if r.change, err = parseChange(changed); err != nil {
			d.wrong(at["change"], "%v", err)
		}
	}
	if labels != "" {
		p, err := parsePath(labels)
		if err != nil {
			d.wrong(at["labels"], "%v", err)
		}
		r.labels = &pathOf{p}
	}
	return r
}

func (d *document) methods(r *row, node, at *yaml.Node, methods []string) {
	if at == nil {
		d.wrong(node, "methods is missing")
		return
	}
	for i, text := range methods {
		if text == "" {
			continue // said already
		}
		p, err := parsePattern(text)
		if err != nil {
			d.wrong(at.Content[i], "%v", err)
			continue
		}
		r.methods = append(r.methods, p)
	}
}

func (d *document) verb(r *row, node, at *yaml.Node, verb string) {
	known := append(operation.Verb("").Values(), ignored)
	switch {
	case at == nil:
		d.wrong(node, "verb is missing")
	case verb == "": // said already
	case !slices.Contains(known, verb):
		d.wrong(at, "verb: %q is none of %s", verb, commas(known))
	case verb == ignored:
		r.ignore = true
	default:
		r.verb = operation.Verb(verb)
	}
}

func (d *document) condition(node *yaml.Node) (condition, bool) {
	var where string
	var test, operand []string
	read := func(name string) func(*yaml.Node) {
		return func(value *yaml.Node) {
			var text string
			d.text(&text)(value)
			test, operand = append(test, name), append(operand, text)
		}
	}
	before := len(d.problems)
	d.mapping(node, readers{
		"path": d.text(&where),
		"is":   read("is"), "equals": read("equals"), "contains": read("contains"), "has": read("has"),
	})
	switch {
	case len(d.problems) > before:
		return condition{}, false
	case where == "":
		d.wrong(node, "path is missing")
		return condition{}, false
	case len(test) != 1:
		d.wrong(node, "one of is, equals, contains and has should be here")
		return condition{}, false
	}
	c, err := newCondition(where, test[0], operand[0])
	if err != nil {
		d.wrong(node, "%v", err)
	}
	return c, err == nil
}
