package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// fateAfter is when a use's outcome can be told: the last repeat was let through
	// RepeatWindow later at most, the API server gives up on any request after a
	// minute (kube-apiserver --request-timeout), and the clocks may be Leeway apart.
	// Nothing that was let through can still be on its way then.
	fateAfter = RepeatWindow + time.Minute + Leeway
	// Retention is how long ended cases are kept where people look at them; the
	// decision log has them for good.
	Retention = 90 * 24 * time.Hour
	// pruneInterval is between two looks for what is older.
	pruneInterval = time.Hour
)

// Sweep brings all cases up to date: it issues what is approved, notes what has
// expired, finds out what became of uses, and removes what is older than
// Retention. A case that has ended is settled once, and not looked at again by
// this desk. One desk at a time should sweep; more do no harm. It goes on after
// an error and returns all of them.
func (d *Desk) Sweep(ctx context.Context) error {
	cases, err := d.store.Cases(ctx, maxListed)
	if err != nil {
		return fmt.Errorf("list cases: %w", err)
	}
	d.sweeping.Lock()
	defer d.sweeping.Unlock()
	var errs []error
	ended := map[string]bool{}
	for _, c := range cases {
		done := d.ended[c.ID()]
		if !done {
			if done, err = d.sweep(ctx, c); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", c.ID(), err))
			}
		}
		if done {
			ended[c.ID()] = true
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	d.ended = ended
	if now := d.now(); now.Sub(d.pruned) >= pruneInterval {
		if _, err := d.store.Prune(ctx, now.Add(-Retention)); err != nil {
			errs = append(errs, fmt.Errorf("remove old cases: %w", err))
		} else {
			d.pruned = now
		}
	}
	return errors.Join(errs...)
}

// sweep settles a case, and says whether there is nothing left to do for it: it
// has ended, and what became of each use is known.
func (d *Desk) sweep(ctx context.Context, c Case) (done bool, err error) {
	var errs []error
	for _, use := range c.Uses {
		if err := d.settleUse(ctx, c, use); err != nil {
			errs = append(errs, err)
		}
	}
	v, err := d.Settle(ctx, c.ID())
	err = errors.Join(append(errs, err)...)
	// A use that is given back brings a used-up grant to life again, and a policy
	// that asks for fewer approvals a request which expired for lack of them.
	open := slices.ContainsFunc(v.Uses, func(u Use) bool { return u.State == Reserved }) ||
		v.Standing.State == Expired && !d.over(v.Case, d.now())
	return err == nil && v.Standing.State.Ended() && !open, err
}

// settleUse finds out what became of a use. Only a deletion or an eviction can be
// told from the object: all others count as done, and so does that of a plan, of which
// nobody here knows how far it got.
func (d *Desk) settleUse(ctx context.Context, c Case, use Use) error {
	if use.State != Reserved || d.now().Sub(use.At) < fateAfter {
		return nil
	}
	gone := true
	_, ofPlan := operation.ParsePlanRef(use.Target.Ref)
	if !ofPlan && (use.Verb == operation.Delete || use.Verb == operation.Evict) {
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
