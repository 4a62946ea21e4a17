package engine

import (
	"fmt"
	"reflect"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mollyguard/mollyguard/operation"
)

// fieldSet is the part of the input that policies read: a tree of field names
// in which a node marked whole stands for all below it.
type fieldSet struct {
	whole  bool
	fields map[string]*fieldSet
}

func (f *fieldSet) add(path []string) {
	for _, name := range path {
		if f.whole {
			return
		}
		if f.fields == nil {
			f.fields = map[string]*fieldSet{}
		}
		next := f.fields[name]
		if next == nil {
			next = &fieldSet{}
			f.fields[name] = next
		}
		f = next
	}
	f.whole = true
}

func (f *fieldSet) has(path []string) bool {
	for _, name := range path {
		if f.whole {
			return true
		}
		if f = f.fields[name]; f == nil {
			return false
		}
	}
	return true
}

// readsOf collects every reference into input. A reference that goes on with
// something other than a constant reads all that is there, and so does the bare
// word input, for instance as an argument.
func readsOf(modules map[string]*ast.Module) *fieldSet {
	reads := &fieldSet{}
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			if !x.HasPrefix(ast.InputRootRef) {
				return false
			}
			reads.add(constantPath(x[1:]))
			for _, term := range x[1:] { // such as input.labels[input.key]
				visitor.Walk(term)
			}
			return true
		case ast.Var:
			if x.Equal(ast.InputRootDocument.Value) {
				reads.add(nil)
			}
		}
		return false
	})
	for _, module := range modules {
		visitor.Walk(module)
	}
	return reads
}

func constantPath(terms []*ast.Term) []string {
	var path []string
	for _, term := range terms {
		name, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(name))
	}
	return path
}

// encoder returns a function that turns a contract's input into the document
// that policies see: the fields in reads and no others. What can be prepared is
// prepared here, once.
func encoder(input reflect.Type, reads *fieldSet, config map[string]any) (valueEncoder, error) {
	value, err := ast.InterfaceToValue(orEmpty(config))
	if err != nil {
		return nil, fmt.Errorf("read the values for policies: %w", err)
	}
	return encoderOf(input, reads, ast.NewTerm(value)), nil
}

func orEmpty(config map[string]any) map[string]any {
	if config == nil {
		return map[string]any{}
	}
	return config
}

type valueEncoder func(reflect.Value) *ast.Term

func encoderOf(t reflect.Type, reads *fieldSet, config *ast.Term) valueEncoder {
	if t == reflect.TypeFor[time.Time]() {
		return func(v reflect.Value) *ast.Term {
			return ast.StringTerm(v.Interface().(time.Time).UTC().Format(time.RFC3339Nano))
		}
	}
	switch t.Kind() {
	case reflect.Struct:
		return structEncoder(t, reads, config)
	case reflect.Pointer:
		elem := encoderOf(t.Elem(), reads, config)
		return func(v reflect.Value) *ast.Term {
			if v.IsNil() {
				return ast.InternedNullTerm
			}
			return elem(v.Elem())
		}
	case reflect.Slice:
		elem := encoderOf(t.Elem(), &fieldSet{whole: true}, config)
		return func(v reflect.Value) *ast.Term {
			if v.Len() == 0 {
				return ast.InternedEmptyArray
			}
			terms := make([]*ast.Term, v.Len())
			for i := range terms {
				terms[i] = elem(v.Index(i))
			}
			return ast.ArrayTerm(terms...)
		}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface { // only the field config, see encodable
			return func(reflect.Value) *ast.Term { return config }
		}
		return func(v reflect.Value) *ast.Term {
			if v.Len() == 0 {
				return ast.InternedEmptyObject
			}
			object := ast.NewObjectWithCapacity(v.Len())
			for entries := v.MapRange(); entries.Next(); {
				object.Insert(ast.StringTerm(entries.Key().String()), ast.StringTerm(entries.Value().String()))
			}
			return ast.NewTerm(object)
		}
	case reflect.Bool:
		return func(v reflect.Value) *ast.Term { return ast.InternedTerm(v.Bool()) }
	case reflect.Int:
		return func(v reflect.Value) *ast.Term { return ast.InternedTerm(int(v.Int())) }
	default: // strings, see encodable
		return func(v reflect.Value) *ast.Term {
			if v.Len() == 0 {
				return ast.InternedEmptyString
			}
			return ast.StringTerm(v.String())
		}
	}
}

func structEncoder(t reflect.Type, reads *fieldSet, config *ast.Term) valueEncoder {
	type member struct {
		key    *ast.Term
		index  []int
		encode valueEncoder
	}
	var members []member
	for _, field := range reflect.VisibleFields(t) {
		if !operation.Visible(field) {
			continue
		}
		name := operation.JSONName(field)
		below := reads.fields[name]
		if reads.whole {
			below = reads
		}
		if below == nil {
			continue
		}
		members = append(members, member{ast.StringTerm(name), field.Index, encoderOf(field.Type, below, config)})
	}
	return func(v reflect.Value) *ast.Term {
		object := ast.NewObjectWithCapacity(len(members))
		for _, m := range members {
			object.Insert(m.key, m.encode(v.FieldByIndex(m.index)))
		}
		return ast.NewTerm(object)
	}
}
