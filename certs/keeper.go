package certs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// DefaultInterval is between two looks at the store: a minute, 60 of them in [DefaultOverlap]. A look is one GET.
	DefaultInterval = time.Minute

	// intervalFraction: a replica must look at the store at least twice in an overlap, so that one look may fail.
	intervalFraction = 2

	// syncTimeout bounds one look, writes and conflicts included: 30 s, half of DefaultInterval.
	syncTimeout = 30 * time.Second

	// maxAttempts bounds how often a look starts over because another replica was faster: 5. With n replicas each round has
	// a winner, and those who lost find nothing left to do.
	maxAttempts = 5
)

// KeeperOptions are for [NewKeeper]. Store and one of DNSNames and IPs must be given.
type KeeperOptions struct {
	// Store holds the state.
	Store Store
	// DNSNames are what the serving certificate is for, such as mollyguard.mollyguard.svc. Order does not matter.
	DNSNames []string
	// IPs are what it is for besides, where clients are given a URL with an address.
	IPs []net.IP

	// CAValidity defaults to DefaultCAValidity.
	CAValidity time.Duration
	// LeafValidity defaults to DefaultLeafValidity.
	LeafValidity time.Duration
	// Overlap is how late clients may learn of a new bundle, by default DefaultOverlap. A new authority is published for so
	// long before it signs, and an old one after it has stopped.
	Overlap time.Duration
	// Interval is between two looks at the store, by default DefaultInterval.
	Interval time.Duration

	// Now is the clock, by default time.Now.
	Now func() time.Time
	// Log is by default silent. It never sees a key.
	Log *slog.Logger
}

// Keeper is a [Source] with a certificate authority of its own, in a [Store] that replicas share. It reacts to levels: each look at
// the store re-establishes the whole state, whoever has changed what.
type Keeper struct {
	serving
	store    Store
	policy   policy
	interval time.Duration
	log      *slog.Logger

	mu   sync.Mutex // one look at a time
	held Bundle     // what is being served, zero before there is something
}

// NewKeeper returns a keeper that has nothing to serve until Sync or Run is called. All that is wrong with the options is told at
// once.
func NewKeeper(o KeeperOptions) (*Keeper, error) {
	p, err := newPolicy(o)
	problems := []error{err}
	if o.Store == nil {
		problems = append(problems, errors.New("store: none is given"))
	}
	interval := orDefault(o.Interval, DefaultInterval)
	if interval <= 0 || interval > p.overlap/intervalFraction {
		problems = append(problems, fmt.Errorf("interval: %s is not between 0 and Overlap/%d, %s", interval, intervalFraction, p.overlap/intervalFraction))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("certificate keeper options: %w", err)
	}
	now, log := clockAndLog(o.Now, o.Log)
	return &Keeper{serving: newServing(now), store: o.Store, policy: p, interval: interval, log: log}, nil
}

func clockAndLog(now func() time.Time, log *slog.Logger) (func() time.Time, *slog.Logger) {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return now, log
}

// Run implements [Source]. It looks at the store at once, and then every Interval.
func (k *Keeper) Run(ctx context.Context) error {
	loop(ctx, k.interval, k.Ready, func(ctx context.Context) {
		if err := k.Sync(ctx); err != nil && ctx.Err() == nil {
			level := slog.LevelWarn
			if k.Ready() != nil {
				level = slog.LevelError
			}
			k.log.Log(ctx, level, "certificates not up to date", "err", err, "not_after", k.NotAfter())
		}
	})
	return nil
}

// Sync looks at the store once, and returns when the certificate is as it should be, stored and in use. Run does it all the time;
// a caller that wants a certificate before it listens calls it first. If it fails, what was in use stays in use.
func (k *Keeper) Sync(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()

	err := k.attempt(ctx)
	for n := 1; n < maxAttempts && errors.Is(err, ErrConflict); n++ {
		err = k.attempt(ctx)
	}
	k.report(err)
	return err
}

// attempt loads, decides, stores, and only then serves.
func (k *Keeper) attempt(ctx context.Context) error {
	now := k.now()
	b, version, repairs, err := k.load(ctx, now)
	if err != nil {
		return err
	}
	want, changes, err := next(b, now, k.policy)
	if err != nil {
		return err
	}
	if len(repairs)+len(changes) == 0 {
		return k.serve(want)
	}
	if err := k.store.Save(ctx, want, version); err != nil {
		if !errors.Is(err, ErrConflict) && len(repairs) == 0 && usable(b, now) {
			return errors.Join(err, k.serve(b)) // all the others serve it
		}
		return err
	}
	k.log.InfoContext(ctx, "certificates changed", "changes", append(repairs, changes...), "not_after", want.Leaf.Certificate.NotAfter)
	return k.serve(want)
}

// load returns the state to go on from. If that is not what is stored, repairs say why.
func (k *Keeper) load(ctx context.Context, now time.Time) (b Bundle, version string, repairs []string, err error) {
	b, version, err = k.store.Load(ctx)
	if _, corrupt := errors.AsType[*CorruptError](err); corrupt {
		k.log.ErrorContext(ctx, "stored certificates are damaged and will be replaced", "err", err)
		if b.IsZero() && usable(k.held, now) {
			return k.held, version, []string{"restored from memory: " + err.Error()}, nil
		}
		return b, version, []string{"repaired: " + err.Error()}, nil
	}
	if err != nil || !b.IsZero() || !usable(k.held, now) {
		return b, version, nil, err
	}
	// Somebody has deleted or emptied what was there. That is how people ask for new keys, and it must not break anything.
	repairs = []string{"restored from memory: the stored certificates were gone"}
	if rotating(k.held) {
		return k.held, version, repairs, nil
	}
	b, err = withNewAuthority(k.held, now, k.policy)
	return b, version, append(repairs, "a new authority was added, as whoever deletes them asks for new keys"), err
}

// usable says that a bundle's leaf can be served now.
func usable(b Bundle, now time.Time) bool {
	return len(b.Authorities) > 0 && b.Leaf.Key.fits(b.Leaf.Certificate) && validAt(b.Leaf.Certificate, now) == nil
}

// serve puts a bundle in use.
func (k *Keeper) serve(b Bundle) error {
	s, err := b.served()
	if err != nil {
		return err
	}
	if k.swap(s) {
		k.log.Info("serving certificate in use", "sha256", fingerprint(b.Leaf.Certificate), "not_after", b.Leaf.Certificate.NotAfter)
	}
	k.held = b
	return nil
}
