package breakglass

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// own returns one of our keys, retired or not. The store is asked for one that is
// not known, in case another process rotated.
func (k *Keyring) own(ctx context.Context, id string) (ownKey, bool, error) {
	if key, ok := k.held.Load().find(id); ok {
		return key, true, nil
	}
	if err := k.lock.Acquire(ctx, 1); err != nil {
		return ownKey{}, false, fmt.Errorf("look for an unknown break-glass key: %w", err)
	}
	defer k.lock.Release(1)
	if k.looked.IsZero() || k.now().Sub(k.looked) >= lookAgainAfter {
		// For all who wait, not only for the one that came first and may leave.
		k.looked, k.lookErr = k.now(), k.load(context.WithoutCancel(ctx))
	}
	key, ok := k.held.Load().find(id)
	if !ok && k.lookErr != nil {
		return ownKey{}, false, fmt.Errorf("look for an unknown break-glass key: %w", k.lookErr)
	}
	return key, ok, nil
}

// public returns the key of an id, whosever it is: ids are thumbprints, so there is
// one. Whether it is good for what it signed is for vouches to say. An unknown one
// is a *Refusal.
func (k *Keyring) public(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if key, ok := k.held.Load().find(id); ok {
		return key.public, nil
	}
	for _, other := range k.others {
		if public, ok := other.remembered(id); ok {
			return public, nil
		}
	}
	key, ok, err := k.own(ctx, id)
	if ok {
		return key.public, nil
	}
	undecided := []error{err}
	for _, other := range k.others {
		if err := ctx.Err(); err != nil { // each of them can take a while
			return nil, err
		}
		public, ok, err := other.key(ctx, id)
		if ok {
			return public, nil
		}
		undecided = append(undecided, err)
	}
	if err := errors.Join(undecided...); err != nil {
		return nil, err
	}
	return nil, &Refusal{"it is signed with a key that nobody trusted here has"}
}

// vouches returns a *Refusal unless a key is an issuer's, and good now.
func (k *Keyring) vouches(ctx context.Context, issuer, id string, now time.Time) error {
	if issuer == k.issuer {
		key, ok, err := k.own(ctx, id)
		switch {
		case err != nil:
			return err
		case ok:
			return key.current(now)
		}
	} else if other := k.others[issuer]; other != nil {
		_, ok, err := other.key(ctx, id)
		if ok || err != nil {
			return err
		}
	} else {
		return &Refusal{fmt.Sprintf("its issuer %q is not trusted here", issuer)}
	}
	return &Refusal{"it is signed with a key that is not one of its issuer, " + operation.Printable(issuer)}
}
