package breakglass

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// callSecretBytes are random, as many as in an AES-256 key.
	callSecretBytes = 32
	// callSecretOverlap is how long the call secret that was replaced is accepted. The
	// API servers use the next one after three minutes (callSecretHeldBack, then 30 s
	// at most until the webhook configuration is written, which they watch); an hour
	// leaves time for a leader that has to be replaced first.
	callSecretOverlap = time.Hour
	// callSecretHeldBack is how long a new call secret is not told the API server:
	// until every replica has looked at the store, twice.
	callSecretHeldBack = 2 * pollInterval
	// callSecretRest is the least time between two renewals. There is one previous
	// secret, and it must be the one that the API servers still use: the three minutes
	// above, and two more.
	callSecretRest = 5 * time.Minute
)

// callSecrets are what the path of the API server's calls may end in.
type callSecrets struct {
	current string
	// previous is what current replaced, accepted until a time. Before the first
	// renewal it is empty, and the time zero.
	previous string
	until    time.Time
}

func newCallSecret(entropy io.Reader) (string, error) {
	secret := make([]byte, callSecretBytes)
	if _, err := io.ReadFull(entropy, secret); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(secret), nil
}

// checkCallSecret returns an error unless a text is one of newCallSecret's. It does
// not quote it.
func checkCallSecret(text string) error {
	if secret, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(secret) != callSecretBytes {
		return fmt.Errorf("is not %d bytes in base64url", callSecretBytes)
	}
	return nil
}

// renewedAgo is how long ago current replaced previous, which must be there.
func (c callSecrets) renewedAgo(now time.Time) time.Duration {
	return now.Sub(c.until.Add(-callSecretOverlap))
}

// rests reports whether it is too early for another renewal.
func (c callSecrets) rests(now time.Time) bool {
	return c.previous != "" && c.renewedAgo(now) < callSecretRest
}

// told returns the one for the webhook configuration.
func (c callSecrets) told(now time.Time) string {
	if c.previous != "" && c.renewedAgo(now) < callSecretHeldBack {
		return c.previous
	}
	return c.current
}

// accepts compares in constant time.
func (c callSecrets) accepts(text string, now time.Time) bool {
	current := subtle.ConstantTimeCompare([]byte(text), []byte(c.current))
	previous := subtle.ConstantTimeCompare([]byte(text), []byte(c.previous))
	if c.previous == "" || !now.Before(c.until) {
		previous = 0
	}
	return current|previous == 1
}

func (c callSecrets) renewed(entropy io.Reader, now time.Time) (callSecrets, error) {
	next, err := newCallSecret(entropy)
	if err != nil {
		return callSecrets{}, err
	}
	return callSecrets{current: next, previous: c.current, until: now.UTC().Truncate(time.Second).Add(callSecretOverlap)}, nil
}

// withCallSecretRenewed returns the set with another call secret, or a *Refusal.
func (s *keySet) withCallSecretRenewed(entropy io.Reader, now time.Time) (*keySet, error) {
	if s.call.rests(now) {
		again := s.call.until.Add(callSecretRest - callSecretOverlap)
		return nil, &Refusal{"the call secret was renewed a moment ago, and the API server may not use it yet: renew it again from " + again.Format(time.RFC3339)}
	}
	call, err := s.call.renewed(entropy, now)
	if err != nil {
		return nil, err
	}
	return &keySet{keys: s.keys, call: call}, nil
}

// previousSecretDocument is a call secret that was replaced, as it is stored.
type previousSecretDocument struct {
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"`
}

// document returns the previous secret as it is stored, or nil.
func (c callSecrets) document() *previousSecretDocument {
	if c.previous == "" {
		return nil
	}
	return &previousSecretDocument{c.previous, c.until}
}

// callSecrets reads the secrets of a document.
func (d keySetDocument) callSecrets() (callSecrets, error) {
	call := callSecrets{current: d.CallSecret}
	if err := checkCallSecret(d.CallSecret); err != nil {
		return callSecrets{}, fmt.Errorf("its call_secret %w", err)
	}
	if d.PreviousCallSecret == nil {
		return call, nil
	}
	call.previous, call.until = d.PreviousCallSecret.Secret, d.PreviousCallSecret.Until.UTC()
	if err := checkCallSecret(call.previous); err != nil {
		return callSecrets{}, fmt.Errorf("its previous_call_secret %w", err)
	}
	if call.until.IsZero() {
		return callSecrets{}, errors.New("its previous_call_secret has no end")
	}
	return call, nil
}

// CallSecret returns 32 random bytes in base64url for the end of the path in the
// webhook configuration, so that a review which uses up a grant comes from the API
// server. It must not be logged. Others can learn it, since the API server quotes
// the path to the user when a call fails: hence Rotate renews it. For two minutes
// after that it is still the one before, until all replicas know the new one.
func (k *Keyring) CallSecret() string { return k.held.Load().call.told(k.now()) }

// IsCallSecret reports whether a text is the call secret, or the one before less
// than an hour after it was renewed. It compares in constant time.
func (k *Keyring) IsCallSecret(text string) bool { return k.held.Load().call.accepts(text, k.now()) }

// RotateCallSecret renews the call secret and no key. It returns until when the one
// before is accepted. A *Refusal says that it was renewed less than five minutes
// ago.
func (k *Keyring) RotateCallSecret(ctx context.Context) (until time.Time, err error) {
	set, err := k.change(ctx, func(s *keySet) (*keySet, error) { return s.withCallSecretRenewed(k.entropy, k.now()) })
	if err != nil {
		return time.Time{}, fmt.Errorf("renew the call secret: %w", err)
	}
	k.log.InfoContext(ctx, "break-glass call secret renewed", "previous_until", set.call.until)
	return set.call.until, nil
}
