package mapping

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner finds what decides whether anybody could care about an entry. It looks at
// every byte, so that what it says no to is JSON to its end; but it keeps nothing.
type scanner struct {
	buffer  bytes.Buffer
	decoder *jsontext.Decoder
	options []jsontext.Options
	found   facts
}

// facts are what decides. The texts point into the entry.
type facts struct {
	logName, service, method, resourceName string
	// payload says that there is a protoPayload, audit that it is of an audit log.
	payload, audit bool
	// failedOpen says that a label tells of a webhook that did not answer.
	failedOpen bool
	// decided says that a label has a decision of ours.
	decided bool
	// native fields are of audit.k8s.io/v1 Events.
	apiVersion, verb, stage string
	seen                    [factCount]bool
}

// The facts, to see which comes twice.
const (
	factLogName = iota
	factPayload
	factLabels
	factService
	factMethod
	factResourceName
	factType
	factAPIVersion
	factVerb
	factStage
	factCount
)

// errUnclear ends a scan that cannot decide.
var errUnclear = errors.New("unclear")

// lenient lets the scan pass names that come twice where they decide nothing.
func lenient() []jsontext.Options { return []jsontext.Options{jsontext.AllowDuplicateNames(true)} }

// scanners are reused: a decoder is larger than most entries.
func newScanners() *sync.Pool {
	return &sync.Pool{New: func() any {
		s := &scanner{options: lenient()}
		s.decoder = jsontext.NewDecoder(&s.buffer, s.options...)
		return s
	}}
}

// Cares implements auditlog.Mapper.
func (m *Mapper) Cares(data []byte) bool {
	if len(data) > MaxEntry {
		return true
	}
	s := m.scanners.Get().(*scanner)
	defer m.scanners.Put(s)
	s.buffer = *bytes.NewBuffer(data)
	s.decoder.Reset(&s.buffer, s.options...)
	s.found = facts{}
	err := s.entry()
	cares := err != nil || m.matters(&s.found)
	s.found, s.buffer = facts{}, bytes.Buffer{} // keeps no entry alive
	return cares
}

// matters reports whether Map could make anything of an entry.
func (m *Mapper) matters(f *facts) bool {
	switch {
	case m.isHeartbeat(f.logName):
		return true
	case !f.payload:
		return strings.HasPrefix(f.apiVersion, nativeGroup) && nativeMatters(f)
	case f.method == "":
		return f.audit
	case f.service == kubernetesService:
		return m.kubernetesMatters(f)
	case setsPolicy(f.method):
		return true
	}
	if s := m.table.services[f.service]; s != nil {
		if known, ignore := s.index.interest(f.method); known {
			return !ignore
		}
	}
	return looksDestructive(f.method)
}

// entry reads a whole entry.
func (s *scanner) entry() error {
	if s.decoder.PeekKind() != '{' {
		return errUnclear
	}
	err := s.object(func(name []byte) error {
		switch string(name) {
		case "logName":
			return s.text(factLogName, &s.found.logName)
		case "apiVersion":
			return s.text(factAPIVersion, &s.found.apiVersion)
		case "verb":
			return s.text(factVerb, &s.found.verb)
		case "stage":
			return s.text(factStage, &s.found.stage)
		case "protoPayload":
			return s.payload()
		case "labels", "annotations":
			return s.labels()
		}
		return s.decoder.SkipValue()
	})
	if err != nil {
		return err
	}
	if _, err := s.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errUnclear
	}
	return nil
}

func (s *scanner) payload() error {
	if s.found.seen[factPayload] {
		return errUnclear
	}
	s.found.seen[factPayload], s.found.payload = true, true
	if s.decoder.PeekKind() != '{' {
		return errUnclear
	}
	return s.object(func(name []byte) error {
		switch string(name) {
		case "methodName":
			return s.text(factMethod, &s.found.method)
		case "serviceName":
			return s.text(factService, &s.found.service)
		case "resourceName":
			return s.text(factResourceName, &s.found.resourceName)
		case "@type":
			var typeName string
			err := s.text(factType, &typeName)
			s.found.audit = typeName == auditType
			return err
		}
		return s.decoder.SkipValue()
	})
}

// The annotations by which an API server says that a webhook did not answer and that it
// went on begin so; the value is the webhook's name (k8s.io/apiserver
// pkg/admission/plugin/webhook/validating and .../mutating, dispatcher.go). What it says
// of every call of a mutating webhook begins with mutation. or patch., and tells nothing
// of an answer.
const (
	validatingFailedOpen = "failed-open.validating.webhook.admission.k8s.io/"
	mutatingFailedOpen   = "failed-open.mutation.webhook.admission.k8s.io/"
)

// saysFailedOpen reports whether a label tells of a webhook that did not answer.
func saysFailedOpen(name string) bool {
	return strings.HasPrefix(name, validatingFailedOpen) || strings.HasPrefix(name, mutatingFailedOpen)
}

func (s *scanner) labels() error {
	if s.decoder.PeekKind() != '{' {
		return errUnclear
	}
	return s.object(func(name []byte) error {
		if saysFailedOpen(unsafe.String(unsafe.SliceData(name), len(name))) { // not kept
			s.found.failedOpen = true
		}
		if bytes.HasSuffix(name, []byte(decisionSuffix)) {
			s.found.decided = true
		}
		return s.decoder.SkipValue()
	})
}

// object calls field with each name of an object, without its quotes; field reads the
// value.
func (s *scanner) object(field func(name []byte) error) error {
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	if s.decoder.StackDepth() > maxDepth {
		return errUnclear
	}
	for {
		switch s.decoder.PeekKind() {
		case '}':
			_, err := s.decoder.ReadToken()
			return err
		case '"':
		default:
			return errUnclear
		}
		name, err := s.decoder.ReadValue()
		if err != nil {
			return err
		}
		// A name that is written with escapes, such as "m\u0065thodName", may be any.
		if bytes.IndexByte(name, '\\') >= 0 {
			return errUnclear
		}
		if err := field(name[1 : len(name)-1]); err != nil {
			return err
		}
	}
}

// text reads a text that decides. One that comes twice, is none, or is written with
// escapes is for Map to look at.
func (s *scanner) text(fact int, into *string) error {
	if s.found.seen[fact] || s.decoder.PeekKind() != '"' {
		return errUnclear
	}
	s.found.seen[fact] = true
	value, err := s.decoder.ReadValue()
	if err != nil {
		return err
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		return errUnclear
	}
	value = value[1 : len(value)-1]
	// The entry is not changed while it is scanned, and the text is not kept.
	*into = unsafe.String(unsafe.SliceData(value), len(value))
	return nil
}
