package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBody is above the largest request: 64 targets of five texts, each of which has 100
// bytes, are 32 KiB, and the receipt of a Terraform plan is 64 KiB at most
// (breakglass.MaxReceipt).
const maxBody = 128 << 10

// inputError says what is wrong with what somebody sent.
type inputError struct{ what string }

func (e *inputError) Error() string { return e.what }

// read decodes a call's body. What is not known, there twice or behind the end is
// refused: somebody meant something by it. Names are case-sensitive.
func read[T any](c *call) (T, error) {
	return decode[T](http.MaxBytesReader(c.writer, c.Body, maxBody))
}

func decode[T any](body io.Reader) (T, error) {
	var value T
	err := json.UnmarshalRead(body, &value, json.RejectUnknownMembers(true))
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		err = &inputError{describe(err)}
	}
	return value, err
}

// describe says what is wrong with a text, without quoting more than a name.
func describe(err error) string {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic) && errors.Is(semantic.Err, json.ErrUnknownName):
		return fieldOf(semantic.JSONPointer) + ": no such field"
	case errors.As(err, &semantic) && semantic.Err != nil:
		return fmt.Sprintf("%s: %v", fieldOf(semantic.JSONPointer), semantic.Err)
	case errors.As(err, &semantic):
		return fmt.Sprintf("%s: not a %s", fieldOf(semantic.JSONPointer), semantic.JSONKind)
	case errors.As(err, &syntactic) && errors.Is(syntactic.Err, jsontext.ErrDuplicateName):
		return fieldOf(syntactic.JSONPointer) + ": there twice"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the body is empty or ends in the middle"
	case errors.As(err, &syntactic):
		return fmt.Sprintf("not JSON at byte %d: %v", syntactic.ByteOffset, syntactic.Err)
	}
	return "the body could not be read"
}

// fieldOf writes a JSON pointer (RFC 6901) as scope.targets.0.ref.
func fieldOf(pointer jsontext.Pointer) string {
	if pointer == "" {
		return "the body"
	}
	var tokens []string
	for token := range pointer.Tokens() {
		tokens = append(tokens, token)
	}
	return strings.Join(tokens, ".")
}
