package ledger

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

var _ breakglass.Store = (*Ledger)(nil)

// The keys in a case's bucket. Each record has one: the bucket is the case.
var (
	keyRequest  = []byte("request")
	keyGrant    = []byte("grant")
	keyStanding = []byte("standing")
	// keyAge holds the age under which the case is in bucketAges; it is no record.
	keyAge = []byte("age")
)

func keyVerdict(kind breakglass.VerdictKind, name string) []byte {
	return fmt.Appendf(nil, "verdict/%s/%s", kind, name) // no kind has a slash
}

func keyUse(slot int) []byte { return fmt.Appendf(nil, "use/%010d", slot) }

// CreateRequest implements breakglass.Store.
func (l *Ledger) CreateRequest(ctx context.Context, r breakglass.Request) error {
	return l.create(ctx, "request", r.ID, keyRequest, record{Request: &r})
}

// CreateVerdict implements breakglass.Store.
func (l *Ledger) CreateVerdict(ctx context.Context, v breakglass.Verdict) error {
	return l.create(ctx, "verdict on", v.Request, keyVerdict(v.Kind, v.By.Name), record{Verdict: &v})
}

// CreateGrant implements breakglass.Store.
func (l *Ledger) CreateGrant(ctx context.Context, g breakglass.Grant) error {
	return l.create(ctx, "grant", g.ID, keyGrant, record{Grant: newGrantRecord(g)})
}

// CreateUse implements breakglass.Store.
func (l *Ledger) CreateUse(ctx context.Context, u breakglass.Use) error {
	return l.create(ctx, fmt.Sprintf("use %d of", u.Slot), u.Grant, keyUse(u.Slot), record{Use: &u})
}

// create keeps a record under a handle unless there is one of that key.
func (l *Ledger) create(ctx context.Context, what, id string, key []byte, r record) error {
	text, err := r.encode()
	if err == nil {
		err = l.update(ctx, func(tx *bbolt.Tx) error {
			c, err := tx.Bucket(bucketCases).CreateBucketIfNotExists([]byte(id))
			if err != nil {
				return err
			}
			if c.Get(key) != nil {
				return breakglass.ErrExists
			}
			if err := c.Put(key, text); err != nil {
				return err
			}
			return index(tx, c, id, r)
		})
	}
	if err != nil {
		return fmt.Errorf("keep %s %s: %w", what, operation.Printable(id), err)
	}
	return nil
}

// SetUseState implements breakglass.Store.
func (l *Ledger) SetUseState(ctx context.Context, grant string, slot int, from, to breakglass.UseState) error {
	err := l.update(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketCases).Bucket([]byte(grant))
		if c == nil {
			return breakglass.ErrNotFound
		}
		text := c.Get(keyUse(slot))
		if text == nil {
			return breakglass.ErrNotFound
		}
		r, err := decodeRecord(text)
		switch {
		case err != nil:
			return err
		case r.Use == nil:
			return errMisplaced
		case r.Use.State != from:
			return breakglass.ErrConflict
		}
		r.Use.State = to
		if text, err = r.encode(); err != nil {
			return err
		}
		return c.Put(keyUse(slot), text)
	})
	if err != nil {
		return fmt.Errorf("set use %d of %s from %s to %s: %w", slot, operation.Printable(grant), from, to, err)
	}
	return nil
}

// SetStanding implements breakglass.Store. It returns breakglass.ErrNotFound for
// a handle without records.
func (l *Ledger) SetStanding(ctx context.Context, id string, s breakglass.Standing) (changed bool, err error) {
	text, err := record{Standing: &s}.encode()
	if err != nil {
		return false, fmt.Errorf("note the standing of %s: %w", operation.Printable(id), err)
	}
	same := false // a sweep notes the same of most cases: that needs no write
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketCases).Bucket([]byte(id))
		if c == nil {
			return breakglass.ErrNotFound
		}
		same = bytes.Equal(c.Get(keyStanding), text)
		return nil
	})
	if err == nil && !same {
		err = l.update(ctx, func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketCases).Bucket([]byte(id))
			if c == nil {
				return breakglass.ErrNotFound
			}
			if changed, err = standingChanges(c, s); err != nil {
				return err
			}
			return c.Put(keyStanding, text)
		})
	}
	if err != nil {
		return false, fmt.Errorf("note the standing of %s: %w", operation.Printable(id), err)
	}
	return changed, nil
}

// standingChanges reports whether a standing is of another state than the one
// that is kept.
func standingChanges(c *bbolt.Bucket, s breakglass.Standing) (bool, error) {
	text := c.Get(keyStanding)
	if text == nil {
		return true, nil
	}
	r, err := decodeRecord(text)
	if err != nil {
		return false, err
	}
	if r.Standing == nil {
		return false, errMisplaced
	}
	return r.Standing.State != s.State, nil
}
