package certs

import (
	"context"
	"crypto/tls"
	"time"
)

// Source hands out the serving certificate and the CA bundle that vouches for it. All methods may be called concurrently.
type Source interface {
	// GetCertificate fits [tls.Config].GetCertificate. It fails only while there is no certificate at all: an expired one is
	// handed out, so that the client's error says what is wrong.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// CABundle is what goes into the webhook configuration's caBundle, in PEM. It is empty until there is a certificate, and
	// stays empty for [Files] without a CA file: leave caBundle alone then, somebody else injects it (cert-manager's
	// ca-injector does).
	CABundle() []byte

	// Changed returns the channel, always the same, on which a value arrives whenever CABundle may have changed. Values are
	// coalesced and there is one channel, so it is for one reader.
	Changed() <-chan struct{}

	// Ready says why the source cannot serve yet or any more (nothing loaded, expired, not yet valid), nil if it can.
	Ready() error

	// Problem says why the last look at the store or the files failed, although what was good before may still be served. Nil
	// if it did not.
	Problem() error

	// NotAfter is when the serving certificate expires, for metrics. Zero if there is none.
	NotAfter() time.Time

	// Run keeps the source current until ctx ends, and then returns nil. To be called once.
	Run(ctx context.Context) error
}

var (
	_ Source = (*Keeper)(nil)
	_ Source = (*Files)(nil)
)
