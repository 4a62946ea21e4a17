package tfplan

import (
	"maps"
	"slices"
	"strings"
)

// maxSpellings caps in how many ways the labels of one place are read where keys may be
// written in any case: six keys that are there twice.
const maxSpellings = 64

// merge makes labels of the maps, those of later places over earlier ones, with fold in
// lower case as well. If what one place says marks production, by itself and in any
// spelling, that comes over all others: production in one place is production.
func (l *labeler) merge(fold bool) {
	merged := map[string]string{}
	for _, one := range l.maps {
		maps.Copy(merged, one)
	}
	if fold {
		merged = l.folded(merged)[0]
	}
	l.labels = merged
	if !l.m.marked(merged) {
		l.mark(fold)
	}
	l.cap()
}

// mark puts the labels of a place that mark production over the others.
func (l *labeler) mark(fold bool) {
	if l.m.options.Marked == nil || len(l.maps) == 1 && !fold {
		return
	}
	for _, one := range l.maps {
		spelled := []map[string]string{one}
		if fold {
			spelled = append(spelled, l.folded(one)...)
		}
		for _, labels := range spelled {
			if !l.m.marked(labels) {
				continue
			}
			maps.Copy(l.labels, labels)
			if !l.m.marked(l.labels) {
				l.labels = labels // what another place has forbids it
			}
			return
		}
	}
}

// folded returns labels with each in lower case as well: in every way that the spellings
// of keys allow, the way of the last in order first.
func (l *labeler) folded(labels map[string]string) []map[string]string {
	spellings := map[string][]string{}
	for _, key := range sortedStrings(labels) {
		low, value := strings.ToLower(key), strings.ToLower(labels[key])
		if !slices.Contains(spellings[low], value) {
			spellings[low] = append([]string{value}, spellings[low]...)
		}
	}
	ways := []map[string]string{maps.Clone(labels)}
	for _, low := range slices.Sorted(maps.Keys(spellings)) {
		values := spellings[low]
		if len(ways)*len(values) > maxSpellings {
			l.unknown = append(l.unknown, "labels (keys are written in too many ways)")
			values = values[:1]
		}
		var next []map[string]string
		for i, value := range values {
			for _, way := range ways {
				if i < len(values)-1 {
					way = maps.Clone(way)
				}
				way[low] = value
				next = append(next, way)
			}
		}
		ways = next
	}
	return ways
}

// marked reports whether labels mark production.
func (m *Mapper) marked(labels map[string]string) bool {
	return m.options.Marked != nil && m.options.Marked(labels)
}
