package receipt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// MaxSize caps a receipt in bytes: 64 targets with five texts of 200 and 64 facts of 300
// are 84 KiB, and a megabyte is twelve times that.
const MaxSize = 1 << 20

// Encode returns a receipt as it is kept: JSON for people to read, with a line break at
// the end. The same receipt makes the same text.
func Encode(r Receipt) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("encode the receipt: %w", oneLine(err))
	}
	text, err := json.Marshal(r, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("encode the receipt: %w", err)
	}
	if len(text) >= MaxSize {
		return nil, fmt.Errorf("encode the receipt: it has more than %d bytes", MaxSize)
	}
	return append(text, '\n'), nil
}

// Decode reads a receipt strictly: every member once, none that is not known, none left
// out, nothing behind it. The signature is not checked. The error is one line for people.
func Decode(from io.Reader) (Receipt, error) {
	text, err := io.ReadAll(io.LimitReader(from, MaxSize+1))
	if err != nil {
		return Receipt{}, fmt.Errorf("read the receipt: %w", err)
	}
	if what := mistaken(text); what != "" {
		return Receipt{}, errors.New(what)
	}
	if len(text) > MaxSize {
		return Receipt{}, fmt.Errorf("it has more than %d bytes, which no receipt has", MaxSize)
	}
	var r Receipt
	if err := json.Unmarshal(text, &r, json.RejectUnknownMembers(true)); err != nil {
		return Receipt{}, explained(err)
	}
	if r.APIVersion == APIVersion && r.Kind == Kind {
		if err := complete(text, r); err != nil {
			return Receipt{}, err
		}
	}
	if err := r.check(); err != nil {
		return Receipt{}, oneLine(err)
	}
	return r, nil
}

// mistaken says what a text is that is easily taken for a receipt, or nothing.
func mistaken(text []byte) string {
	switch first := firstMember(text); {
	case len(bytes.TrimSpace(text)) == 0:
		return "it is empty: was the receipt written?"
	case bytes.HasPrefix(text, []byte("PK\x03\x04")):
		return "it is a plan file, not a receipt: the receipt is what plan check wrote"
	case first == "format_version":
		return "it is a plan's JSON, not a receipt: the receipt is what plan check wrote"
	case first == "version" || first == "terraform_version" || first == "serial" || first == "lineage":
		return "it is a Terraform state, not a receipt: the receipt is what plan check wrote"
	}
	return ""
}

// firstMember returns the name of the first member of a JSON object.
func firstMember(text []byte) string {
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return ""
	}
	token, err := decoder.ReadToken()
	if err != nil || token.Kind() != '"' {
		return ""
	}
	return token.String()
}

// explained says in one line why a text is not a receipt.
func explained(err error) error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return fmt.Errorf("it is not a receipt: %s is there twice", path(syntactic.JSONPointer))
	case errors.As(err, &syntactic):
		return fmt.Errorf("it is not a receipt: it is not one JSON object, from byte %d on", syntactic.ByteOffset)
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return fmt.Errorf("it is not a receipt that this program knows: %s is not known", path(semantic.JSONPointer))
	case errors.As(err, &semantic):
		return fmt.Errorf("it is not a receipt: %s is not of its form", path(semantic.JSONPointer))
	}
	return fmt.Errorf("it is not a receipt: %w", oneLine(err))
}

// path writes a JSON pointer as the messages do.
func path(pointer jsontext.Pointer) string {
	var parts []string
	for part := range pointer.Tokens() {
		parts = append(parts, shown(operation.Printable(part)))
	}
	if len(parts) == 0 {
		return "the whole"
	}
	return shown(strings.Join(parts, "."))
}

// complete returns an error if a text leaves out something that the receipt read from it
// has: decoding takes what is absent as empty.
func complete(text []byte, r Receipt) error {
	again, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("compare the receipt with its text: %w", err)
	}
	var want, got any
	if err := errors.Join(json.Unmarshal(again, &want), json.Unmarshal(text, &got)); err != nil {
		return fmt.Errorf("compare the receipt with its text: %w", err)
	}
	absent := missing("", want, got)
	if len(absent) == 0 {
		return nil
	}
	slices.Sort(absent)
	return fmt.Errorf("it is not a whole receipt: %s is missing", absent[0])
}

// missing returns the paths of members that one document has and another has not, or has
// as another kind of value.
func missing(at string, want, got any) []string {
	var found []string
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return []string{strings.TrimPrefix(at, ".")}
		}
		for name, member := range want {
			other, ok := got[name]
			if !ok {
				found = append(found, strings.TrimPrefix(at+"."+name, "."))
				continue
			}
			found = append(found, missing(at+"."+name, member, other)...)
		}
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return []string{strings.TrimPrefix(at, ".")}
		}
		for i, entry := range want {
			found = append(found, missing(fmt.Sprintf("%s[%d]", at, i), entry, got[i])...)
		}
	default:
		if (want == nil) != (got == nil) { // null where there must be a value
			return []string{strings.TrimPrefix(at, ".")}
		}
	}
	return found
}

// oneLine joins the lines of an error.
func oneLine(err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
