package index

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// metadata is what is read of an object's metadata.
type metadata struct {
	Name              string     `json:"name"`
	Namespace         string     `json:"namespace"`
	UID               string     `json:"uid"`
	ResourceVersion   string     `json:"resourceVersion"`
	Labels            labelSet   `json:"labels"`
	DeletionTimestamp *time.Time `json:"deletionTimestamp"`
	OwnerReferences   ownerList  `json:"ownerReferences"`
}

// over says what of the metadata is more than the index takes in, or returns nil.
func (m *metadata) over() error {
	var errs []error
	if len(m.Labels) > maxRead {
		errs = append(errs, fmt.Errorf("it has more than %d labels, and counts as production", maxRead))
	}
	if len(m.OwnerReferences) > maxOwners {
		errs = append(errs, fmt.Errorf("it has more than %d owners, of which the others are not followed", maxOwners))
	}
	return errors.Join(errs...)
}

// labelSet are labels: all of them, or one more than maxRead.
type labelSet map[string]string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *labelSet) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	if ok, err := opens(in, '{'); !ok {
		return err
	}
	set := labelSet{}
	for in.PeekKind() != '}' {
		if len(set) > maxRead {
			if err := in.SkipValue(); err != nil {
				return err
			}
			continue // names and values alike
		}
		var key, value string
		if err := json.UnmarshalDecode(in, &key); err != nil {
			return err
		}
		if err := json.UnmarshalDecode(in, &value); err != nil {
			return err
		}
		set[key] = value
	}
	*l = set
	_, err := in.ReadToken()
	return err
}

// ownerList are owner references: all of them, or one more than maxOwners.
type ownerList []Owner

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *ownerList) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	if ok, err := opens(in, '['); !ok {
		return err
	}
	for in.PeekKind() != ']' {
		if len(*o) > maxOwners {
			if err := in.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var owner struct {
			UID        string `json:"uid"`
			Controller bool   `json:"controller"`
		}
		if err := json.UnmarshalDecode(in, &owner); err != nil {
			return err
		}
		*o = append(*o, Owner{UID: owner.UID, Controller: owner.Controller})
	}
	_, err := in.ReadToken()
	return err
}

// opens reads the bracket that begins a value. It is false for null, and for what is no
// such value.
func opens(in *jsontext.Decoder, bracket jsontext.Kind) (bool, error) {
	begin, err := in.ReadToken()
	switch {
	case err != nil || begin.Kind() == 'n':
		return false, err
	case begin.Kind() != bracket:
		return false, fmt.Errorf("a %s, where %s was to begin", begin.Kind(), bracket)
	}
	return true, nil
}
