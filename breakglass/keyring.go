package breakglass

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// DefaultOverlap is how long a key's signatures are good after the next one took
	// over: as long as any grant can live. With the longest times that can be
	// configured (24 h to approve, 24 h to use), one can be asked for 72 h before it
	// begins (24 h and both of them) and be good for 24 h; 30 s for the clocks and a
	// minute until all replicas know make 96 h 2 min, rounded up to five days.
	DefaultOverlap = 5 * 24 * time.Hour

	// pollInterval is between two looks of Run at the store and the other issuers.
	pollInterval = time.Minute
	// lookAgainAfter is the least time between two looks at the store because
	// somebody named a key that is not known: a key of a replica that rotated is
	// found, and a made-up one costs 12 reads a minute at most.
	lookAgainAfter = 5 * time.Second
	// storeTimeout bounds each call to the store: somebody may be waiting for it. The
	// API server waits 10 s for a webhook by default, which is enough for a look of
	// Run's that is under way, and another.
	storeTimeout = 3 * time.Second
	// keyAttempts is how often a change of the key set starts over because somebody
	// else was quicker: with n replicas, each round has a winner.
	keyAttempts = 5
)

// KeyringOptions says what a Keyring is made of. Issuer and Store are required.
type KeyringOptions struct {
	// Issuer is the name to sign with; it tells other clusters whose keys to use.
	Issuer string
	Store  KeyStore
	// Trusted are the other issuers whose tokens are good here.
	Trusted []TrustedIssuer
	// Overlap is how long a key's signatures are good after the next one took over;
	// zero means DefaultOverlap. It counts at the rotation, and does not change later:
	// whoever rotates because a key was stolen chooses a second.
	Overlap time.Duration
	// HTTPClient fetches key sets of other issuers; nil means one with a timeout and
	// without surprises. Its redirects are followed only on the same host.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Entropy makes keys; nil means crypto/rand.Reader.
	Entropy io.Reader
	// Log is told of changes and of what could not be read; nil discards. It never
	// sees a key.
	Log *slog.Logger
}

// Keyring implements Keys with Ed25519 keys that replicas share through a
// KeyStore, and with the public keys of other issuers. It may be used
// concurrently.
type Keyring struct {
	issuer  string
	store   KeyStore
	others  trustedIssuers
	overlap time.Duration
	now     func() time.Time
	log     *slog.Logger

	held atomic.Pointer[keySet]

	// lock is for one look at the store at a time, and guards the rest. It is a
	// semaphore so that who waits for it can give up.
	lock    *semaphore.Weighted
	entropy io.Reader
	looked  time.Time // when the store was last asked for a key that was not known
	lookErr error     // and what came of it
}

