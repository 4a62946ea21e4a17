package breakglass

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// memoryKeyStore is a KeyStore for tests.
type memoryKeyStore struct {
	lock    sync.Mutex
	data    []byte
	version int
	loads   int
	err     error // of every Load, if not nil
}

func (s *memoryKeyStore) Load(context.Context) ([]byte, string, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.loads++
	switch {
	case s.err != nil:
		return nil, "", s.err
	case s.data == nil:
		return nil, "", ErrNotFound
	}
	return s.data, strconv.Itoa(s.version), nil
}

func (s *memoryKeyStore) Save(_ context.Context, data []byte, version string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	current := ""
	if s.data != nil {
		current = strconv.Itoa(s.version)
	}
	if version != current {
		return ErrConflict
	}
	s.data = data
	s.version++
	return nil
}

// ringStart is when the tests of keys begin.
var ringStart = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// ringClock is a clock that tests set.
type ringClock struct {
	lock sync.Mutex
	at   time.Time
}

func (c *ringClock) now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.at
}

func (c *ringClock) add(d time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.at = c.at.Add(d)
}

// newTestRing returns a keyring with keys of its own, always the same for a seed.
func newTestRing(t testing.TB, issuer string, seed byte, change func(*KeyringOptions)) (*Keyring, *ringClock) {
	t.Helper()
	clock := &ringClock{at: ringStart}
	o := KeyringOptions{Issuer: issuer, Store: &memoryKeyStore{}, Now: clock.now, Entropy: rand.NewChaCha8([32]byte{seed})}
	if change != nil {
		change(&o)
	}
	k, err := NewKeyring(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return k, clock
}

func privateOf(k *Keyring) ed25519.PrivateKey {
	return k.held.Load().signing().signer.(ed25519.PrivateKey)
}

func ringGrant(issuer string) Grant {
	return Grant{
		ID: "bg-k7m4-q9tx", Issuer: issuer, Subject: "alice@example.com", Credential: "X509SHA256=ab",
		Scope: Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete},
			Targets: []operation.Reference{{
				Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "u-1",
			}},
			Objects: 1,
		},
		Reason: "the old shop goes <today>", Ticket: "OPS-7", Approvers: []string{"bob@example.com", "carol@example.com"},
		ApprovalsDigest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		NotBefore:       ringStart, Expires: ringStart.Add(30 * time.Minute),
	}
}

// craft signs any header and payload, as they are.
func craft(header, payload string, private ed25519.PrivateKey) string {
	text := encoded(header) + "." + encoded(payload)
	return text + "." + encoded(string(ed25519.Sign(private, []byte(text))))
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func mustSign(t testing.TB, k *Keyring, g Grant) operation.Secret {
	t.Helper()
	token, err := k.Sign(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// reasonOf returns why something was refused, "" if it was not, or "undecided: …".
func reasonOf(err error) string {
	refusal, ok := errors.AsType[*Refusal](err)
	switch {
	case err == nil:
		return ""
	case ok:
		return refusal.Reason
	}
	return "undecided: " + err.Error()
}

func wantReason(t testing.TB, want string, err error) {
	t.Helper()
	if diff := cmp.Diff(want, reasonOf(err)); diff != "" {
		t.Errorf("why it is refused (-want +got):\n%s", diff)
	}
}

var sameSecrets = cmp.Comparer(func(a, b operation.Secret) bool { return a.Reveal() == b.Reveal() })
