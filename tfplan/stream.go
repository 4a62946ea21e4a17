package tfplan

import (
	"context"
	"errors"
	"hash"
	"io"
)

// chunk is how much is read from a file at once, and how far a decoder may be ahead of
// what it is asked for.
const chunk = 64 << 10

// source hands a text to a decoder in chunks and watches over it: it hashes, stops when
// the context ends, and refuses a text that is too long, nests too deep or has a single
// element that is too long. The decoder itself knows no such limits.
type source struct {
	ctx context.Context
	r   io.Reader
	// noun is what the text is to people: plan, state.
	noun string
	// digest takes in every byte, unless it is nil.
	digest hash.Hash
	// most is how long the text may be.
	most int64
	// until is the offset up to which the decoder may read now.
	until int64
	// read counts what came from r, given what went to the decoder.
	read, given int64

	buffer  []byte
	pending []byte
	// depth, quoted and escaped are where in the JSON the end of buffer is.
	depth           int
	quoted, escaped bool
	// err is why there is no more, once there is none.
	err error
}

func newSource(ctx context.Context, r io.Reader, noun string, most int64, digest hash.Hash) *source {
	return &source{ctx: ctx, r: r, noun: noun, most: most, until: MaxChange, digest: digest, buffer: make([]byte, chunk)}
}

// errTooLong is a source's when one element does not end in time. The stream says which.
var errTooLong = errors.New("element too long")

// Read gives at most a chunk, so that a decoder's growing buffer does not run ahead of
// the limit for one element.
func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.given >= s.until {
		s.err = errTooLong
		return 0, s.err
	}
	if len(s.pending) == 0 {
		if s.err = s.fill(); s.err != nil {
			return 0, s.err
		}
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	s.given += int64(n)
	return n, nil
}

func (s *source) fill() error {
	if err := s.ctx.Err(); err != nil {
		return context.Cause(s.ctx)
	}
	n, err := fill(s.r, s.buffer)
	if err != nil {
		return err
	}
	s.pending = s.buffer[:n]
	if s.read+int64(n) > s.most {
		return badPlan("", "the %s is longer than %s", s.noun, bytesText(s.most))
	}
	if s.digest != nil {
		_, _ = s.digest.Write(s.pending) // a hash never fails
	}
	if at := s.nest(s.pending); at >= 0 {
		return badPlan("", "the %s nests deeper than %d levels at byte %d: Terraform writes no such JSON",
			s.noun, MaxDepth, s.read+int64(at))
	}
	s.read += int64(n)
	return nil
}

// fill reads until buffer is full or the text ends, and says io.EOF only if there was
// nothing left. Unlike io.ReadFull it does not say of a text that just ends what a
// decompressor says of one that is cut off.
func fill(r io.Reader, buffer []byte) (int, error) {
	n, empty := 0, 0
	for n < len(buffer) {
		more, err := r.Read(buffer[n:])
		n += more
		switch {
		case err == io.EOF && n > 0:
			return n, nil
		case err != nil:
			return n, err
		case more > 0:
			empty = 0
		default:
			if empty++; empty == 100 {
				return n, io.ErrNoProgress
			}
		}
	}
	return n, nil
}

// nest follows the brackets of text. It returns where they get too deep, or -1. Whether
// they match is the decoder's business.
func (s *source) nest(text []byte) int {
	depth, quoted, escaped := s.depth, s.quoted, s.escaped
	for i, c := range text {
		if quoted {
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				quoted = false
			}
			continue
		}
		switch c {
		case '"':
			quoted = true
		case '{', '[':
			if depth++; depth > MaxDepth {
				return i
			}
		case '}', ']':
			depth--
		}
	}
	s.depth, s.quoted, s.escaped = depth, quoted, escaped
	return -1
}
