package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxEntry is how large an entry may be: twice the 512 KiB that Cloud Logging takes
// for one of an audit log (https://cloud.google.com/logging/quotas).
const MaxEntry = 1 << 20

// maxDepth is how deep objects and lists may be nested: protocol buffers read 100
// (https://protobuf.dev/programming-guides/proto-limits), Kubernetes objects in
// requests included.
const maxDepth = 128

// object is a JSON object. Its values are object, []any, string, number, bool or nil.
type object = map[string]any

// number is a JSON number as it is written: an int64 must not become a float.
type number string

// decode reads an object. It takes any fields. A name that comes twice in an object is
// an error, and so is what is no UTF-8: whoever reads the same bytes with another
// decoder could see something else.
func decode(data []byte) (object, error) {
	if len(data) > MaxEntry {
		return nil, fmt.Errorf("the entry has %d bytes, more than %d", len(data), MaxEntry)
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data))
	if decoder.PeekKind() != '{' {
		if _, err := decoder.ReadToken(); err != nil {
			return nil, described(err)
		}
		return nil, errors.New("the entry is not a JSON object")
	}
	value, err := decodeValue(decoder)
	if err != nil {
		return nil, described(err)
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the entry goes on after its end, at byte %d", decoder.InputOffset())
	}
	return value.(object), nil
}

// described says what is wrong without repeating what the entry holds.
func described(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the entry ends in the middle")
	}
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return err
	}
	where := fieldName(string(syntactic.JSONPointer))
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("%s comes twice, at byte %d", where, syntactic.ByteOffset)
	}
	if where == "" {
		where = "the entry"
	}
	return fmt.Errorf("%s is not JSON, at byte %d: %v", where, syntactic.ByteOffset, syntactic.Err)
}

// fieldName writes a JSON pointer as the configuration and the tables write paths.
func fieldName(pointer string) string {
	return short(strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", "."))
}

func decodeValue(decoder *jsontext.Decoder) (any, error) {
	if decoder.PeekKind() == '"' {
		return decodeText(decoder)
	}
	token, err := decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		return decodeObject(decoder)
	case '[':
		return decodeList(decoder)
	case '0':
		return number(token.String()), nil
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

// decodeName reads what should be a name.
func decodeName(decoder *jsontext.Decoder) (string, error) {
	if decoder.PeekKind() == '"' {
		return decodeText(decoder)
	}
	_, err := decoder.ReadToken()
	if err == nil { // what is not a name is an error of the decoder's
		err = errors.New("an object has something else than a name")
	}
	return "", err
}

// decodeText reads a text or a name.
func decodeText(decoder *jsontext.Decoder) (string, error) {
	value, err := decoder.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		text, err := jsontext.AppendUnquote(nil, value)
		return string(text), err
	}
	text := value[1 : len(value)-1]
	if name, ok := names[string(text)]; ok { // this conversion allocates nothing
		return name, nil
	}
	return string(text), nil
}

func tooDeep(decoder *jsontext.Decoder) error {
	if decoder.StackDepth() <= maxDepth {
		return nil
	}
	return fmt.Errorf("the entry is nested more than %d deep, at byte %d", maxDepth, decoder.InputOffset())
}

func decodeObject(decoder *jsontext.Decoder) (any, error) {
	if err := tooDeep(decoder); err != nil {
		return nil, err
	}
	o := object{}
	for decoder.PeekKind() != '}' {
		name, err := decodeName(decoder)
		if err != nil {
			return nil, err
		}
		if o[name], err = decodeValue(decoder); err != nil {
			return nil, err
		}
	}
	_, err := decoder.ReadToken()
	return o, err
}

func decodeList(decoder *jsontext.Decoder) (any, error) {
	if err := tooDeep(decoder); err != nil {
		return nil, err
	}
	list := []any{}
	for decoder.PeekKind() != ']' {
		item, err := decodeValue(decoder)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := decoder.ReadToken()
	return list, err
}

// reader takes fields out of an entry and keeps the first that is of a wrong type.
type reader struct{ err error }

func (r *reader) wrong(path, want string, got any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s is %s, not %s", path, typeName(got), want)
	}
}

func typeName(value any) string {
	switch value.(type) {
	case object:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	case number:
		return "a number"
	case bool:
		return "true or false"
	}
	return "null"
}

// field is what r takes a value of type T at o[name] for; absent and null are zero.
func field[T any](r *reader, o object, path, name, want string) T {
	value, ok := o[name].(T)
	if !ok && o[name] != nil {
		r.wrong(join(path, name), want, o[name])
	}
	return value
}

func (r *reader) text(o object, path, name string) string {
	return field[string](r, o, path, name, "a text")
}

func (r *reader) object(o object, path, name string) object {
	return field[object](r, o, path, name, "an object")
}

func (r *reader) list(o object, path, name string) []any {
	return field[[]any](r, o, path, name, "a list")
}

func (r *reader) flag(o object, path, name string) bool {
	return field[bool](r, o, path, name, "true or false")
}

// integer takes a number, or a text that is one: protocol buffers write an int64 so.
func (r *reader) integer(o object, path, name string) int64 {
	value := o[name]
	if value == nil {
		return 0
	}
	n, err := strconv.ParseInt(plain(value), 10, 64)
	if err != nil {
		r.wrong(join(path, name), "a whole number", value)
	}
	return n
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// plain writes a value that is no object and no list as text.
func plain(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case number:
		return string(value)
	case bool:
		return strconv.FormatBool(value)
	}
	return ""
}
