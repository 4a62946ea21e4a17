package index

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// maxObject bounds the JSON of one object. etcd takes 1.5 MiB (--max-request-bytes) and
// the API server 3 MiB of JSON (k8s.io/apiserver MaxRequestBodyBytes); what it writes
// may be longer by its defaults and its escapes.
const maxObject = 8 << 20

var errObjectTooLarge = fmt.Errorf("an object is larger than %d bytes", maxObject)

// capped reads on until left bytes were read.
type capped struct {
	io.Reader
	left int
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errObjectTooLarge
	}
	n, err := c.Reader.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// values reads JSON values from a stream, each of up to maxObject bytes and what was read
// ahead.
type values struct {
	source *capped
	*jsontext.Decoder
}

func newValues(r io.Reader) values {
	source := &capped{Reader: r}
	return values{source: source, Decoder: jsontext.NewDecoder(source, lenient)}
}

// next returns the next value, which is good until the call after it.
func (v values) next() (jsontext.Value, error) {
	v.source.left = maxObject
	value, err := v.ReadValue()
	return value, whole(err)
}

// token reads a bracket or a name.
func (v values) token() (jsontext.Token, error) {
	v.source.left = maxObject
	token, err := v.ReadToken()
	return token, whole(err)
}

func (v values) peek() jsontext.Kind {
	v.source.left = maxObject
	return v.PeekKind()
}

// whole says that a body which ends before its JSON does has been cut off.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var errNoList = errors.New("the answer is not a list")

// readPage reads a list as the API server writes it and calls each with the JSON of every
// object, which is good until each returns.
func readPage(r io.Reader, each func(data []byte) error) (page, error) {
	in := newValues(r)
	var p page
	if begin, err := in.token(); err != nil {
		return page{}, err
	} else if begin.Kind() != '{' {
		return page{}, errNoList
	}
	items := false
	for in.peek() != '}' {
		name, err := in.token()
		if err != nil {
			return page{}, err
		}
		switch name.String() {
		case "items":
			items = true
			err = readItems(in, each)
		case "metadata":
			var value jsontext.Value
			if value, err = in.next(); err == nil {
				err = jsonv2.Unmarshal(value, &p, lenient)
			}
		default:
			_, err = in.next()
		}
		if err != nil {
			return page{}, err
		}
	}
	if _, err := in.token(); err != nil {
		return page{}, err
	}
	if !items {
		return page{}, errNoList
	}
	return p, nil
}

func readItems(in values, each func(data []byte) error) error {
	begin, err := in.token()
	if err != nil || begin.Kind() == 'n' { // null
		return err
	}
	if begin.Kind() != '[' {
		return errNoList
	}
	for in.peek() != ']' {
		value, err := in.next()
		if err != nil {
			return err
		}
		if err := each(value); err != nil {
			return err
		}
	}
	_, err = in.token()
	return err
}

// event is an entry of a watch.
type event struct {
	kind watch.EventType
	// data is the object's JSON, good until the next event is read; status is set
	// instead if kind is watch.Error.
	data   []byte
	status *metav1.Status
}

// part is a value that is a part of what it was read from, and not a copy like
// jsontext.Value: it is good for as long.
type part []byte

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (p *part) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	value, err := in.ReadValue()
	*p = part(value)
	return err
}

// readEvent reads the next event. The error is io.EOF where a watch ends between two.
func readEvent(in values) (event, error) {
	in.source.left = maxObject
	value, err := in.ReadValue()
	if err != nil {
		return event{}, err
	}
	var e struct {
		Type   watch.EventType `json:"type"`
		Object part            `json:"object"`
	}
	if err := jsonv2.Unmarshal(value, &e, lenient); err != nil {
		return event{}, fmt.Errorf("read an event: %w", err)
	}
	switch e.Type {
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
		return event{kind: e.Type, data: e.Object}, nil
	case watch.Error:
		var status metav1.Status
		if err := json.Unmarshal(e.Object, &status); err != nil {
			return event{}, fmt.Errorf("read an error event: %w", err)
		}
		return event{kind: e.Type, status: &status}, nil
	}
	return event{}, fmt.Errorf("read an event: %q is no type of one", e.Type)
}
