package main

import (
	"fmt"
	"strings"
)

// maxCommand is the longest command line that is read: sixty-four names of 253
// characters, each quoted, are 16 KiB.
const maxCommand = 16 << 10

// shellWords splits a command line as a POSIX shell does
// (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html,
// section 2.2), and refuses what a shell would do more with than split it: what
// a variable, a pattern or a pipe becomes is not in the text, and a grant for a
// guess would be for the wrong thing.
func shellWords(line string) ([]string, error) {
	if len(line) > maxCommand {
		return nil, fmt.Errorf("the command is longer than %d KiB", maxCommand>>10)
	}
	s := splitter{rest: strings.TrimSpace(line)}
	for s.rest != "" {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

// splitter holds what is left of a line, and the word that is being read.
type splitter struct {
	rest  string
	words []string
	word  strings.Builder
	// begun tells an empty word, such as '', from none.
	begun bool
}

// unquoted says what the characters that mean more to a shell are for.
var unquoted = map[byte]string{
	'|': "a pipe", '&': "a second command", ';': "a second command", '\n': "a second command",
	'<': "a redirection", '>': "a redirection", '(': "a subshell", ')': "a subshell",
	'$': "a variable", '`': "a command substitution",
	'*': "a pattern", '?': "a pattern", '[': "a pattern", '{': "a brace expansion",
}

// next reads one character, or one quoted text.
func (s *splitter) next() error {
	c := s.rest[0]
	if what, ok := unquoted[c]; ok {
		return fmt.Errorf("the command has %s (%q), which only a shell knows what to make of: write out what is meant", what, c)
	}
	switch {
	case c == ' ' || c == '\t':
		s.end()
		s.rest = s.rest[1:]
	case c == '\'':
		return s.single()
	case c == '"':
		return s.double()
	case c == '\\':
		return s.backslash()
	case !s.begun && c == '~':
		return fmt.Errorf("the command has a home folder (%q), which only a shell knows: write it out", c)
	case !s.begun && c == '#':
		return fmt.Errorf("the command has a comment (%q): leave it out", c)
	default:
		s.add(s.rest[:1])
		s.rest = s.rest[1:]
	}
	return nil
}

func (s *splitter) add(text string) {
	s.begun = true
	s.word.WriteString(text)
}

// end finishes the word that is being read, if there is one.
func (s *splitter) end() {
	if s.begun {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.begun = false
}

func (s *splitter) single() error {
	text, rest, found := strings.Cut(s.rest[1:], "'")
	if !found {
		return fmt.Errorf("the command has a quote (') that does not end")
	}
	s.add(text)
	s.rest = rest
	return nil
}

// double reads a text in double quotes, in which a backslash is for $ ` " \ and
// the end of a line, and is itself before anything else.
func (s *splitter) double() error {
	s.add("")
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return nil
		case '$', '`':
			return fmt.Errorf("the command has %s (%q), which only a shell knows what to make of: write out what is meant", unquoted[c], c)
		case '\\':
			if i+1 < len(s.rest) && strings.IndexByte("$`\"\\\n", s.rest[i+1]) >= 0 {
				i++
				if s.rest[i] == '\n' {
					continue
				}
			}
			s.add(s.rest[i : i+1])
		default:
			s.add(s.rest[i : i+1])
		}
	}
	return fmt.Errorf(`the command has a quote (") that does not end`)
}

func (s *splitter) backslash() error {
	if len(s.rest) == 1 {
		return fmt.Errorf(`the command ends in a backslash (\)`)
	}
	if s.rest[1] != '\n' { // which only goes on on the next line
		s.add(s.rest[1:2])
	}
	s.rest = s.rest[2:]
	return nil
}

// plainWord are the characters that mean nothing to a shell.
const plainWord = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_./:@%+=,"

// quoted is a word as a shell has to be given it.
func quoted(word string) string {
	if word != "" && strings.Trim(word, plainWord) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
