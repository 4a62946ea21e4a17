package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Bundle is the state of a [Keeper]. It is a value: whoever changes one copies the slice first. The zero value is the state
// before anything was made.
type Bundle struct {
	// Authorities to be trusted, the newest first.
	Authorities []Authority
	// Leaf is what is served. It is of one of the Authorities.
	Leaf Leaf
}

// Authority is one certificate authority of a [Bundle].
type Authority struct {
	// Certificate is self-signed.
	Certificate *x509.Certificate
	// Key signs leaves. There is none once the authority is retired.
	Key PrivateKey
	// Added is when the authority was first published. The certificate's own NotBefore is no use for that, it is backdated.
	Added time.Time
	// Retired is when the last leaf of the authority was replaced by a newer authority's, zero while it may sign.
	Retired time.Time
}

// Leaf is a serving certificate with its key.
type Leaf struct {
	// Certificate is signed by an authority of the same [Bundle].
	Certificate *x509.Certificate
	// Key belongs to Certificate.
	Key PrivateKey
}

// IsZero says that nothing has been made yet.
func (b Bundle) IsZero() bool {
	return len(b.Authorities) == 0 && b.Leaf.Certificate == nil && b.Leaf.Key.IsZero()
}

// caBundle is what clients are to trust, in PEM.
func (b Bundle) caBundle() []byte {
	var data []byte
	for _, a := range b.Authorities {
		data = appendCertificatePEM(data, a.Certificate)
	}
	return data
}

// served is the bundle as TLS wants it.
func (b Bundle) served() (*served, error) {
	if !b.Leaf.Key.fits(b.Leaf.Certificate) {
		return nil, errors.New("the bundle has no leaf whose key and certificate belong together")
	}
	return &served{
		certificate: &tls.Certificate{
			Certificate: [][]byte{b.Leaf.Certificate.Raw},
			PrivateKey:  b.Leaf.Key,
			Leaf:        b.Leaf.Certificate,
		},
		ca: b.caBundle(),
	}, nil
}
