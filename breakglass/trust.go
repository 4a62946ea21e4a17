package breakglass

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxTrusted caps the other issuers: each may have to be asked for an unknown key
	// while somebody waits.
	maxTrusted = 16
	// freshFor is how long an issuer's key set is used without asking again, and so
	// how late a key that was withdrawn there stops being good here.
	freshFor = 10 * time.Minute
	// staleFor is how long the last key set is used while the issuer cannot be asked:
	// a day, so that its outage is not ours.
	staleFor = 24 * time.Hour
	// askAgainAfter is the least time between two attempts, whether the last one
	// failed or just did not have the key: two a minute, whatever people present.
	askAgainAfter = 30 * time.Second
	// fetchTimeout bounds one attempt: somebody may be waiting, and the API server
	// waits 10 s for a webhook by default.
	fetchTimeout = 3 * time.Second
)

// TrustedIssuer is another Mollyguard whose tokens are good here. Its keys come
// from one of File and URL, both a JWK set (RFC 7517); keys that are not Ed25519
// are left out. Both are read again every ten minutes, and for an unknown key.
type TrustedIssuer struct {
	// Issuer is the name that it signs with.
	Issuer string
	// File must be there at start.
	File string
	// URL is https, such as https://mollyguard.example.com/.well-known/jwks.json. It
	// need not answer at start.
	URL string
}

// trustedIssuers are the other issuers, by name.
type trustedIssuers map[string]*issuerKeys

// newIssuers checks the trusted issuers and reads their files. own is the name that they
// must not have, or empty.
func newIssuers(ctx context.Context, trusted []TrustedIssuer, own string, client *http.Client, now func() time.Time) (trustedIssuers, error) {
	var problems []error
	if len(trusted) > maxTrusted {
		problems = append(problems, fmt.Errorf("trusted: %d issuers, at most %d", len(trusted), maxTrusted))
	}
	issuers := trustedIssuers{}
	for i, t := range trusted {
		fetch, err := t.source(client)
		if err == nil && (t.Issuer == own || issuers[t.Issuer] != nil) {
			err = fmt.Errorf("issuer: %q is there already", t.Issuer)
		}
		issuer := &issuerKeys{issuer: t.Issuer, fetch: fetch, now: now}
		if err == nil && t.File != "" {
			err = issuer.ask(ctx)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("trusted[%d]: %w", i, err))
			continue
		}
		issuers[t.Issuer] = issuer
	}
	return issuers, errors.Join(problems...)
}

// remembered returns the key of an id from what is known without asking.
func (i trustedIssuers) remembered(id string) (ed25519.PublicKey, bool) {
	for _, issuer := range i {
		if public, ok := issuer.remembered(id); ok {
			return public, true
		}
	}
	return nil, false
}

// ask asks all of them for the key of an id. An error means that some could not be asked,
// and none of the others has it.
func (i trustedIssuers) ask(ctx context.Context, id string) (ed25519.PublicKey, bool, error) {
	var undecided []error
	for _, issuer := range i {
		if err := ctx.Err(); err != nil { // each of them can take a while
			return nil, false, err
		}
		public, ok, err := issuer.key(ctx, id)
		if ok {
			return public, true, nil
		}
		undecided = append(undecided, err)
	}
	return nil, false, errors.Join(undecided...)
}

// vouches returns a *Refusal unless a key is an issuer's, and good now.
func (i trustedIssuers) vouches(ctx context.Context, issuer, id string) error {
	known := i[issuer]
	if known == nil {
		return &Refusal{fmt.Sprintf("its issuer %q is not trusted here", issuer)}
	}
	if _, ok, err := known.key(ctx, id); ok || err != nil {
		return err
	}
	return notItsKey(issuer)
}

// source returns what gets the issuer's keys.
func (t TrustedIssuer) source(client *http.Client) (fetchKeys, error) {
	if t.Issuer == "" {
		return nil, errors.New("issuer: missing")
	}
	if err := checkText(t.Issuer, MaxName); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	switch {
	case (t.File == "") == (t.URL == ""):
		return nil, errors.New("one of file and url must be given")
	case t.File != "":
		return fileKeys(t.File), nil
	default:
		return urlKeys(t.URL, client)
	}
}

// fetchKeys gets the keys that an issuer publishes, by id.
type fetchKeys func(context.Context) (map[string]ed25519.PublicKey, error)

// issuerKeys are the keys of one issuer, remembered. It may be used concurrently.
type issuerKeys struct {
	issuer string
	fetch  fetchKeys
	now    func() time.Time

	last atomic.Pointer[publishedKeys]

	lock  sync.Mutex // one attempt at a time; it guards the rest
	tried time.Time
	err   error // of the last attempt
}

// publishedKeys is what an issuer published at a moment.
type publishedKeys struct {
	keys map[string]ed25519.PublicKey
	at   time.Time
}

// remembered returns a key from what is known without asking.
func (s *issuerKeys) remembered(id string) (ed25519.PublicKey, bool) {
	last := s.last.Load()
	if last == nil || s.now().Sub(last.at) >= staleFor {
		return nil, false
	}
	public, ok := last.keys[id]
	return public, ok
}

// key returns one of the issuer's keys. The issuer is asked if what is known is not
// fresh, or does not have the key. An error means that it could not be told whether
// the key is the issuer's.
func (s *issuerKeys) key(ctx context.Context, id string) (ed25519.PublicKey, bool, error) {
	public, ok := s.remembered(id)
	if ok && s.fresh() {
		return public, true, nil
	}
	err := s.ask(ctx)
	public, ok = s.remembered(id)
	if !ok && err != nil {
		return nil, false, err
	}
	return public, ok, nil
}

func (s *issuerKeys) fresh() bool {
	last := s.last.Load()
	return last != nil && s.now().Sub(last.at) < freshFor
}

// refresh asks the issuer unless what is known is fresh.
func (s *issuerKeys) refresh(ctx context.Context) error {
	if s.fresh() {
		return nil
	}
	return s.ask(ctx)
}

// ask asks the issuer, or returns what came of the last attempt if that was a
// moment ago. Who has to wait for another's attempt does not make one.
func (s *issuerKeys) ask(ctx context.Context) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if !s.tried.IsZero() && s.now().Sub(s.tried) < askAgainAfter {
		return s.err
	}
	// For all who wait, not only for the one that came first and may leave.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	s.tried = s.now()
	keys, err := s.fetch(ctx)
	if err != nil {
		s.err = fmt.Errorf("keys of issuer %s: %w", s.issuer, err)
		return s.err
	}
	s.err = nil
	s.last.Store(&publishedKeys{keys, s.tried})
	return nil
}
