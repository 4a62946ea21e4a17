package breakglass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// fateAfter is when a use's outcome can be told: the API server gives up on any
	// request after a minute (kube-apiserver --request-timeout), and nothing that
	// was let through can still be on its way.
	fateAfter = RepeatWindow + 30*time.Second
	// Retention is how long ended cases are kept where people look at them; the
	// decision log has them for good.
	Retention = 90 * 24 * time.Hour
)

// Sweep brings all cases up to date: it issues what is approved, notes what has
// expired, finds out what became of uses, and removes what is older than
// Retention. One desk at a time should; more do no harm. It goes on after an
// error and returns all of them.
func (d *Desk) Sweep(ctx context.Context) error {
	cases, err := d.store.Cases(ctx, maxListed)
	if err != nil {
		return fmt.Errorf("list cases: %w", err)
	}
	var errs []error
	for _, c := range cases {
		if err := d.sweep(ctx, c); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.ID(), err))
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	if _, err := d.store.Prune(ctx, d.now().Add(-Retention)); err != nil {
		errs = append(errs, fmt.Errorf("remove old cases: %w", err))
	}
	return errors.Join(errs...)
}

func (d *Desk) sweep(ctx context.Context, c Case) error {
	var errs []error
	for _, use := range c.Uses {
		if err := d.settleUse(ctx, c, use); err != nil {
			errs = append(errs, err)
		}
	}
	_, err := d.Settle(ctx, c.ID())
	return errors.Join(append(errs, err)...)
}

// settleUse finds out what became of a use. Only a deletion or an eviction can be
// told from the object: all others count as done.
func (d *Desk) settleUse(ctx context.Context, c Case, use Use) error {
	if use.State != Reserved || d.now().Sub(use.At) < fateAfter {
		return nil
	}
	gone := true
	if use.Verb == operation.Delete || use.Verb == operation.Evict {
		var err error
		gone, err = d.fate(ctx, use)
		switch {
		case errors.Is(err, ErrNotFound): // nobody can tell
			gone = true
		case err != nil:
			return fmt.Errorf("find out what became of %s: %w", use.Target.Ref, err)
		}
	}
	to, kind, text := Confirmed, EventConfirmed, "done"
	if !gone {
		to, kind, text = Released, EventReleased, "the object is still there: somebody else refused"
	}
	err := d.store.SetUseState(ctx, use.Grant, use.Slot, Reserved, to)
	if errors.Is(err, ErrConflict) { // another desk was quicker
		return nil
	}
	if err != nil {
		return fmt.Errorf("note what became of use %d: %w", use.Slot, err)
	}
	return d.note(ctx, Event{
		Event: kind, Grant: use.Grant, Actor: operation.Identity{Name: use.Actor}, Verbs: []operation.Verb{use.Verb},
		Targets: []operation.Reference{use.Target}, Decision: use.Decision, Text: text,
	})
}
