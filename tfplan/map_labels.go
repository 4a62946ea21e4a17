package tfplan

import (
	"fmt"
	"slices"
	"strings"
)

// labeler collects labels, and says what it cannot read.
type labeler struct {
	m     *Mapper
	s     subject
	loose bool
	// maps are the labels of each place, in order; labels are those of all of them.
	maps    []map[string]string
	labels  map[string]string
	unknown []string
	unread  []route // what unknown is about
}

// labels are all labels of an object: see labeler.merge.
func (r *reading) labels(s subject) (labels map[string]string, unknown []string) {
	l := r.m.labeler(r.family, r.rule, s)
	r.unread = l.unread
	return l.labels, l.unknown
}

func (m *Mapper) labeler(f *family, rule *typeRule, s subject) *labeler {
	l := &labeler{m: m, s: s}
	for _, at := range f.labels {
		l.read(at)
	}
	if rule != nil {
		l.loose = rule.Loose
		for _, at := range rule.labels {
			l.read(at)
		}
		if at := rule.objectAt(s); at != nil {
			l.read(append(at[:len(at):len(at)], "metadata", "labels"))
		}
	}
	l.merge(f.fold)
	return l
}

// production reports whether the labels mark production, or may.
func (l *labeler) production() bool {
	return len(l.unknown) > 0 || l.m.marked(l.labels)
}

func (l *labeler) cannot(at route, why string) {
	l.unread = append(l.unread, at)
	l.unknown = append(l.unknown, fmt.Sprintf("labels (%s %s)", shown(at.String(), maxWord), why))
}

func (l *labeler) read(at route) {
	for _, f := range at.all(l.s.values) {
		l.labels = map[string]string{}
		l.value(f.at, f.value)
		if len(l.labels) > 0 {
			l.maps = append(l.maps, l.labels)
		}
	}
	// What is only known after apply is null, or not there at all.
	if l.s.unknown != nil && marked(l.s.unknown, at) {
		l.cannot(at, "is only known after apply")
	}
}

func (l *labeler) value(at route, value any) {
	if markedAbove(l.s.sensitive, at) {
		if value != nil {
			l.cannot(at, "is sensitive")
		}
		return
	}
	switch v := value.(type) {
	case nil:
	case map[string]any:
		for _, key := range sortedKeys(v) {
			l.set(append(at[:len(at):len(at)], key), key, v[key])
		}
	case []any:
		for _, item := range v {
			l.item(at, item)
		}
	default:
		if !l.loose && value != "" {
			l.cannot(at, "is no object")
		}
	}
}

// item reads an element of a list: {key: env, value: prod}, env:prod or env=prod.
func (l *labeler) item(at route, item any) {
	if object, ok := item.(map[string]any); ok {
		if key, ok := object["key"].(string); ok {
			l.set(at, key, object["value"])
			return
		}
	}
	text, ok := item.(string)
	if !ok {
		if !l.loose {
			l.cannot(at, "has something else than labels")
		}
		return
	}
	key, value := text, ""
	if i := strings.IndexAny(text, ":="); i > 0 {
		key, value = text[:i], text[i+1:]
	}
	l.set(at, key, value)
}

func (l *labeler) set(at route, key string, value any) {
	text, ok := plain(value)
	switch {
	case key == "":
		return
	case value != nil && marked(l.s.sensitive, at):
		l.cannot(at, "is sensitive")
		text = hidden
	case value == nil && l.s.unknown != nil:
		return // said by read, if it is one
	case value == nil:
		text = ""
	case !ok:
		if !l.loose {
			l.cannot(at, "is no text")
		}
		return
	case secretName(key) && !l.m.marked(map[string]string{key: text}):
		text = hidden
	}
	l.labels[shown(key, maxLabel)] = shown(text, maxLabel)
}

func (l *labeler) cap() {
	if len(l.labels) <= maxLabels {
		if len(l.labels) == 0 {
			l.labels = nil
		}
		return
	}
	keys := sortedStrings(l.labels)
	for _, key := range keys[maxLabels:] {
		delete(l.labels, key)
	}
	l.unknown = append(l.unknown, fmt.Sprintf("labels (%d of %d are read)", maxLabels, len(keys)))
}

func sortedStrings(labels map[string]string) []string {
	keys := make([]string, 0, len(labels))
	for key := range labels {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
