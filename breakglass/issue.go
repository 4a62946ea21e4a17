package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Settle issues the grant of a case if it is approved, and notes what the case is
// worth. It may be called at any time, by anybody, any number of times.
func (d *Desk) Settle(ctx context.Context, id string) (View, error) {
	c, err := d.store.Case(ctx, id)
	if err != nil {
		return View{}, err
	}
	now := d.now()
	if c, err = d.issue(ctx, c, now); err != nil {
		return View{}, err
	}
	s, err := d.Weigh(ctx, c, "", now)
	if err != nil {
		return View{}, err
	}
	if c.Request == nil && c.Grant == nil { // only presented: there is nothing to note it on
		return View{c, s}, nil
	}
	changed, err := d.store.SetStanding(ctx, id, s)
	if err != nil {
		return View{}, fmt.Errorf("note the standing of %s: %w", id, err)
	}
	if changed && s.State == Expired {
		err = d.note(ctx, d.eventOn(c, EventExpired, operation.Actor{}, s.Why))
	}
	return View{c, s}, err
}

// issue makes the grant of a case if it is approved and has none.
func (d *Desk) issue(ctx context.Context, c Case, now time.Time) (Case, error) {
	if _, stopped := c.stop(); stopped || c.Request == nil || c.Grant != nil || d.over(c, now) {
		return c, nil
	}
	r := *c.Request
	w, err := d.weighApprovals(ctx, c, "", now)
	if err != nil || len(w.refused) > 0 || len(w.approvals) < w.needed {
		return c, err
	}
	g, err := d.grantOf(r, w.approvals[:w.needed])
	if err != nil {
		return c, err
	}
	if g.Seal, err = d.keys.Seal(ctx, g); err != nil {
		return c, fmt.Errorf("seal the grant: %w", err)
	}
	switch err := d.store.CreateGrant(ctx, g); {
	case errors.Is(err, ErrExists): // another replica was quicker
		return d.store.Case(ctx, r.ID)
	case err != nil:
		return c, fmt.Errorf("keep the grant: %w", err)
	}
	c.Grant = &g
	return c, d.note(ctx, Event{
		Event: EventIssued, Grant: g.ID, Actor: r.Requester.Identity, Verbs: g.Scope.Verbs, Targets: g.Scope.Targets,
		Text: fmt.Sprintf("for %s until %s, approved by %s", g.Subject, g.Expires.UTC().Format(time.RFC3339), list(g.Approvers)),
	})
}

// grantOf makes a grant of as many approvals as it takes, so that a later one
// changes neither its times nor its digest.
func (d *Desk) grantOf(r Request, approvals []Verdict) (Grant, error) {
	digest, err := DigestOf(approvals)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{
		ID: r.ID, Issuer: d.keys.Issuer(), Subject: r.Subject, Scope: r.Scope, Reason: r.Reason, Ticket: r.Ticket,
		ApprovalsDigest: digest, NotBefore: r.NotBefore,
	}
	for _, v := range approvals {
		g.Approvers = append(g.Approvers, v.By.Name)
		if v.At.After(g.NotBefore) {
			g.NotBefore = v.At
		}
	}
	slices.Sort(g.Approvers)
	g.Expires = g.NotBefore.Add(r.Duration)
	if d.bindCertificates && r.Subject == r.Requester.Name && isCertificate(r.Requester.Credential) {
		g.Credential = r.Requester.Credential
	}
	return g, nil
}
