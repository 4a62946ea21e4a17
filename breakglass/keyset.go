package breakglass

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// keySetVersion is of the format of the document; a program does not touch
	// another version's.
	keySetVersion = 1
	// maxKeys caps the keys of one set, ours or another issuer's: one rotation a day
	// for a month.
	maxKeys = 32
	// maxKeySetBytes caps the document: 32 keys of at most 350 bytes (id 43, times 70,
	// public key 44, PKCS #8 64, names of members) are 11 KiB, two call secrets of 43
	// characters are nothing beside them.
	maxKeySetBytes = 16 << 10
)

// keyIDForm is that of an RFC 7638 thumbprint with SHA-256: 32 bytes in base64url.
var keyIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// keyID is the RFC 7638 thumbprint of an Ed25519 key (RFC 8037 section 2). A key
// has no other name, so nobody can pass one key off under the name of another.
func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ownKey is one of our keys.
type ownKey struct {
	id      string
	created time.Time
	// until is when signatures made with it stop being good; zero while it signs.
	until  time.Time
	public ed25519.PublicKey
	// signer is nil unless it signs: a private key is forgotten when the next one
	// takes over.
	signer crypto.Signer
}

// retired reports whether a key's signatures are good no more.
func (k ownKey) retired(now time.Time) bool { return !k.until.IsZero() && !now.Before(k.until) }

// current returns a *Refusal if the key is retired.
func (k ownKey) current(now time.Time) error {
	if k.retired(now) {
		return &Refusal{"it was made with a key that was retired at " + k.until.Format(time.RFC3339)}
	}
	return nil
}

// keySet is what a KeyStore holds, read. It is not changed after it was made.
type keySet struct {
	// keys are sorted, oldest first. The last one signs, and no other.
	keys []ownKey
	call callSecrets
	// version is of the store; empty if it is not known.
	version string
}

func (s *keySet) find(id string) (ownKey, bool) {
	i := slices.IndexFunc(s.keys, func(k ownKey) bool { return k.id == id })
	if i < 0 {
		return ownKey{}, false
	}
	return s.keys[i], true
}

func (s *keySet) signing() ownKey { return s.keys[len(s.keys)-1] }

// newKeySet makes the first key and the call secret.
func newKeySet(entropy io.Reader, now time.Time) (*keySet, error) {
	secret, err := newCallSecret(entropy)
	if err != nil {
		return nil, err
	}
	key, err := newOwnKey(entropy, now)
	if err != nil {
		return nil, err
	}
	return &keySet{keys: []ownKey{key}, call: callSecrets{current: secret}}, nil
}

