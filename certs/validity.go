package certs

import (
	"crypto/x509"
	"fmt"
	"time"
)

// invalid says that a certificate cannot be used at a time, and which way. Code branches on early: that kind heals by waiting.
type invalid struct {
	early bool
	limit time.Time
	now   time.Time
}

// Error reads on after the name of a certificate.
func (e *invalid) Error() string {
	limit, now := e.limit.UTC().Format(time.RFC3339), e.now.UTC().Format(time.RFC3339)
	if e.early {
		return fmt.Sprintf("is not valid before %s, and it is %s here: is this machine's clock right?", limit, now)
	}
	return fmt.Sprintf("expired on %s, and it is %s now", limit, now)
}

// validAt is nil if c is valid at now, otherwise an [*invalid]. The last second of a certificate still counts, as it does for
// crypto/x509.
func validAt(c *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(c.NotBefore):
		return &invalid{early: true, limit: c.NotBefore, now: now}
	case now.After(c.NotAfter):
		return &invalid{limit: c.NotAfter, now: now}
	}
	return nil
}
