package breakglass

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// signerFrom returns what signs with a stored key. This is the one place that
// knows where private keys are: a key in a KMS would be found by its id here.
func signerFrom(d keyDocument) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(d.Private)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok { // what x509 says could quote the key
		return nil, errors.New("the private key is not an Ed25519 key in PKCS #8")
	}
	if !private.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(d.Public)) {
		return nil, errors.New("the private key is not that of the public key")
	}
	return private, nil
}

// joseSigner is a jose.OpaqueSigner that knows no more of a key than crypto.Signer
// does.
type joseSigner struct{ key ownKey }

// Public implements jose.OpaqueSigner; the key's id becomes the kid.
func (s joseSigner) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: s.key.public, KeyID: s.key.id}
}

// Algs implements jose.OpaqueSigner.
func (joseSigner) Algs() []jose.SignatureAlgorithm { return algorithms() }

// SignPayload implements jose.OpaqueSigner. Ed25519 takes the text itself, not its
// hash, and no randomness.
func (s joseSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return s.key.signer.Sign(nil, payload, crypto.Hash(0))
}

// signJWS signs a payload. The same payload, type and key make the same text.
func signJWS(key ownKey, typ string, payload []byte) (*jose.JSONWebSignature, error) {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: joseSigner{key}}, options)
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", key.id, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", key.id, err)
	}
	return signed, nil
}
