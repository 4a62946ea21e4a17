package certs

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"
)

// newAuthority makes a certificate authority that is published from now on.
func newAuthority(now time.Time, p policy) (Authority, error) {
	key, err := newPrivateKey()
	if err != nil {
		return Authority{}, err
	}
	now = now.Round(0).UTC() // without the monotonic reading, which does not survive a store
	c, err := sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "mollyguard webhook CA " + now.Format(time.RFC3339)},
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(p.caValidity),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}, key, Authority{Key: key})
	if err != nil {
		return Authority{}, fmt.Errorf("make a certificate authority: %w", err)
	}
	return Authority{Certificate: c, Key: key, Added: now}, nil
}

// newLeaf makes a serving certificate with a key of its own.
func newLeaf(by Authority, now time.Time, p policy) (Leaf, error) {
	key, err := newPrivateKey()
	if err != nil {
		return Leaf{}, err
	}
	c, err := sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "mollyguard webhook"},
		NotBefore:             now.Add(-Backdate),
		NotAfter:              leafNotAfter(by, now, p),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              p.dnsNames,
		IPAddresses:           p.ips,
	}, key, by)
	if err != nil {
		return Leaf{}, fmt.Errorf("issue a serving certificate: %w", err)
	}
	return Leaf{Certificate: c, Key: key}, nil
}

// leafNotAfter is when a leaf that is issued now ends: never after its authority. Certificates count in whole seconds.
func leafNotAfter(by Authority, now time.Time, p policy) time.Time {
	end := now.Add(p.leafValidity).UTC().Truncate(time.Second)
	if end.After(by.Certificate.NotAfter) {
		return by.Certificate.NotAfter
	}
	return end
}

// sign issues template for key's public half; without a parent certificate it is self-signed. The serial number is random.
func sign(template *x509.Certificate, key PrivateKey, by Authority) (*x509.Certificate, error) {
	parent := by.Certificate
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by.Key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
