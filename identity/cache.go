package identity

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// cachedFor is how long a yes is remembered. Somebody who waits for an approval
	// asks every few seconds; with this, that is one question to the API server in
	// ten seconds. It is safe since it remembers who somebody is, not what they may:
	// rights are asked every time. A token that is revoked is good for ten seconds
	// more, as long as in the API server's own cache of service account tokens
	// (k8s.io/apiserver pkg/authentication/token/cache).
	cachedFor = 10 * time.Second
	// maxCached is how many are remembered: at about 1 KiB an actor, 1 MiB.
	maxCached = 1024
)

// Cached remembers for ten seconds whose a token is. It keeps hashes of tokens,
// not tokens, and remembers no refusals: a token may become good, and who tries
// many different ones would only fill it. It may be used concurrently.
type Cached struct {
	next Authenticator
	now  func() time.Time

	lock  sync.Mutex
	known map[[sha256.Size]byte]remembered
}

type remembered struct {
	actor operation.Actor
	until time.Time
}

// NewCached returns an Authenticator that asks next. A nil now means time.Now.
func NewCached(next Authenticator, now func() time.Time) *Cached {
	if now == nil {
		now = time.Now
	}
	return &Cached{next: next, now: now, known: map[[sha256.Size]byte]remembered{}}
}

// Authenticate implements Authenticator.
func (c *Cached) Authenticate(ctx context.Context, bearer operation.Secret) (operation.Actor, error) {
	key := sha256.Sum256([]byte(bearer.Reveal()))
	if actor, ok := c.recall(key); ok {
		return actor, nil
	}
	actor, err := c.next.Authenticate(ctx, bearer)
	if err == nil {
		c.remember(key, actor)
	}
	return actor, err
}

func (c *Cached) recall(key [sha256.Size]byte) (operation.Actor, bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	known, ok := c.known[key]
	if !ok || !c.now().Before(known.until) {
		return operation.Actor{}, false
	}
	return clone(known.actor), true
}

func (c *Cached) remember(key [sha256.Size]byte, actor operation.Actor) {
	c.lock.Lock()
	defer c.lock.Unlock()
	now := c.now()
	if len(c.known) >= maxCached {
		for other, known := range c.known {
			if !now.Before(known.until) {
				delete(c.known, other)
			}
		}
	}
	if len(c.known) < maxCached {
		c.known[key] = remembered{clone(actor), now.Add(cachedFor)}
	}
}

// clone copies what an actor shares with others.
func clone(actor operation.Actor) operation.Actor {
	actor.Groups = slices.Clone(actor.Groups)
	return actor
}
