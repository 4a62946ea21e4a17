package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"

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
			return s.object(&r.object)
		case "oldObject":
			return s.object(&r.oldObject)
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
