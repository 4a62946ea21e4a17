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
	if public, ok := k.others.remembered(id); ok {
		return public, nil
	}
	key, ok, ownErr := k.own(ctx, id)
	if ok {
		return key.public, nil
	}
	public, ok, err := k.others.ask(ctx, id)
	switch {
	case ok:
		return public, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	if err := errors.Join(ownErr, err); err != nil {
		return nil, err
	}
	return nil, nobodysKey()
}

// vouches returns a *Refusal unless a key is an issuer's, and good now.
func (k *Keyring) vouches(ctx context.Context, issuer, id string, now time.Time) error {
	if issuer != k.issuer {
		return k.others.vouches(ctx, issuer, id)
	}
	key, ok, err := k.own(ctx, id)
	switch {
	case err != nil:
		return err
	case ok:
		return key.current(now)
	}
	return notItsKey(issuer)
}

func nobodysKey() error { return &Refusal{"it is signed with a key that nobody trusted here has"} }

func notItsKey(issuer string) error {
	return &Refusal{"it is signed with a key that is not one of its issuer, " + operation.Printable(issuer)}
}
