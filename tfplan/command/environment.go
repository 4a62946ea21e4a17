package command

import (
	"slices"
	"strings"
	"unicode"
)

// variables are the names of the environment variables that a command takes words from.
// Those of the second come first on its line.
func variables(name string) []string {
	return []string{"TF_CLI_ARGS", "TF_CLI_ARGS_" + strings.NewReplacer("-", "_", " ", "_").Replace(name)}
}

// withEnvironment puts in the words of TF_CLI_ARGS and TF_CLI_ARGS_name, where Terraform
// does: right after the command, or in front where there is none. The first may say which
// command it is.
func withEnvironment(args []string, getenv func(string) string) ([]string, error) {
	for i := range 2 {
		name, _, to := nameOf(args)
		variable := variables(name)[i]
		more, err := split(getenv(variable))
		if err != nil {
			return nil, bad("mend $"+variable, "$%s cannot be read: %v", variable, err)
		}
		args = slices.Concat(args[:to], more, args[to:])
	}
	return args, nil
}

// split splits a text into words as a shell does, without expanding anything. What a shell
// would take for more than words is an error: nobody should have to know where Terraform
// stops to read.
func split(text string) ([]string, error) {
	if len(text) > maxBytes {
		return nil, bad("", "it has more than %d bytes", maxBytes)
	}
	s := splitter{}
	for _, r := range text {
		if err := s.take(r); err != nil {
			return nil, err
		}
	}
	if s.quote != 0 || s.escaped {
		return nil, bad("", "a quote is not closed, or a backslash is at its end")
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	words   []string
	word    strings.Builder
	inWord  bool
	quote   rune
	escaped bool
}

func (s *splitter) take(r rune) error {
	switch {
	case s.escaped:
		s.escaped = false
		s.add(r)
	case r == '\\' && s.quote != '\'':
		s.escaped = true
	case s.quote != 0 && r == s.quote:
		s.quote = 0
	case s.quote != 0:
		s.add(r)
	case r == '\'' || r == '"':
		s.quote, s.inWord = r, true
	case unicode.IsSpace(r):
		s.end()
	case strings.ContainsRune(";&|<>()`$\x00", r):
		return bad("", "%q is in it without quotes", r)
	default:
		s.add(r)
	}
	return nil
}

func (s *splitter) add(r rune) {
	s.inWord = true
	s.word.WriteRune(r)
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}
