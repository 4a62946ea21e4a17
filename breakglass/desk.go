package breakglass

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/operation"
)

// DeskOptions says what a Desk is made of. Store, Keys, Rules, Authorizer,
// Recorder, Audience and Entropy are required.
type DeskOptions struct {
	Store      Store
	Keys       Keys
	Rules      Rules
	Authorizer Authorizer
	Recorder   Recorder
	People     People
	// Audience is the cluster or project of this desk, for what is asked here.
	Audience string
	// ApprovalWindow is how long a request waits for approvals; zero means an hour.
	ApprovalWindow time.Duration
	// DefaultDuration is how long a grant can be used if the request does not say;
	// zero means 30 minutes. MaxDuration is the most that can be asked for; zero
	// means four hours.
	DefaultDuration, MaxDuration time.Duration
	// BindCertificates makes a grant good only with the client certificate that it
	// was asked for with. Ids of short-lived tokens are recorded, not bound: they
	// change while somebody waits for an approval.
	BindCertificates bool
	// ImpersonationCounts lets approvals count that the requester could have given
	// by impersonating the approver.
	ImpersonationCounts bool
	// Assess returns the denying violations of what somebody intends to do; nil
	// means that they cannot be told here.
	Assess func(ctx context.Context, actor operation.Actor, verb operation.Verb, target operation.Reference) ([]operation.Violation, error)
	// Fate says whether an object is gone, for uses whose outcome is not known. Nil,
	// or an error that is ErrNotFound, means that nobody can tell.
	Fate func(ctx context.Context, use Use) (gone bool, err error)

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Entropy makes handles and ids; crypto/rand.Reader, except in tests.
	Entropy io.Reader
	// Log is told what could not be recorded; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Desk applies the rules. Several desks, in several processes, may work on one
// store. It may be used concurrently.
type Desk struct {
	store      Store
	keys       Keys
	rules      Rules
	authorizer Authorizer
	recorder   Recorder
	people     People

	audience                                     string
	approvalWindow, defaultDuration, maxDuration time.Duration
	bindCertificates, impersonationCounts        bool
	violations                                   func(context.Context, operation.Actor, operation.Verb, operation.Reference) ([]operation.Violation, error)
	fate                                         func(context.Context, Use) (bool, error)

	now     func() time.Time
	log     *slog.Logger
	metrics metrics

	entropyLock sync.Mutex
	entropy     io.Reader
}

// NewDesk returns a Desk.
func NewDesk(o DeskOptions) (*Desk, error) {
	if o.Store == nil || o.Keys == nil || o.Rules == nil || o.Authorizer == nil || o.Recorder == nil || o.Audience == "" || o.Entropy == nil {
		return nil, errors.New("break glass: Store, Keys, Rules, Authorizer, Recorder, Audience and Entropy are required")
	}
	d := &Desk{
		store: o.Store, keys: o.Keys, rules: o.Rules, authorizer: o.Authorizer, recorder: o.Recorder, people: o.People,
		audience: o.Audience, approvalWindow: o.ApprovalWindow, defaultDuration: o.DefaultDuration, maxDuration: o.MaxDuration,
		bindCertificates: o.BindCertificates, impersonationCounts: o.ImpersonationCounts,
		violations: o.Assess, fate: o.Fate, now: o.Now, log: o.Log, metrics: newMetrics(o.Registerer), entropy: o.Entropy,
	}
	if d.approvalWindow <= 0 {
		d.approvalWindow = time.Hour
	}
	if d.defaultDuration <= 0 {
		d.defaultDuration = 30 * time.Minute
	}
	if d.maxDuration <= 0 {
		d.maxDuration = 4 * time.Hour
	}
	if d.fate == nil {
		d.fate = func(context.Context, Use) (bool, error) { return false, ErrNotFound }
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d, nil
}

// View is a case and what it is worth.
type View struct {
	Case
	Standing Standing `json:"standing"`
}

// View returns a case and what it is worth now, or ErrNotFound.
func (d *Desk) View(ctx context.Context, id string) (View, error) {
	c, err := d.store.Case(ctx, id)
	if err != nil {
		return View{}, err
	}
	s, err := d.Weigh(ctx, c, "", d.now())
	return View{c, s}, err
}

// maxListed is how many cases a list shows: weeks of them, at ten a day.
const maxListed = 500

// List returns the newest cases.
func (d *Desk) List(ctx context.Context) ([]View, error) {
	cases, err := d.store.Cases(ctx, maxListed)
	if err != nil {
		return nil, err
	}
	now := d.now()
	views := make([]View, 0, len(cases))
	for _, c := range cases {
		s, err := d.Weigh(ctx, c, "", now)
		if err != nil { // one that cannot be weighed must not hide the others
			s = Standing{State: Void, Why: err.Error()}
		}
		views = append(views, View{c, s})
	}
	return views, nil
}

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
}

// handleAttempts is how often another handle is tried when one is taken already.
const handleAttempts = 5

// Request keeps a request of an authenticated actor. A *Refusal says why it
// cannot be.
func (d *Desk) Request(ctx context.Context, actor operation.Actor, p Proposal) (View, error) {
	now := d.now().UTC().Truncate(time.Second)
	r := Request{
		Created: now, Requester: actor, Subject: p.Subject, Scope: p.Scope, Reason: p.Reason, Ticket: p.Ticket,
		Duration: p.Duration, NotBefore: p.NotBefore.UTC(), Decision: p.Decision,
	}
	d.complete(&r)
	for range handleAttempts {
		var err error
		if r.ID, err = d.newHandle(); err != nil {
			return View{}, err
		}
		if err := d.CheckRequest(ctx, r); err != nil {
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
		return d.View(ctx, r.ID)
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

// CheckRequest returns a *Refusal if a request may not be made. It changes
// nothing.
func (d *Desk) CheckRequest(ctx context.Context, r Request) error {
	if err := r.Check(); err != nil {
		return &Refusal{err.Error()}
	}
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
		if err := d.NoteVerdict(ctx, c, v); err != nil {
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
	if err != nil {
		return c, err
	}
	if s.State.Ended() {
		return c, &Refusal{fmt.Sprintf("%s is %s: %s", v.Request, s.State, s.Why)}
	}
	if v.Kind == Approve {
		return c, d.checkApproval(ctx, c, v, now)
	}
	own := c.Request != nil && v.By.Name == c.Request.Requester.Name || v.By.Name == c.Subject()
	if own {
		return c, nil
	}
	allowed, why, err := d.authorizer.Allowed(ctx, v.By, RightRevoke)
	if err != nil {
		return c, fmt.Errorf("ask whether %s may revoke: %w", v.By.Name, err)
	}
	if !allowed {
		return c, &Refusal{why}
	}
	return c, nil
}

func (d *Desk) checkApproval(ctx context.Context, c Case, v Verdict, now time.Time) error {
	if c.Request == nil {
		return &Refusal{v.Request + " came as a token from " + c.Grant.Issuer + ": it was approved there"}
	}
	why, err := d.mayApprove(ctx, *c.Request, v, nil, now)
	if err != nil {
		return err
	}
	if why != "" {
		return &Refusal{why}
	}
	return nil
}

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
	stopped := slices.ContainsFunc(c.Verdicts, func(v Verdict) bool { return v.Kind != Approve })
	if c.Request == nil || c.Grant != nil || stopped || d.over(c, now) {
		return c, nil
	}
	r := *c.Request
	approvals, _, err := d.counted(ctx, c, now)
	if err != nil || len(approvals) == 0 {
		return c, err
	}
	answer, err := d.demands(ctx, StageIssue, r, "", true, actorsOf(approvals), now)
	if err != nil {
		return c, err
	}
	needed := max(answer.Approvals, 1)
	if len(answer.Refused) > 0 || len(approvals) < needed {
		return c, nil
	}
	g, err := d.grantOf(r, approvals[:needed])
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

// Token returns a grant in portable form, for its subject alone. A *Refusal says
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
		refusal = &Refusal{fmt.Sprintf("%s is %s: %s", id, v.Standing.State, v.Standing.Why)}
	case v.Grant.Imported():
		refusal = &Refusal{id + " came as a token: present that one"}
	}
	if refusal != nil {
		return operation.Secret{}, d.refusedOn(ctx, actor, v.Case, refusal)
	}
	token, err := d.keys.Sign(ctx, *v.Grant)
	if err != nil {
		return operation.Secret{}, err
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
		if err := d.note(ctx, d.eventOn(Case{Grant: &g}, EventImported, actor, "issued by "+g.Issuer)); err != nil {
			return View{}, err
		}
	}
	return d.View(ctx, g.ID)
}

// CheckToken returns the grant that a token carries if it is good here and the
// actor's, or a *Refusal. It notes refusals.
func (d *Desk) CheckToken(ctx context.Context, actor operation.Actor, token operation.Secret) (Grant, error) {
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
		return Grant{}, d.tokenRefused(ctx, actor, err)
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

// NoteRequest records that a request was made; for one that did not come through
// Request.
func (d *Desk) NoteRequest(ctx context.Context, r Request) error {
	text := r.Reason
	if r.Ticket != "" {
		text += " (" + r.Ticket + ")"
	}
	e := d.eventOn(Case{Request: &r}, EventRequested, r.Requester, text)
	e.Decision = r.Decision
	return d.note(ctx, e)
}

// NoteVerdict records that a verdict was given; for one that did not come through
// Judge.
func (d *Desk) NoteVerdict(ctx context.Context, c Case, v Verdict) error {
	kind := map[VerdictKind]EventKind{Approve: EventApproved, Deny: EventDenied, Revoke: EventRevoked}[v.Kind]
	return d.note(ctx, d.eventOn(c, kind, v.By, v.Reason))
}

// refused notes that somebody was told no, and returns the reason.
func (d *Desk) refused(ctx context.Context, actor operation.Actor, r Request, reason error) error {
	r.ID = ""
	return d.refusedOn(ctx, actor, Case{Request: &r}, reason)
}

func (d *Desk) refusedOn(ctx context.Context, actor operation.Actor, c Case, reason error) error {
	var refusal *Refusal
	if !errors.As(reason, &refusal) {
		return reason
	}
	return errors.Join(reason, d.note(ctx, d.eventOn(c, EventRefused, actor, refusal.Reason)))
}

func (d *Desk) eventOn(c Case, kind EventKind, actor operation.Actor, text string) Event {
	scope := c.Scope()
	return Event{Event: kind, Grant: c.ID(), Actor: actor.Identity, Verbs: scope.Verbs, Targets: scope.Targets, Text: text}
}

// note completes an event and hands it to the recorder.
func (d *Desk) note(ctx context.Context, e Event) error {
	e.Time = d.now().UTC().Truncate(time.Millisecond)
	id, err := d.newID(e.Time)
	if err != nil {
		return err
	}
	e.ID = id
	if e.Verbs == nil {
		e.Verbs = []operation.Verb{}
	}
	if e.Targets == nil {
		e.Targets = []operation.Reference{}
	}
	d.metrics.events.WithLabelValues(string(e.Event)).Inc()
	if err := d.recorder.Note(ctx, e); err != nil {
		return fmt.Errorf("record that %s was %s: %w", e.Grant, e.Event, err)
	}
	return nil
}

func (d *Desk) newID(at time.Time) (string, error) {
	d.entropyLock.Lock()
	defer d.entropyLock.Unlock()
	id, err := ulid.New(ulid.Timestamp(at), d.entropy)
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

func (d *Desk) newHandle() (string, error) {
	d.entropyLock.Lock()
	defer d.entropyLock.Unlock()
	return NewHandle(d.entropy)
}
