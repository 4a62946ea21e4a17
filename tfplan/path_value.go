package tfplan

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// number is a JSON number as it is written, so that ids and project numbers stay exact.
type number string

// decode reads a JSON value into nil, bool, string, number, []any and map[string]any.
// An empty text is null.
func decode(raw jsontext.Value) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	value, err := decodeNext(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, fmt.Errorf("more than one value")
	}
	return value, nil
}

func decodeNext(d *jsontext.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("values nest deeper than %d", MaxDepth)
	}
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		return number(token.String()), nil
	case '{':
		object := map[string]any{}
		for d.PeekKind() != '}' {
			key, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			name := key.String()
			if object[name], err = decodeNext(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = d.ReadToken()
		return object, err
	case '[':
		list := []any{}
		for d.PeekKind() != ']' {
			item, err := decodeNext(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err = d.ReadToken()
		return list, err
	}
	return nil, fmt.Errorf("unexpected %s", token.Kind())
}

// plain is a text, number or truth value as a text.
func plain(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// nothing reports whether a value says that there is none.
func nothing(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// isTrue holds for true and its texts: some providers keep truth values as texts.
func isTrue(value any) bool {
	text, ok := plain(value)
	return ok && strings.EqualFold(text, "true")
}

func sortedKeys(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

// numberOf is a number of another library, or its text, such as a time.
func numberOf(value any) any {
	text := fmt.Sprint(value)
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return text
	}
	return number(text)
}
