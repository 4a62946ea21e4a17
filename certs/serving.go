package certs

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// serving is what both sources have in common: the pair in use, swapped whole, and what is known about it.
type serving struct {
	now     func() time.Time
	current atomic.Pointer[served]
	problem atomic.Pointer[error]
	changed chan struct{}
}

// served is one state of a source. It is never changed once it is published.
type served struct {
	certificate *tls.Certificate // with Leaf set
	ca          []byte
}

func newServing(now func() time.Time) serving {
	return serving{now: now, changed: make(chan struct{}, 1)}
}

// GetCertificate implements [Source].
func (s *serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c := s.current.Load()
	if c == nil {
		return nil, s.notLoaded()
	}
	return c.certificate, nil
}

// CABundle implements [Source].
func (s *serving) CABundle() []byte {
	c := s.current.Load()
	if c == nil {
		return nil
	}
	return bytes.Clone(c.ca)
}

// Changed implements [Source].
func (s *serving) Changed() <-chan struct{} { return s.changed }

// NotAfter implements [Source].
func (s *serving) NotAfter() time.Time {
	c := s.current.Load()
	if c == nil {
		return time.Time{}
	}
	return c.certificate.Leaf.NotAfter
}

// Ready implements [Source].
func (s *serving) Ready() error {
	c := s.current.Load()
	if c == nil {
		return s.notLoaded()
	}
	err := validAt(c.certificate.Leaf, s.now())
	if problem := s.Problem(); err != nil && problem != nil {
		return fmt.Errorf("serving certificate %w; it cannot be replaced: %w", err, problem)
	}
	if err != nil {
		return fmt.Errorf("serving certificate %w", err)
	}
	return nil
}

// Problem says why the source could not be brought up to date when it was last tried, nil if it is. The source may be serving
// the last good certificate all the same: that is for Ready to say.
func (s *serving) Problem() error {
	if p := s.problem.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *serving) notLoaded() error {
	if problem := s.Problem(); problem != nil {
		return fmt.Errorf("there is no serving certificate yet: %w", problem)
	}
	return errors.New("there is no serving certificate yet")
}

// report records the outcome of an attempt to bring the source up to date, and says whether it differs from the last one.
func (s *serving) report(err error) (news bool) {
	var next *error
	if err != nil {
		next = &err
	}
	last := s.problem.Swap(next)
	switch {
	case last == nil || next == nil:
		return last != next
	default:
		return (*last).Error() != err.Error()
	}
}

// swap puts a new state in use and says whether it differs from the last one.
func (s *serving) swap(next *served) (news bool) {
	last := s.current.Load()
	if last == nil {
		last = &served{certificate: &tls.Certificate{}}
	}
	if samePair(last.certificate, next.certificate) && bytes.Equal(last.ca, next.ca) {
		return false
	}
	s.current.Store(next)
	if !bytes.Equal(last.ca, next.ca) {
		select {
		case s.changed <- struct{}{}:
		default: // one is waiting already, and its reader will see the newest
		}
	}
	return true
}

// samePair compares certificates only: a private key that fits the same certificate is the same key.
func samePair(a, b *tls.Certificate) bool {
	if len(a.Certificate) != len(b.Certificate) {
		return false
	}
	for i := range a.Certificate {
		if !bytes.Equal(a.Certificate[i], b.Certificate[i]) {
			return false
		}
	}
	return true
}
