package file

import "bytes"

// maxValue is how long an entry may be. Cloud Logging's have 512 KiB at most
// (https://cloud.google.com/logging/quotas), with room for indentation.
const maxValue = 1 << 20

// value is one value of a stream.
type value struct {
	data []byte
	// end is the offset behind it, in what the splitter was given.
	end int64
}

// splitter finds objects in a stream, and checks no more of them than it has to. What
// is between them (white space, and the brackets and commas of an array) is skipped.
// What is neither goes up to the end of its line.
//
// It finds the way back into a stream in which something is broken: a line feed in a
// string, which JSON does not allow, and a "{" at the beginning of a line, which no
// writer of indented JSON puts into an object, end what they are in. So a line that was
// cut off takes no other with it. An object that is longer than maxValue is handed out
// cut off, and skipped to where it ends. It holds no more than maxValue at any time.
type splitter struct {
	// offset is of the next byte.
	offset int64
	buf    []byte
	state  state
	depth  int
	// skipping is whether the rest of a value is not kept.
	skipping bool
	// lineBegun is whether the last byte was a line feed.
	lineBegun bool
	// begun is whether there was anything but white space.
	begun bool
	// last is how long the last value was, as the next may well be.
	last int
}

type state int

const (
	between state = iota
	// inObject, inString and inEscape are within an object.
	inObject
	inString
	inEscape
	// inGarbage is up to the end of a line.
	inGarbage
)

// write takes bytes, and calls out for each value that is complete.
func (s *splitter) write(data []byte, out func(value) error) error {
	for i := 0; i < len(data); i++ {
		if s.state == inString { // most of what there is
			i += s.text(data[i:])
			if i == len(data) {
				break
			}
		}
		if err := s.take(data[i], out); err != nil {
			return err
		}
	}
	return nil
}

// text takes what is plain text of a string, as far as it reaches.
func (s *splitter) text(data []byte) int {
	n := len(data)
	for _, end := range []byte("\"\\\n") { // each search is shorter; bytes.IndexAny makes a set of three at every call
		if i := bytes.IndexByte(data[:n], end); i >= 0 {
			n = i
		}
	}
	if !s.skipping {
		n = min(n, maxValue-len(s.buf))
		s.buf = append(s.buf, data[:n]...)
	}
	s.offset += int64(n)
	s.lineBegun = s.lineBegun && n == 0
	return n
}

// take takes one byte.
func (s *splitter) take(b byte, out func(value) error) error {
	begun := s.lineBegun
	s.lineBegun = b == '\n'
	switch s.state {
	case between:
		s.start(b)
		return nil
	case inGarbage:
		if b == '\n' {
			return s.broken(out)
		}
	case inString:
		switch b {
		case '"':
			s.state = inObject
		case '\\':
			s.state = inEscape
		case '\n':
			return s.broken(out)
		}
	case inEscape:
		s.state = inString
		if b == '\n' {
			return s.broken(out)
		}
	case inObject:
		switch b {
		case '"':
			s.state = inString
		case '{':
			if begun {
				if err := s.emit(out); err != nil {
					return err
				}
				s.start(b)
				return nil
			}
			s.depth++
		case '}':
			s.depth--
		}
	}
	if err := s.keep(b, out); err != nil {
		return err
	}
	if s.state == inObject && s.depth == 0 {
		return s.emit(out)
	}
	return nil
}

// start begins a value, if the byte does.
func (s *splitter) start(b byte) {
	at := s.offset
	s.offset++
	if at < int64(len(mark)) && b == mark[at] {
		return
	}
	switch b {
	case ' ', '\t', '\r', '\n':
		return
	case '[', ']', ',':
		s.begun = true
		return
	case '{':
		s.state, s.depth = inObject, 1
	default:
		s.state = inGarbage
	}
	s.begun = true
	s.buf = append(make([]byte, 0, s.last+1), b)
}

// broken ends a value at a line feed.
func (s *splitter) broken(out func(value) error) error {
	s.offset++
	return s.emit(out)
}

// keep adds a byte to a value. One that gets too long is handed out at once.
func (s *splitter) keep(b byte, out func(value) error) error {
	if !s.skipping && len(s.buf) >= maxValue {
		v := value{data: s.buf, end: s.offset}
		s.buf, s.skipping = nil, true
		if err := out(v); err != nil {
			return err
		}
	}
	s.offset++
	if !s.skipping {
		s.buf = append(s.buf, b)
	}
	return nil
}

// emit ends a value.
func (s *splitter) emit(out func(value) error) error {
	v := value{data: s.buf, end: s.offset}
	skipped := s.skipping
	s.last = len(s.buf)
	s.buf, s.skipping, s.state, s.depth = nil, false, between, 0
	if skipped {
		return nil
	}
	return out(v)
}

// end takes the end of the stream: what is there of a value is one.
func (s *splitter) end(out func(value) error) error {
	if s.state == between {
		return nil
	}
	return s.emit(out)
}

// pending reports whether part of a value was read.
func (s *splitter) pending() bool { return s.state != between }

// blank reports whether all was white space.
func (s *splitter) blank() bool { return !s.begun }

// mark is what some editors begin a file with, and is not part of it.
const mark = "\ufeff"
