package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// review is what the guard needs of an AdmissionReview (admission.k8s.io/v1).
// The message holds two whole objects, most of it of no interest; it is scanned
// once and only this much is kept.
type review struct {
	apiVersion, kind string
	// present is false if the review has no request.
	present bool
	request request
}

type request struct {
	uid         string
	resource    groupResource
	kind        string
	subResource string
	name        string
	namespace   string
	operation   string
	user        user
	dryRun      bool
	// fieldManager is the tool, as it calls itself in the options of an update.
	fieldManager string
	// propagation is what the options of a deletion say of dependents, and orphans is
	// the older way to say it (k8s.io/apimachinery meta/v1 DeleteOptions).
	propagation string
	orphans     *bool
	object      object
	oldObject   object
}

type groupResource struct{ group, version, resource string }

type user struct {
	name, uid  string
	groups     []string
	credential string
	// presented are break-glass tokens and handles (kubectl --as-user-extra).
	presented []string
}

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

// BreakGlassKey is where a break-glass token or handle is presented: an annotation
// of the object, or a key of userInfo.extra.
const BreakGlassKey = "mollyguard.dev/break-glass"

// maxPresented is how many tokens and handles of one review are looked at: one
// from the user, one from the object before and one after, and one to spare.
const maxPresented = 4

// decode scans an AdmissionReview. On an error it returns what it had read by
// then as well: the uid comes early, and a refusal needs it.
func decode(body []byte, withAnnotations bool) (review, error) {
	// The library's own look-out for duplicate names remembers every name of every
	// object, which costs five times the scan itself; members looks out in the
	// objects that are read.
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	s := scanner{dec: decoder, body: body, withAnnotations: withAnnotations}
	r := &review{}
	err := s.review(r)
	if err == nil {
		if _, next := s.dec.ReadToken(); !errors.Is(next, io.EOF) {
			err = errors.New("something follows the AdmissionReview")
		}
	}
	if err != nil {
		return *r, fmt.Errorf("read AdmissionReview: %w", describeJSON(err))
	}
	if err := r.check(); err != nil {
		return *r, err
	}
	return *r, nil
}

// describeJSON says what is wrong with the text in words of its own where the
// library's would puzzle.
func describeJSON(err error) error {
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the text ends in the middle: truncated")
	case errors.Is(err, io.EOF):
		return errors.New("the text is empty")
	case errors.As(err, &syntactic) && syntactic.JSONPointer == "":
		return fmt.Errorf("not JSON at byte %d: %w", syntactic.ByteOffset, syntactic.Err)
	case errors.As(err, &syntactic):
		return fmt.Errorf("byte %d, in %q: %w", syntactic.ByteOffset, syntactic.JSONPointer, syntactic.Err)
	}
	return err
}

func (r *review) check() error {
	switch {
	case r.kind != "AdmissionReview":
		return fmt.Errorf("read AdmissionReview: kind is %q", r.kind)
	case r.apiVersion != "admission.k8s.io/v1":
		return fmt.Errorf("read AdmissionReview: apiVersion is %q, only admission.k8s.io/v1 is understood: set admissionReviewVersions: [v1]", r.apiVersion)
	case !r.present:
		return errors.New("read AdmissionReview: no request")
	case r.request.uid == "":
		return errors.New("read AdmissionReview: request.uid is missing")
	case r.request.operation == "":
		return errors.New("read AdmissionReview: request.operation is missing")
	case r.request.resource.resource == "":
		return errors.New("read AdmissionReview: request.resource is missing")
	}
	return nil
}

// scanner reads a review token by token and skips what nobody needs.
type scanner struct {
	dec *jsontext.Decoder
	// body is the text that dec reads.
	body            []byte
	withAnnotations bool
}

func (s *scanner) review(r *review) error {
	_, err := s.members(func(key string) error {
		switch key {
		case "apiVersion":
			return s.text(&r.apiVersion)
		case "kind":
			return s.text(&r.kind)
		case "request":
			var err error
			r.present, err = s.request(&r.request)
			return err
		}
		return s.skip()
	})
	return err
}

func (s *scanner) request(r *request) (bool, error) {
	return s.members(func(key string) error {
		switch key {
		case "uid":
			return s.text(&r.uid)
		case "kind":
			return s.member("kind", func() error { return s.text(&r.kind) })
		case "resource":
			return s.groupResource(&r.resource)
		case "subResource":
			return s.text(&r.subResource)
		case "name":
			return s.text(&r.name)
		case "namespace":
			return s.text(&r.namespace)
		case "operation":
			return s.text(&r.operation)
		case "userInfo":
			return s.user(&r.user)
		case "dryRun":
			return s.boolean(&r.dryRun)
		case "options":
			return s.options(r)
		case "object":
			return s.whole(&r.object)
		case "oldObject":
			return s.whole(&r.oldObject)
		}
		return s.skip()
	})
}

func (s *scanner) options(r *request) error {
	_, err := s.members(func(key string) error {
		switch key {
		case "fieldManager":
			return s.text(&r.fieldManager)
		case "propagationPolicy":
			return s.text(&r.propagation)
		case "orphanDependents":
			r.orphans = new(bool)
			return s.boolean(r.orphans)
		}
		return s.skip()
	})
	return err
}

