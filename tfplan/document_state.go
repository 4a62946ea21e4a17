package tfplan

import (
	"context"
	"errors"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// State reads the resource instances of the prior state one after another, of all
// modules, data sources and deposed objects among them. An error is the last thing that
// comes, with no resource beside it; what came before is then not to be relied on.
func (d *Document) State(ctx context.Context) iter.Seq2[*Resource, error] {
	return func(yield func(*Resource, error) bool) {
		err := d.again(ctx, sectionState, func(s *stream) error {
			return s.priorState(&resourceReader{stream: s, keeps: true}, func(r *Resource) error {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				own := *r
				if !yield(&own, nil) {
					return errStop
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

// resourceReader reads resources of a state into memory that it uses again.
type resourceReader struct {
	*stream
	keeps    bool
	resource Resource
}

func (s *stream) priorState(r *resourceReader, fn func(*Resource) error) error {
	_, err := s.object(func(name []byte) error {
		if string(name) != "values" {
			return s.skipPast()
		}
		return s.values(func() error {
			if err := r.read(); err != nil {
				return err
			}
			return fn(&r.resource)
		})
	})
	return err
}

// values reads values as prior_state and planned_values have them, and calls fn for each
// resource, which it must read. A nil fn passes over them.
func (s *stream) values(fn func() error) error {
	if fn == nil {
		fn = s.skip
	}
	_, err := s.object(func(name []byte) error {
		if string(name) == "root_module" {
			return s.module(fn)
		}
		return s.skipPast()
	})
	return err
}

// module reads a module and those below it. MaxDepth ends how far below.
func (s *stream) module(fn func() error) error {
	_, err := s.object(func(name []byte) error {
		switch string(name) {
		case "resources":
			return s.list(func(int) error { return s.one(fn) })
		case "child_modules":
			return s.list(func(int) error { return s.module(fn) })
		}
		return s.skipPast()
	})
	return err
}

// skipPast passes over a list or object one level at a time, so that it may be long, and
// takes its elements into the sum.
func (s *stream) skipPast() error {
	switch s.dec.PeekKind() {
	case '{':
		_, err := s.object(func([]byte) error { return s.one(s.skip) })
		return err
	case '[':
		return s.list(func(int) error { return s.one(s.skip) })
	}
	return s.one(s.skip)
}

func (r *resourceReader) read() error {
	to := &r.resource
	*to = Resource{Values: literal(to.Values, "null"), Sensitive: literal(to.Sensitive, "false")}
	_, err := r.object(func(name []byte) error {
		switch string(name) {
		case "address":
			return r.text(&to.Address)
		case "type":
			return r.word(&to.Type)
		case "name":
			return r.word(&to.Name)
		case "provider_name":
			return r.word(&to.Provider)
		case "deposed_key":
			return r.text(&to.Deposed)
		case "mode":
			return r.word((*string)(&to.Mode))
		case "values":
			return r.want(&to.Values)
		case "sensitive_values":
			return r.want(&to.Sensitive)
		}
		return r.skip()
	})
	if err != nil {
		return err
	}
	missing := ""
	switch {
	case to.Address == "":
		missing = "address"
	case to.Type == "":
		missing = "type"
	default:
		return nil
	}
	return badPlan("", "a resource of prior_state has no %s (%s, byte %d)", missing, r.place(), r.base+r.dec.InputOffset())
}

func (r *resourceReader) want(to *jsontext.Value) error {
	if !r.keeps {
		return r.skip()
	}
	return r.keep(to)
}
