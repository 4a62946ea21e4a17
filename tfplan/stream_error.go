package tfplan

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// explain turns what went wrong with a stream into what people can act on. What it cannot
// blame on the text (a context that ended, a disk that cannot be read) it only wraps.
func (s *stream) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*BadPlanError](err); ok {
		return err
	}
	if errors.Is(err, errTooLong) || errors.Is(s.src.err, errTooLong) {
		return badPlan("", "%s of the %s is longer than %s", s.place(), s.src.noun, bytesText(MaxChange))
	}
	if s.src.err != nil && s.src.err != io.EOF {
		if _, ok := errors.AsType[*BadPlanError](s.src.err); ok {
			return s.src.err
		}
		return fmt.Errorf("read the %s: %w", s.src.noun, s.src.err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return badPlan("write it anew, and see that the disk is not full and the command that writes it does not fail",
			"the JSON of the %s is cut off at byte %d, in %s", s.src.noun, s.base+s.src.given, s.place())
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, where := s.base+syntax.ByteOffset, s.pointer(syntax.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return badPlan("", "%s of the %s is there twice (byte %d): which of them counts is anybody's guess",
				where, s.src.noun, at)
		}
		return badPlan("", "the JSON of the %s is broken at byte %d, in %s: %v", s.src.noun, at, where, syntax.Err)
	}
	return fmt.Errorf("read the %s: %w", s.src.noun, err)
}

func (s *stream) wrong(want string, got jsontext.Kind) error {
	return badPlan("", "%s of the %s is %s and should be %s (byte %d)",
		s.place(), s.src.noun, kindText(got), want, s.base+s.dec.InputOffset())
}

// place is where in the text the stream is, for people: /resource_changes/17/change.
func (s *stream) place() string { return s.pointer(s.dec.StackPointer()) }

func (s *stream) pointer(p jsontext.Pointer) string {
	const most = 200
	text := s.within + string(p)
	if text == "" {
		return "the outermost object"
	}
	if len(text) > most {
		text = text[:most] + "…"
	}
	// Names come from the text and may hold anything; a terminal should not.
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

func kindText(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "nothing"
}

// bytesText says a limit as people do.
func bytesText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
