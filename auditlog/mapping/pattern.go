package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// pattern is a pattern for the names of methods.
type pattern struct {
	text     string
	segments []string
}

func parsePattern(text string) (pattern, error) {
	p := pattern{text: text, segments: strings.Split(text, ".")}
	for _, s := range p.segments {
		if s == "" || s != "*" && s != "**" && strings.Contains(s, "*") {
			return pattern{}, fmt.Errorf("method %q: between dots there is a name, * or **", text)
		}
	}
	if p.last() == "**" {
		return pattern{}, fmt.Errorf("method %q: ** cannot be the last", text)
	}
	return p, nil
}

func (p pattern) last() string { return p.segments[len(p.segments)-1] }

func (p pattern) matches(method string) bool { return matchSegments(p.segments, method, true) }

// matchSegments matches what is left of a method; more is false once its last segment
// is taken.
func matchSegments(segments []string, rest string, more bool) bool {
	for i, s := range segments {
		if s == "**" {
			for {
				if matchSegments(segments[i+1:], rest, more) {
					return true
				}
				if !more {
					return false
				}
				_, rest, more = strings.Cut(rest, ".")
			}
		}
		if !more {
			return false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, ".")
		if s != "*" && s != segment {
			return false
		}
	}
	return !more
}

// index finds the rows of a method by its last segment, which tells most apart.
type index struct {
	byLast map[string][]candidate
	// others are those with * as last segment; they are in byLast too.
	others []candidate
}

type candidate struct {
	pattern pattern
	row     *row
}

func newIndex(rows []*row) index {
	ix := index{byLast: map[string][]candidate{}}
	for _, r := range rows {
		for _, p := range r.methods {
			if p.last() != "*" {
				ix.byLast[p.last()] = nil
			}
		}
	}
	for _, r := range rows {
		for _, p := range r.methods {
			c := candidate{p, r}
			if p.last() != "*" {
				ix.byLast[p.last()] = append(ix.byLast[p.last()], c)
				continue
			}
			ix.others = append(ix.others, c)
			for last := range ix.byLast {
				ix.byLast[last] = append(ix.byLast[last], c)
			}
		}
	}
	return ix
}

func (ix index) candidates(method string) []candidate {
	list, ok := ix.byLast[method[strings.LastIndexByte(method, '.')+1:]]
	if !ok {
		return ix.others
	}
	return list
}

func (ix index) find(method string) []*row {
	var found []*row
	for _, c := range ix.candidates(method) {
		if c.pattern.matches(method) && !slices.Contains(found, c.row) {
			found = append(found, c.row)
		}
	}
	return found
}

// interest says, without allocating, whether the table knows a method, and whether the
// first row that may fit it is one that ignores it.
func (ix index) interest(method string) (known, ignore bool) {
	for _, c := range ix.candidates(method) {
		if !c.pattern.matches(method) {
			continue
		}
		if !c.row.ignore {
			return true, false
		}
		if len(c.row.when) == 0 {
			return true, true
		}
		known = true
	}
	return known, known
}

// destructive are what the last segment of a method that no table knows is looked
// through for.
var destructive = []string{
	"delete", "destroy", "purge", "drop", "remove", "truncate", "wipe", "clear", "evict", "revert", "rollback", "terminate", "demote", "abandon",
}

// looksDestructive reports whether a method may destroy something by its name.
func looksDestructive(method string) bool {
	last := lastSegment(method)
	for _, word := range destructive {
		if containsFold(last, word) {
			return true
		}
	}
	return false
}

// lastSegment is what follows the last dot or slash: some services write methods as
// gRPC does.
func lastSegment(method string) string { return method[strings.LastIndexAny(method, "./")+1:] }

// containsFold reports whether an ASCII word in lower case is in a text in any case.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

func commas(list []string) string { return strings.Join(list, ", ") }
