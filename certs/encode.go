package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// The fields of stored state. The first four are what a kubernetes.io/tls Secret and those who read one expect.
const (
	fieldLeaf     = "tls.crt"
	fieldLeafKey  = "tls.key"
	fieldCA       = "ca.crt"          // all authorities, the newest first
	fieldCAKey    = "ca.key"          // the keys of those that may sign
	fieldRotation = "mollyguard.json" // a rotation, and the mark by which we know our own
)

// format is the version of the stored state that this program writes, and the newest that it reads.
const format = 1

// rotation is what the certificates themselves do not say.
type rotation struct {
	Format      int              `json:"format"`
	Authorities []rotationRecord `json:"authorities"`
}

// rotationRecord belongs to the certificate at the same place in ca.crt, and names it so that a mix-up is found.
type rotationRecord struct {
	SHA256  string    `json:"sha256"`
	Added   time.Time `json:"added"`
	Retired time.Time `json:"retired,omitzero"`
}

// encode is the inverse of [decode]. The result has private keys in clear.
func encode(b Bundle) (map[string][]byte, error) {
	if _, err := b.served(); err != nil {
		return nil, err
	}
	r := rotation{Format: format}
	var keys []byte
	for _, a := range b.Authorities {
		r.Authorities = append(r.Authorities, rotationRecord{SHA256: fingerprint(a.Certificate), Added: a.Added, Retired: a.Retired})
		if a.Key.IsZero() {
			continue
		}
		var err error
		if keys, err = a.Key.appendPEM(keys); err != nil {
			return nil, err
		}
	}
	leafKey, err := b.Leaf.Key.appendPEM(nil)
	if err != nil {
		return nil, err
	}
	record, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("marshal the rotation record: %w", err)
	}
	return map[string][]byte{
		fieldLeaf:     appendCertificatePEM(nil, b.Leaf.Certificate),
		fieldLeafKey:  leafKey,
		fieldCA:       b.caBundle(),
		fieldCAKey:    keys,
		fieldRotation: record,
	}, nil
}

// fingerprint identifies a certificate in text.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