func newOwnKey(entropy io.Reader, now time.Time) (ownKey, error) {
	// Of a seed: ed25519.GenerateKey need not read the reader that it is given.
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(entropy, seed); err != nil {
		return ownKey{}, fmt.Errorf("make a key: %w", err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	return ownKey{id: keyID(public), created: now.UTC().Truncate(time.Second), public: public, signer: private}, nil
}

// rotated returns the set with a new key that signs, and with another call secret
// unless that rests. The key before stays good for overlap; keys that were retired
// longer than Retention ago are left out.
func (s *keySet) rotated(entropy io.Reader, now time.Time, overlap time.Duration) (*keySet, error) {
	next, err := newOwnKey(entropy, now)
	if err != nil {
		return nil, err
	}
	keys := slices.Clone(s.keys)
	last := &keys[len(keys)-1]
	last.until, last.signer = next.created.Add(overlap), nil
	keys = slices.DeleteFunc(keys, func(k ownKey) bool { return k.retired(now.Add(-Retention)) })
	for len(keys) >= maxKeys && keys[0].retired(now) {
		keys = keys[1:]
	}
	if len(keys) >= maxKeys {
		return nil, &Refusal{fmt.Sprintf("there are %d keys whose signatures are still good, and no room for another: wait until %s", len(keys), keys[0].until.Format(time.RFC3339))}
	}
	call := s.call
	if !call.rests(now) {
		if call, err = call.renewed(entropy, now); err != nil {
			return nil, err
		}
	}
	return &keySet{keys: append(keys, next), call: call}, nil
}

// keySetDocument is a keySet as it is stored. Members are added, never renamed.
type keySetDocument struct {
	Version    int    `json:"version"`
	CallSecret string `json:"call_secret"`
	// PreviousCallSecret is nil until the call secret is renewed for the first time.
	PreviousCallSecret *previousSecretDocument `json:"previous_call_secret,omitempty"`
	Keys               []keyDocument           `json:"keys"`
}

type keyDocument struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Until   time.Time `json:"until,omitzero"`
	// Public are the 32 bytes of RFC 8032, in base64.
	Public []byte `json:"public"`
	// Private is PKCS #8 (RFC 8410), in base64; only the key that signs has it.
	Private []byte `json:"private,omitempty"`
}

// encode returns the set as it is stored.
func (s *keySet) encode() ([]byte, error) {
	document := keySetDocument{Version: keySetVersion, CallSecret: s.call.current, PreviousCallSecret: s.call.document()}
	for _, k := range s.keys {
		stored := keyDocument{ID: k.id, Created: k.created, Until: k.until, Public: k.public}
		if k.signer != nil {
			var err error
			if stored.Private, err = x509.MarshalPKCS8PrivateKey(k.signer); err != nil {
				return nil, fmt.Errorf("encode key %s: %w", k.id, err)
			}
		}
		document.Keys = append(document.Keys, stored)
	}
	return json.Marshal(document)
}

// parseKeySet reads a set as it is stored.
func parseKeySet(data []byte) (*keySet, error) {
	if len(data) > maxKeySetBytes {
		return nil, fmt.Errorf("the key set has more than %d bytes", maxKeySetBytes)
	}
	var written struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &written); err != nil {
		return nil, errDamaged
	}
	if written.Version != keySetVersion {
		return nil, fmt.Errorf("the key set has version %d, this program knows %d", written.Version, keySetVersion)
	}
	var document keySetDocument
	if err := json.Unmarshal(data, &document, json.RejectUnknownMembers(true)); err != nil {
		return nil, errDamaged
	}
	call, err := document.callSecrets()
	if err != nil {
		return nil, fmt.Errorf("the key set is damaged: %w", err)
	}
	if len(document.Keys) == 0 || len(document.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set is damaged: it has %d keys, there must be 1 to %d", len(document.Keys), maxKeys)
	}
	set := &keySet{call: call}
	for i, stored := range document.Keys {
		key, err := stored.key(i == len(document.Keys)-1)
		if err != nil {
			return nil, fmt.Errorf("the key set is damaged: keys[%d]: %w", i, err)
		}
		if _, twice := set.find(key.id); twice {
			return nil, fmt.Errorf("the key set is damaged: keys[%d]: it is there twice", i)
		}
		set.keys = append(set.keys, key)
	}
	return set, nil
}

// errDamaged is all that is said of a document that cannot be read: what a decoder
// says could quote it.
var errDamaged = errors.New("the key set is damaged: it is not the JSON that was written")

// key checks a stored key, which is or is not the one that signs.
func (d keyDocument) key(signs bool) (ownKey, error) {
	key := ownKey{id: d.ID, created: d.Created.UTC(), until: d.Until.UTC(), public: d.Public}
	switch {
	case len(d.Public) != ed25519.PublicKeySize:
		return ownKey{}, fmt.Errorf("the public key has %d bytes, not %d", len(d.Public), ed25519.PublicKeySize)
	case d.ID != keyID(key.public):
		return ownKey{}, errors.New("the id is not the key's thumbprint")
	case signs != key.until.IsZero(), signs != (len(d.Private) > 0):
		return ownKey{}, errors.New("the last key signs, and no other: it alone has a private key and no end")
	case !signs:
		return key, nil
	}
	var err error
	key.signer, err = signerFrom(d)
	return key, err
}
