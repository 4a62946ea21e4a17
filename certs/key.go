package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redacted is all that is ever printed of a private key.
const redacted = "[redacted]"

// PrivateKey is a private key that cannot be printed by accident, not even as part of a [crypto/tls.Certificate]: it is a
// [crypto.Signer] itself. The zero value is no key, and must not sign. The key is behind a pointer, because fmt calls no methods on
// what lies in other types' unexported fields: there it prints an address.
type PrivateKey struct {
	key *crypto.Signer
}

// seal makes a key unprintable.
func seal(key crypto.Signer) PrivateKey { return PrivateKey{key: &key} }

// newPrivateKey makes an ECDSA P-256 key, which costs half the CPU of RSA for many short connections. It takes no source of
// randomness: since Go 1.26 crypto/ecdsa uses the system's, whatever it is given.
func newPrivateKey() (PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate an ECDSA key: %w", err)
	}
	return seal(key), nil
}

// parsePrivateKey reads a key that newPrivateKey made, as PKCS #8 DER.
func parsePrivateKey(der []byte) (PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return PrivateKey{}, errors.New("it is not a PKCS #8 private key") // the parser's words might quote the key
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return PrivateKey{}, errors.New("it is not an ECDSA P-256 key")
	}
	return seal(key), nil
}

// IsZero says that there is no key.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Equal says whether two keys are the same.
func (k PrivateKey) Equal(other PrivateKey) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() == other.IsZero()
	}
	return samePublic(k.Public(), other.Public())
}

// Public implements [crypto.Signer].
func (k PrivateKey) Public() crypto.PublicKey { return (*k.key).Public() }

// Sign implements [crypto.Signer].
func (k PrivateKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return (*k.key).Sign(random, digest, opts)
}

// fits says whether k is the key of a certificate.
func (k PrivateKey) fits(c *x509.Certificate) bool {
	return !k.IsZero() && c != nil && samePublic(k.Public(), c.PublicKey)
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// appendPEM appends the key in clear.
func (k PrivateKey) appendPEM(to []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(*k.key)
	if err != nil {
		return nil, fmt.Errorf("marshal a private key: %w", err)
	}
	return append(to, pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der})...), nil
}

// String prints [redacted].
func (PrivateKey) String() string { return redacted }

// Format prints [redacted] for every verb.
func (PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes "[redacted]".
func (PrivateKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText writes [redacted].
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
