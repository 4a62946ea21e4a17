package breakglass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Judge keeps a verdict of an authenticated actor, and issues the grant if it was
// the last that was missing. A *Refusal says why the verdict cannot be;
// ErrNotFound that there is nothing under that handle.
func (d *Desk) Judge(ctx context.Context, actor operation.Actor, id string, kind VerdictKind, reason string) (View, error) {
	v := Verdict{Request: id, Kind: kind, By: actor, At: d.now().UTC().Truncate(time.Second), Reason: reason, Door: DoorAPI}
	c, err := d.checkVerdict(ctx, v)
	if err != nil {
		return View{}, d.refusedOn(ctx, actor, c, err)
	}
	err = d.store.CreateVerdict(ctx, v)
	if err != nil && !errors.Is(err, ErrExists) { // said before: the answer is the same
		return View{}, fmt.Errorf("keep the verdict: %w", err)
	}
	if err == nil {
		if err := d.noteVerdict(ctx, c, v); err != nil {
			return View{}, err
		}
	}
	return d.Settle(ctx, id)
}

// CheckVerdict returns a *Refusal if a verdict may not be given, or ErrNotFound.
// It changes nothing.
func (d *Desk) CheckVerdict(ctx context.Context, v Verdict) error {
	_, err := d.checkVerdict(ctx, v)
	return err
}

func (d *Desk) checkVerdict(ctx context.Context, v Verdict) (Case, error) {
	if err := v.Check(); err != nil {
		return Case{}, &Refusal{err.Error()}
	}
	c, err := d.store.Case(ctx, v.Request)
	if err != nil {
		return Case{}, err
	}
	now := d.now()
	s, err := d.Weigh(ctx, c, "", now)
	switch {
	case err != nil && v.Kind == Approve: // a no waits for no policy
		return c, err
	case err == nil && s.State.Ended() && (s.State != Used || v.Kind == Approve): // a use may be given back
		return c, &Refusal{v.Request + ": " + s.line()}
	case v.Kind == Approve:
		return c, d.checkApproval(ctx, c, v, now)
	}
	// Who asks may take it back; but a request is nothing to a token of that handle.
	imported := c.Grant != nil && c.Grant.Imported()
	own := c.Request != nil && !imported && v.By.Name == c.Request.Requester.Name || v.By.Name == c.Subject()
	if own {
		return c, nil
	}
	right := RightRevoke
	if v.Kind == Deny { // who may say yes may say no
		right = RightApprove
	}
	allowed, why, err := d.authorizer.Allowed(ctx, v.By, right)
	if err != nil {
		return c, fmt.Errorf("ask whether %s may %s: %w", v.By.Name, v.Kind, err)
	}
	if !allowed {
		return c, &Refusal{why}
	}
	return c, nil
}

func (d *Desk) checkApproval(ctx context.Context, c Case, v Verdict, now time.Time) error {
	if c.Request == nil {
		return &Refusal{v.Request + " came as a token: it was approved where it was issued"}
	}
	v.By = d.known(v.By)
	why, err := d.mayApprove(ctx, *c.Request, v, nil, now)
	if err != nil {
		return err
	}
	if why != "" {
		return &Refusal{why}
	}
	return nil
}
