package breakglass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Proposal is what somebody asks for; the desk adds the rest.
type Proposal struct {
	// Subject is a machine's name, or empty for the requester.
	Subject string `json:"subject,omitempty"`
	Scope   Scope  `json:"scope"`
	Reason  string `json:"reason"`
	Ticket  string `json:"ticket,omitempty"`
	// Duration is zero for the default.
	Duration  time.Duration `json:"duration,omitempty"`
	NotBefore time.Time     `json:"not_before,omitzero"`
	Decision  string        `json:"decision,omitempty"`
	// Approvals is how many have to approve at least; zero for as many as policies ask.
	Approvals int `json:"approvals,omitzero"`
	// Receipt is that of the Terraform plan that is asked for, in JSON, or empty. It is
	// compared with the rest, and not kept.
	Receipt []byte `json:"-"`
}

// handleAttempts is how often another handle is tried when one is taken already.
const handleAttempts = 5

// Request keeps a request of an authenticated actor. A *Refusal says why it
// cannot be.
func (d *Desk) Request(ctx context.Context, actor operation.Actor, p Proposal) (View, error) {
	now := d.now().UTC().Truncate(time.Second)
	r := Request{
		Created: now, Requester: actor, Subject: p.Subject, Scope: p.Scope, Reason: p.Reason, Ticket: p.Ticket,
		Duration: p.Duration, NotBefore: p.NotBefore.UTC().Truncate(time.Second), Decision: p.Decision,
		Approvals: p.Approvals,
	}
	d.complete(&r)
	for range handleAttempts {
		var err error
		if r.ID, err = d.newHandle(); err != nil {
			return View{}, err
		}
		if _, err := d.store.Case(ctx, r.ID); err == nil {
			continue
		}
		if err := d.CheckRequest(ctx, r); err != nil {
			return View{}, d.refused(ctx, actor, r, err)
		}
		if err := d.checkReceipt(p, &r); err != nil {
			return View{}, d.refused(ctx, actor, r, err)
		}
		err = d.store.CreateRequest(ctx, r)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return View{}, fmt.Errorf("keep the request: %w", err)
		}
		if err := d.NoteRequest(ctx, r); err != nil {
			return View{}, err
		}
		return d.Settle(ctx, r.ID)
	}
	return View{}, errors.New("keep the request: no free handle found")
}

// complete fills in what a request leaves out.
func (d *Desk) complete(r *Request) {
	if r.Subject == "" {
		r.Subject = r.Requester.Name
	}
	if r.Duration == 0 {
		r.Duration = d.defaultDuration
	}
	if r.Scope.Objects == 0 {
		r.Scope.Objects = 1
	}
	if r.Scope.Audience == "" {
		r.Scope.Audience = d.audience
	}
}

// CheckRequest returns a *Refusal if a request may not be made. It keeps nothing,
// but counts towards how often its requester may ask.
func (d *Desk) CheckRequest(ctx context.Context, r Request) error {
	if err := r.Check(); err != nil {
		return &Refusal{err.Error()}
	}
	r.Requester = d.known(r.Requester)
	now := d.now()
	switch {
	case r.Scope.Audience != d.audience:
		return &Refusal{fmt.Sprintf("scope.audience: this is %s, the request is for %s: check that this is the place you mean", d.audience, operation.Printable(r.Scope.Audience))}
	case r.Duration > d.maxDuration:
		return &Refusal{fmt.Sprintf("duration: %v is more than %v, the longest that can be asked for here", r.Duration, d.maxDuration)}
	case r.Requester.Kind == operation.Controller:
		return &Refusal{"the cluster's own machinery needs no grant"}
	case !r.NotBefore.IsZero() && r.NotBefore.After(now.Add(d.maxDuration+d.approvalWindow+24*time.Hour)):
		return &Refusal{"not_before: too far in the future: ask on the day"}
	case r.Subject != r.Requester.Name && !isMachine(r.Subject):
		return &Refusal{fmt.Sprintf("subject: %s is not a service account: people ask for themselves", operation.Printable(r.Subject))}
	}
	allowed, why, err := d.authorizer.Allowed(ctx, r.Requester, RightRequest)
	if err != nil {
		return fmt.Errorf("ask whether %s may request: %w", r.Requester.Name, err)
	}
	if !allowed {
		return &Refusal{why}
	}
	if _, err := d.store.Case(ctx, r.ID); !errors.Is(err, ErrNotFound) {
		if err != nil {
			return fmt.Errorf("look for %s: %w", r.ID, err)
		}
		return &Refusal{r.ID + " is taken"} // by a request, or by a grant that came as a token
	}
	if err := d.checkOpen(ctx, r); err != nil {
		return err
	}
	if !d.pace.allow(now, d.people.person(r.Requester.Name)) {
		return &Refusal{fmt.Sprintf("too many requests of yours: at most %d at once and %d an hour", requestBurst, requestsPerHour)}
	}
	answer, err := d.demands(ctx, StageRequest, r, "", true, nil, now)
	if err != nil {
		return err
	}
	if len(answer.Refused) > 0 {
		return &Refusal{answer.Refused[0]}
	}
	return nil
}

// isMachine reports whether a name is a Kubernetes service account's
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/).
func isMachine(name string) bool { return serviceAccount.MatchString(name) }

// maxOpen is how many requests of one person for one subject may be open at once:
// more than anybody can have looked at, and few enough that a denial, which goes
// through all of them, is quick.
const maxOpen = 20

func (d *Desk) checkOpen(ctx context.Context, r Request) error {
	cases, err := d.store.CasesOf(ctx, r.Subject)
	if err != nil {
		return fmt.Errorf("count open requests: %w", err)
	}
	now, open := d.now(), 0
	for _, c := range cases {
		_, stopped := c.stop()
		if c.Request != nil && c.Request.Requester.Name == r.Requester.Name && !d.over(c, now) && !stopped {
			open++
		}
	}
	if open >= maxOpen {
		return &Refusal{fmt.Sprintf("there are %d open requests of yours for %s: end some with kubectl mollyguard deny", open, operation.Printable(r.Subject))}
	}
	return nil
}
