package tfplan

import (
	"bytes"
	"hash/maphash"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxString caps an address, a name, a version: for_each keys make addresses long, but not
// longer than a page.
const maxString = 64 << 10

// maxSame is how many different types, names and providers are kept to be shared. Plans
// have some hundred.
const maxSame = 4096

// stream reads JSON member by member, with memory for one element.
type stream struct {
	src *source
	dec *jsontext.Decoder
	// base is the offset of the stream's text in the whole, and within the pointer to it.
	base   int64
	within string
	// sum takes in all names and values, unless it is nil, to notice that a second
	// reading sees another text.
	sum *maphash.Hash
	// element is the offset where the element began that is being read, or -1.
	element int64
	scratch []byte
	same    map[string]string
}

func newStream(src *source, opts ...jsontext.Options) *stream {
	return &stream{src: src, dec: jsontext.NewDecoder(src, opts...), element: -1, same: map[string]string{}}
}

// relax lets the decoder read on, by as much as one element may take.
func (s *stream) relax() {
	s.src.until = s.dec.InputOffset() + MaxChange + 2*chunk
}

// one reads an element with fn, which as a whole may not be longer than MaxChange.
func (s *stream) one(fn func() error) error {
	s.relax()
	s.element = s.dec.InputOffset()
	err := fn()
	if err == nil && s.dec.InputOffset()-s.element > MaxChange {
		err = errTooLong
	}
	s.element = -1
	return err
}

// object reads an object and hands each name to fn, which must read the value; the name
// is only good until then. It reports whether there was an object: null is none.
func (s *stream) object(fn func(name []byte) error) (bool, error) {
	token, err := s.dec.ReadToken()
	if err != nil {
		return false, err
	}
	switch token.Kind() {
	case 'n':
		return false, nil
	case '{':
	default:
		return false, s.wrong("an object", token.Kind())
	}
	s.note('{')
	for s.dec.PeekKind() != '}' {
		if s.element < 0 {
			s.relax()
		}
		name, err := s.value()
		if err != nil {
			return true, err
		}
		plain := name[1 : len(name)-1]
		if bytes.IndexByte(plain, '\\') >= 0 {
			if plain, err = jsontext.AppendUnquote(s.scratch[:0], name); err != nil {
				return true, err
			}
			s.scratch = plain
		}
		if err := fn(plain); err != nil {
			return true, err
		}
	}
	s.note('}')
	_, err = s.dec.ReadToken()
	return true, err
}

// list reads a list and calls fn before each element, which fn must read. Null is an
// empty list.
func (s *stream) list(fn func(i int) error) error {
	token, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case '[':
	default:
		return s.wrong("a list", token.Kind())
	}
	s.note('[')
	for i := 0; s.dec.PeekKind() != ']'; i++ {
		if s.element < 0 {
			s.relax()
		}
		if err := fn(i); err != nil {
			return err
		}
	}
	s.note(']')
	_, err = s.dec.ReadToken()
	return err
}

// note takes a bracket into the sum, so that the same values in other places differ.
func (s *stream) note(bracket byte) {
	if s.sum != nil {
		_ = s.sum.WriteByte(bracket) // never fails
	}
}

// value reads any value. It is only good until the next read.
func (s *stream) value() (jsontext.Value, error) {
	value, err := s.dec.ReadValue()
	if err == nil && s.sum != nil {
		_, _ = s.sum.Write(value) // never fails
	}
	return value, err
}

// skip passes over a value of which not much is expected.
func (s *stream) skip() error {
	_, err := s.value()
	return err
}

// skipLong passes over a value of any length without holding it.
func (s *stream) skipLong() error {
	depth := s.dec.StackDepth()
	for {
		s.relax()
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		if s.dec.StackDepth() <= depth {
			return nil
		}
	}
}

// keep copies a value to where it stays, into the memory that is there.
func (s *stream) keep(to *jsontext.Value) error {
	value, err := s.value()
	if err == nil {
		*to = append((*to)[:0], value...)
	}
	return err
}

// text reads a string; null leaves it empty.
func (s *stream) text(to *string) error {
	plain, err := s.plain()
	if err == nil {
		*to = string(plain)
	}
	return err
}

// word is text for what is there again and again: equal words share their memory.
func (s *stream) word(to *string) error {
	plain, err := s.plain()
	if err != nil {
		return err
	}
	if known, ok := s.same[string(plain)]; ok {
		*to = known
		return nil
	}
	*to = string(plain)
	if len(s.same) < maxSame && len(*to) <= 1<<10 {
		s.same[*to] = *to
	}
	return nil
}

func (s *stream) plain() ([]byte, error) {
	value, err := s.value()
	if err != nil {
		return nil, err
	}
	switch value.Kind() {
	case 'n':
		return nil, nil
	case '"':
	default:
		return nil, s.wrong("a string", value.Kind())
	}
	if len(value) > maxString {
		return nil, badPlan("", "%s of the %s is longer than %s", s.place(), s.src.noun, bytesText(maxString))
	}
	plain := []byte(value[1 : len(value)-1])
	if bytes.IndexByte(plain, '\\') < 0 {
		return plain, nil
	}
	s.scratch, err = jsontext.AppendUnquote(s.scratch[:0], value)
	return s.scratch, err
}

// flag reads true or false; null leaves it as it is.
func (s *stream) flag(to *bool) error {
	value, err := s.value()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case 'n':
	case 't', 'f':
		*to = value.Kind() == 't'
	default:
		return s.wrong("true or false", value.Kind())
	}
	return nil
}

// end makes sure that nothing follows.
func (s *stream) end() error {
	s.relax()
	at := s.dec.InputOffset()
	_, err := s.dec.ReadToken()
	switch {
	case err == io.EOF:
		return nil
	case s.src.err != nil && s.src.err != io.EOF:
		return s.src.err
	}
	return badPlan("the file must hold the JSON and nothing else: no warnings, no second document",
		"there is more after the JSON of the %s, from byte %d", s.src.noun, s.base+at)
}