func (s *scanner) groupResource(r *groupResource) error {
	_, err := s.members(func(key string) error {
		switch key {
		case "group":
			return s.text(&r.group)
		case "version":
			return s.text(&r.version)
		case "resource":
			return s.text(&r.resource)
		}
		return s.skip()
	})
	return err
}

func (s *scanner) user(u *user) error {
	_, err := s.members(func(key string) error {
		switch key {
		case "username":
			return s.text(&u.name)
		case "uid":
			return s.text(&u.uid)
		case "groups":
			return s.texts(&u.groups)
		case "extra":
			_, err := s.members(func(key string) error { return s.extra(u, key) })
			return err
		}
		return s.skip()
	})
	return err
}

func (s *scanner) extra(u *user, key string) error {
	switch key {
	case operation.KubernetesCredential:
		var values []string
		err := s.texts(&values)
		if len(values) > 0 {
			u.credential = values[0]
		}
		return err
	case BreakGlassKey:
		return s.texts(&u.presented)
	}
	return s.skip()
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

// members reads an object and hands each key to fn, which reads the value. It
// reports whether there was an object; null counts as none. A key that is there
// twice is an error: which of them counts is anybody's guess.
func (s *scanner) members(fn func(key string) error) (bool, error) {
	var seen names
	return s.entries(func(key string) error {
		if !seen.add(key) {
			return fmt.Errorf("the name at %q is there twice", s.dec.StackPointer())
		}
		return fn(key)
	})
}

// member is members for an object of which only one member is wanted.
func (s *scanner) member(name string, fn func() error) error {
	_, err := s.members(func(key string) error {
		if key == name {
			return fn()
		}
		return s.skip()
	})
	return err
}

// entries is members for objects with keys that nobody looks at.
func (s *scanner) entries(fn func(key string) error) (bool, error) {
	token, err := s.dec.ReadToken()
	if err != nil {
		return false, err
	}
	switch token.Kind() {
	case 'n':
		return false, nil
	case '{':
	default:
		return false, fmt.Errorf("expected an object at %q, found %v", s.dec.StackPointer(), token.Kind())
	}
	for s.dec.PeekKind() != '}' {
		name, err := s.dec.ReadValue()
		if err != nil {
			return true, err
		}
		key, err := unquoted(name)
		if err != nil {
			return true, err
		}
		if err := fn(key); err != nil {
			return true, err
		}
	}
	_, err = s.dec.ReadToken()
	return true, err
}

// skip passes over a value. The whole text is in memory, so reading it is free
// and quicker than walking its tokens.
func (s *scanner) skip() error {
	_, err := s.dec.ReadValue()
	return err
}

// names is a set of strings that is small almost always.
type names struct {
	few  []string
	many map[string]bool
}

const (
	// fewNames is where looking through a list becomes slower than a map.
	fewNames = 24
	// maxNames is how many names of one object are remembered and how many labels
	// are kept. Kubernetes' own limits end far below (256 KiB of annotations); a
	// review of 12 MiB could hold a million.
	maxNames = 10_000
	// maxText is the longest name, user or uid that is read.
	maxText = 64 << 10
	// maxValue is the longest label or annotation: Kubernetes lets all annotations
	// of an object together have 256 KiB, which JSON may double.
	maxValue = 512 << 10
)

// add reports whether a name is new.
func (n *names) add(name string) bool {
	if n.many != nil {
		again := n.many[name]
		if len(n.many) < maxNames {
			n.many[name] = true
		}
		return !again
	}
	if slices.Contains(n.few, name) {
		return false
	}
	n.few = append(n.few, name)
	if len(n.few) > fewNames {
		n.many = map[string]bool{}
		for _, name := range n.few {
			n.many[name] = true
		}
	}
	return true
}

func unquoted(value jsontext.Value) (string, error) {
	if len(value) >= 2 && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err
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

func (s *scanner) text(to *string) error { return s.textWithin(to, maxText) }

func (s *scanner) textWithin(to *string, limit int) error {
	value, err := s.dec.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case 'n':
		return nil
	case '"':
		if len(value) > limit {
			return fmt.Errorf("the text at %q is longer than %d KiB", s.dec.StackPointer(), limit>>10)
		}
		*to, err = unquoted(value)
		return err
	}
	return fmt.Errorf("expected a string at %q, found %v", s.dec.StackPointer(), value.Kind())
}

func (s *scanner) lenientText(o *object, what string, to *string) error {
	if kind := s.dec.PeekKind(); kind != '"' && kind != 'n' && kind != 0 {
		o.note(what)
		return s.skip()
	}
	return s.textWithin(to, maxValue)
}

func (s *scanner) boolean(to *bool) error {
	token, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case 't', 'f':
		*to = token.Bool()
		return nil
	}
	return fmt.Errorf("expected true or false at %q, found %v", s.dec.StackPointer(), token.Kind())
}

func (s *scanner) texts(to *[]string) error {
	token, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case '[':
	default:
		return fmt.Errorf("expected a list at %q, found %v", s.dec.StackPointer(), token.Kind())
	}
	for s.dec.PeekKind() != ']' {
		var text string
		if err := s.text(&text); err != nil {
			return err
		}
		*to = append(*to, text)
	}
	_, err = s.dec.ReadToken()
	return err
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
