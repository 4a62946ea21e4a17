package webhook

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner reads a review token by token and skips what nobody needs.
type scanner struct {
	dec *jsontext.Decoder
	// body is the text that dec reads.
	body            []byte
	withAnnotations bool
}

// members reads an object and hands each key to fn, which reads the value. It
// reports whether there was an object; null counts as none. A key that is there
// twice is an error: which of them counts is anybody's guess.
func (s *scanner) members(fn func(key string) error) (bool, error) {
	var seen names
	return s.entries(func(key string) error {
		if !seen.add(key) {
			return fmt.Errorf("the name at %q is there twice", s.dec.StackPointer())
		}
		return fn(key)
	})
}

// member is members for an object of which only one member is wanted.
func (s *scanner) member(name string, fn func() error) error {
	_, err := s.members(func(key string) error {
		if key == name {
			return fn()
		}
		return s.skip()
	})
	return err
}

// entries is members for objects with keys that nobody looks at.
func (s *scanner) entries(fn func(key string) error) (bool, error) {
	token, err := s.dec.ReadToken()
	if err != nil {
		return false, err
	}
	switch token.Kind() {
	case 'n':
		return false, nil
	case '{':
	default:
		return false, fmt.Errorf("expected an object at %q, found %v", s.dec.StackPointer(), token.Kind())
	}
	for s.dec.PeekKind() != '}' {
		name, err := s.dec.ReadValue()
		if err != nil {
			return true, err
		}
		key, err := unquoted(name)
		if err != nil {
			return true, err
		}
		if err := fn(key); err != nil {
			return true, err
		}
	}
	_, err = s.dec.ReadToken()
	return true, err
}

// skip passes over a value. The whole text is in memory, so reading it is free
// and quicker than walking its tokens.
func (s *scanner) skip() error {
	_, err := s.dec.ReadValue()
	return err
}

func (s *scanner) text(to *string) error { return s.textWithin(to, maxText) }

func (s *scanner) textWithin(to *string, limit int) error {
	value, err := s.dec.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case 'n':
		return nil
	case '"':
		if len(value) > limit {
			return fmt.Errorf("the text at %q is longer than %d KiB", s.dec.StackPointer(), limit>>10)
		}
		*to, err = unquoted(value)
		return err
	}
	return fmt.Errorf("expected a string at %q, found %v", s.dec.StackPointer(), value.Kind())
}

func (s *scanner) boolean(to *bool) error {
	token, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case 't', 'f':
		*to = token.Bool()
		return nil
	}
	return fmt.Errorf("expected true or false at %q, found %v", s.dec.StackPointer(), token.Kind())
}

func (s *scanner) texts(to *[]string) error {
	token, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case '[':
	default:
		return fmt.Errorf("expected a list at %q, found %v", s.dec.StackPointer(), token.Kind())
	}
	for s.dec.PeekKind() != ']' {
		var text string
		if err := s.text(&text); err != nil {
			return err
		}
		*to = append(*to, text)
	}
	_, err = s.dec.ReadToken()
	return err
}

func unquoted(value jsontext.Value) (string, error) {
	if len(value) >= 2 && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err
}

// names is a set of strings that is small almost always.
type names struct {
	few  []string
	many map[string]bool
}

const (
	// usualNames is as many as most of the objects in a review have.
	usualNames = 8
	// fewNames is where looking through a list becomes slower than a map.
	fewNames = 24
	// maxNames is how many names of one object are remembered and how many labels
	// are kept. Kubernetes' own limits end far below (256 KiB of annotations); a
	// review of 12 MiB could hold a million.
	maxNames = 10_000
	// maxText is the longest name, user or uid that is read.
	maxText = 64 << 10
	// maxValue is the longest label or annotation: Kubernetes lets all annotations
	// of an object together have 256 KiB, which JSON may double.
	maxValue = 512 << 10
)

// add reports whether a name is new.
func (n *names) add(name string) bool {
	if n.many != nil {
		again := n.many[name]
		if len(n.many) < maxNames {
			n.many[name] = true
		}
		return !again
	}
	if slices.Contains(n.few, name) {
		return false
	}
	if n.few == nil {
		n.few = make([]string, 0, usualNames)
	}
	n.few = append(n.few, name)
	if len(n.few) > fewNames {
		n.many = map[string]bool{}
		for _, name := range n.few {
			n.many[name] = true
		}
	}
	return true
}
