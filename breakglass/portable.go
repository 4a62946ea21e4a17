package breakglass

import (
	"context"
	"errors"
	"fmt"

	"github.com/mollyguard/mollyguard/operation"
)

// Token returns a grant in portable form, for its subject and who asked for it. A *Refusal says
// why there is none.
func (d *Desk) Token(ctx context.Context, actor operation.Actor, id string) (operation.Secret, error) {
	v, err := d.Settle(ctx, id)
	if err != nil {
		return operation.Secret{}, err
	}
	var refusal error
	switch {
	case v.Subject() != actor.Name && (v.Request == nil || v.Request.Requester.Name != actor.Name):
		refusal = &Refusal{id + " is somebody else's"}
	case v.Standing.State != Active && v.Standing.State != Scheduled:
		refusal = &Refusal{id + ": " + v.Standing.line()}
	case v.Grant.Imported():
		refusal = &Refusal{id + " came as a token: present that one"}
	}
	if refusal != nil {
		return operation.Secret{}, d.refusedOn(ctx, actor, v.Case, refusal)
	}
	token, err := d.keys.Sign(ctx, *v.Grant)
	if err != nil {
		return operation.Secret{}, d.refusedOn(ctx, actor, v.Case, err)
	}
	return token, d.note(ctx, d.eventOn(v.Case, EventTokenIssued, actor, "signed by "+d.keys.Issuer()))
}

// Import keeps a grant that another issuer made, from its token. A *Refusal says
// why it is not taken.
func (d *Desk) Import(ctx context.Context, actor operation.Actor, token operation.Secret) (View, error) {
	g, err := d.CheckToken(ctx, actor, token)
	if err != nil {
		return View{}, err
	}
	g.Token = token
	switch err := d.store.CreateGrant(ctx, g); {
	case errors.Is(err, ErrExists):
	case err != nil:
		return View{}, fmt.Errorf("keep the grant: %w", err)
	default:
		if err := d.NoteImport(ctx, actor, g); err != nil {
			return View{}, err
		}
	}
	return d.View(ctx, g.ID)
}

// CheckToken returns the grant that a token carries if it is good here and the
// actor's, or a *Refusal. It notes refusals.
func (d *Desk) CheckToken(ctx context.Context, actor operation.Actor, token operation.Secret) (Grant, error) {
	g, err := d.VerifyToken(ctx, actor, token)
	if err != nil {
		return Grant{}, d.tokenRefused(ctx, actor, err)
	}
	return g, nil
}

// VerifyToken is CheckToken without a trace.
func (d *Desk) VerifyToken(ctx context.Context, actor operation.Actor, token operation.Secret) (Grant, error) {
	now := d.now()
	g, err := d.keys.Verify(ctx, token, now)
	switch {
	case err != nil:
	case g.Scope.Audience != d.audience:
		err = &Refusal{"the token is for " + operation.Printable(g.Scope.Audience) + ", this is " + d.audience}
	case g.Subject != actor.Name:
		err = &Refusal{"the token is somebody else's"}
	}
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// tokenRefused notes why a token was not taken, and returns the reason.
func (d *Desk) tokenRefused(ctx context.Context, actor operation.Actor, reason error) error {
	var refusal *Refusal
	if !errors.As(reason, &refusal) {
		return reason
	}
	return errors.Join(reason, d.note(ctx, Event{Event: EventTokenRefused, Actor: actor.Identity, Text: refusal.Reason}))
}
