package webhook

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// object is what is kept of a Kubernetes object.
type object struct {
	present     bool
	name        string
	namespace   string
	uid         string
	labels      map[string]string
	annotations map[string]string
	// presented is the break-glass annotation's text, which is not among
	// annotations: it may be a token.
	presented string
	// marks are the annotations of knownAnnotations that it has. They are not among
	// annotations unless those are wanted.
	marks map[string]string
	// terminating says that it has a deletionTimestamp.
	terminating bool
	// These are the text of the fields as they stand in the body, which must be there
	// as long as they are read: only a rule for the resource looks into them.
	finalizers, owners              jsontext.Value
	spec, status, roleRef, subjects jsontext.Value
	// values counts the non-empty entries under data and binaryData.
	values int
	// odd names fields that could not be read as Kubernetes defines them.
	odd []string
	// raw is the whole object, a part of the body: it is read again for the few
	// objects of which more matters.
	raw []byte
}

// note remembers a field that is odd, once.
func (o *object) note(field string) {
	if !slices.Contains(o.odd, field) {
		o.odd = append(o.odd, field)
	}
}

func (s *scanner) object(o *object) error {
	var err error
	start := s.dec.InputOffset()
	defer func() {
		if o.present {
			o.raw = bytes.TrimLeft(s.body[start:s.dec.InputOffset()], ": \t\r\n")
		}
	}()
	o.present, err = s.lenientMembers(o, "the object", func(key string) error {
		switch key {
		case "metadata":
			_, err := s.lenientMembers(o, "metadata", func(key string) error { return s.metadata(o, key) })
			return err
		case "spec":
			return s.raw(&o.spec)
		case "status":
			return s.raw(&o.status)
		case "roleRef":
			return s.raw(&o.roleRef)
		case "subjects":
			return s.raw(&o.subjects)
		case "data", "binaryData":
			if s.dec.PeekKind() != '{' {
				return s.skip()
			}
			_, err := s.entries(func(string) error {
				value, err := s.dec.ReadValue()
				if err == nil && !bytes.Equal(value, []byte(`""`)) && !bytes.Equal(value, []byte("null")) {
					o.values++
				}
				return err
			})
			return err
		}
		return s.skip()
	})
	return err
}

func (s *scanner) metadata(o *object, key string) error {
	switch key {
	case "name":
		return s.lenientText(o, "metadata.name", &o.name)
	case "namespace":
		return s.lenientText(o, "metadata.namespace", &o.namespace)
	case "uid":
		return s.lenientText(o, "metadata.uid", &o.uid)
	case "labels":
		return s.textMap(o, "metadata.labels", &o.labels)
	case "annotations":
		return s.annotations(o)
	case "finalizers":
		return s.raw(&o.finalizers)
	case "ownerReferences":
		return s.raw(&o.owners)
	case "deletionTimestamp":
		o.terminating = s.dec.PeekKind() != 'n'
	}
	return s.skip()
}

// raw keeps the text of a value where it is. The decoder reads a bytes.Buffer in
// place and changes nothing in it.
func (s *scanner) raw(to *jsontext.Value) error {
	value, err := s.dec.ReadValue()
	if err == nil {
		*to = value
	}
	return err
}

// lenientMembers is members for what a user of the cluster wrote: another type
// is noted, not an error, so that the policies can judge it.
func (s *scanner) lenientMembers(o *object, what string, fn func(key string) error) (bool, error) {
	if kind := s.dec.PeekKind(); kind != '{' && kind != 'n' && kind != 0 {
		o.note(what)
		return false, s.skip()
	}
	return s.members(fn)
}

func (s *scanner) lenientText(o *object, what string, to *string) error {
	if kind := s.dec.PeekKind(); kind != '"' && kind != 'n' && kind != 0 {
		o.note(what)
		return s.skip()
	}
	return s.textWithin(to, maxValue)
}

func (s *scanner) textMap(o *object, what string, to *map[string]string) error {
	entries := map[string]string{}
	present, err := s.lenientMembers(o, what, func(key string) error {
		var text string
		err := s.lenientText(o, what, &text)
		if len(entries) < maxNames {
			entries[key] = text
		} else {
			o.note(what + " beyond the first " + strconv.Itoa(maxNames))
		}
		return err
	})
	if present {
		*to = entries
	}
	return err
}