// NewKeyring loads the key set, or makes the first one if there is none: of
// several processes that do so at once, one does, and the others load what it
// made. All that is wrong with the options is told at once.
func NewKeyring(ctx context.Context, o KeyringOptions) (*Keyring, error) {
	k := &Keyring{issuer: o.Issuer, store: o.Store, overlap: o.Overlap, now: o.Now, log: o.Log, lock: semaphore.NewWeighted(1), entropy: o.Entropy}
	if k.overlap == 0 {
		k.overlap = DefaultOverlap
	}
	if k.now == nil {
		k.now = time.Now
	}
	if k.entropy == nil {
		k.entropy = rand.Reader
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	var problems []error
	if o.Issuer == "" {
		problems = append(problems, errors.New("issuer: missing"))
	}
	if err := checkText(o.Issuer, MaxName); err != nil {
		problems = append(problems, fmt.Errorf("issuer: %w", err))
	}
	if o.Store == nil {
		problems = append(problems, errors.New("store: missing"))
	}
	if k.overlap < 0 {
		problems = append(problems, fmt.Errorf("overlap: %v is below zero", k.overlap))
	}
	var err error
	if k.others, err = newIssuers(ctx, o.Trusted, o.Issuer, o.HTTPClient, k.now); err != nil {
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("break-glass keys: %w", err)
	}
	if err := k.start(ctx); err != nil {
		return nil, fmt.Errorf("break-glass keys: %w", err)
	}
	return k, nil
}

// start loads the key set, or makes it.
func (k *Keyring) start(ctx context.Context) error {
	if err := k.lock.Acquire(ctx, 1); err != nil {
		return err
	}
	defer k.lock.Release(1)
	for range keyAttempts {
		err := k.load(ctx)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		set, err := newKeySet(k.entropy, k.now())
		if err != nil {
			return err
		}
		err = k.save(ctx, set, "")
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		k.log.InfoContext(ctx, "break-glass key made", "key", set.signing().id)
		return nil
	}
	return errors.New("make the first key: others were always quicker")
}

// load replaces what is held by what is stored; the caller holds the lock.
func (k *Keyring) load(ctx context.Context) error {
	before := k.held.Load()
	loading, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	data, version, err := k.store.Load(loading)
	if errors.Is(err, ErrNotFound) && before != nil {
		return errors.New("the key set is gone from where it is kept")
	}
	if err != nil {
		return err
	}
	if before != nil && before.version == version {
		return nil
	}
	set, err := parseKeySet(data)
	if err != nil {
		return err
	}
	set.version = version
	k.held.Store(set)
	if before == nil || before.signing().id != set.signing().id {
		k.log.InfoContext(ctx, "break-glass key in use", "key", set.signing().id)
	}
	return nil
}

// save stores a set in place of one version, and uses it; the caller holds the
// lock.
func (k *Keyring) save(ctx context.Context, set *keySet, version string) error {
	data, err := set.encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := k.store.Save(ctx, data, version); err != nil {
		return err
	}
	k.held.Store(set)
	return nil
}

// Reload looks at the store, in case another process rotated. If it fails, what
// was held stays in use.
func (k *Keyring) Reload(ctx context.Context) error {
	if err := k.lock.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("break-glass keys: %w", err)
	}
	defer k.lock.Release(1)
	if err := k.load(ctx); err != nil {
		return fmt.Errorf("break-glass keys: %w", err)
	}
	return nil
}

// Run reloads every minute, and keeps the keys of other issuers fresh, until ctx
// ends. Without it all that is found out when somebody names an unknown key.
func (k *Keyring) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := k.Reload(ctx); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "break-glass keys not up to date", "err", err)
		}
		for _, other := range k.others {
			if err := other.refresh(ctx); err != nil && ctx.Err() == nil {
				k.log.WarnContext(ctx, "keys of another issuer not up to date", "issuer", other.issuer, "err", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
	return nil
}

// Rotate makes a new key, which signs from now on, and renews the call secret
// unless that was done less than five minutes ago. The key before signs no more;
// what it signed stays good for the overlap. Two that rotate at once make a key
// each. A *Refusal says that there is no room for another.
func (k *Keyring) Rotate(ctx context.Context) (KeyInfo, error) {
	set, err := k.change(ctx, func(s *keySet) (*keySet, error) { return s.rotated(k.entropy, k.now(), k.overlap) })
	if err != nil {
		return KeyInfo{}, fmt.Errorf("rotate break-glass keys: %w", err)
	}
	k.log.InfoContext(ctx, "break-glass key made", "key", set.signing().id)
	return infoOf(set.signing(), k.now()), nil
}

// change replaces the newest set by what edit makes of it, and returns that. edit
// is called again if somebody else was quicker.
func (k *Keyring) change(ctx context.Context, edit func(*keySet) (*keySet, error)) (*keySet, error) {
	if err := k.lock.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer k.lock.Release(1)
	for range keyAttempts {
		if err := k.load(ctx); err != nil {
			return nil, err
		}
		before := k.held.Load()
		set, err := edit(before)
		if err != nil {
			return nil, err
		}
		err = k.save(ctx, set, before.version)
		if errors.Is(err, ErrConflict) {
			continue
		}
		return set, err
	}
	return nil, errors.New("others were always quicker")
}

// Issuer implements Keys.
func (k *Keyring) Issuer() string { return k.issuer }
