package config

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// validateAncestors finds patterns that are right and never match: a folder by its name,
// or a number alone, would leave production unguarded without a word.
func validateAncestors(p *problems, field string, patterns []string) {
	validatePatterns(p, field, patterns)
	for i, text := range patterns {
		parsed, err := syntax.Parse(text, syntax.Perl)
		if err != nil || text == "" { // which was told
			continue
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err == nil && !matchesNumbered(program, "folders/") && !matchesNumbered(program, "organizations/") {
			p.add(fmt.Sprintf("%s[%d]", field, i), "%q never matches: what projects are in is called folders/NUMBER and organizations/NUMBER", text)
		}
	}
}

// matchesNumbered reports whether a program matches any whole text of a word and digits.
// It goes through both at once, as far as either can go. What a program says of the place
// between two characters (^, \b) is taken to hold: no pattern is refused that matches.
func matchesNumbered(program *syntax.Prog, word string) bool {
	digits := []rune("0123456789")
	type place struct {
		instruction uint32
		// read is how much of the word was, and one more once there was a digit.
		read int
	}
	seen := map[place]bool{}
	for next := []place{{instruction: uint32(program.Start)}}; len(next) > 0; {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		switch step := &program.Inst[at.instruction]; step.Op {
		case syntax.InstMatch:
			if at.read > len(word) {
				return true
			}
		case syntax.InstFail:
		case syntax.InstAlt, syntax.InstAltMatch:
			next = append(next, place{step.Out, at.read}, place{step.Arg, at.read})
		case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
			next = append(next, place{step.Out, at.read})
		default: // it takes a character
			wanted := digits
			if at.read < len(word) {
				wanted = []rune{rune(word[at.read])}
			}
			if slices.ContainsFunc(wanted, step.MatchRune) {
				next = append(next, place{step.Out, min(at.read, len(word)) + 1})
			}
		}
	}
	return false
}
