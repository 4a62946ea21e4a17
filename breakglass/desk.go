package breakglass

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

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
	// KindOf says what kind of actor a name is, where a record says that it is a
	// person's: records may be what their author wrote, and what is configured may
	// have changed. Nil means that records are right.
	KindOf func(name string) operation.ActorKind
	// Assess returns the denying violations of what somebody intends to do; nil
	// means that they cannot be told here.
	Assess func(ctx context.Context, actor operation.Actor, verb operation.Verb, target operation.Reference) ([]operation.Violation, error)
	// Receipt compares a proposal for a Terraform plan with the receipt that came with it,
	// and returns what that says of the plan. A *Refusal says why there can be no request:
	// the receipt is missing or not signed where that is demanded, or it is of something
	// else. Nil means that receipts are not looked at.
	Receipt func(p Proposal, now time.Time) (*PlanFacts, error)
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
	kindOf     func(name string) operation.ActorKind

	audience                                     string
	approvalWindow, defaultDuration, maxDuration time.Duration
	bindCertificates, impersonationCounts        bool
	violations                                   func(context.Context, operation.Actor, operation.Verb, operation.Reference) ([]operation.Violation, error)
	receipt                                      func(Proposal, time.Time) (*PlanFacts, error)
	fate                                         func(context.Context, Use) (bool, error)

	now     func() time.Time
	log     *slog.Logger
	metrics metrics

	entropyLock sync.Mutex
	entropy     io.Reader

	pace     pace
	assessed assessments

	sweeping sync.Mutex
	// ended are the cases that a sweep found nothing left to do for.
	ended map[string]bool
	// pruned is when old cases were removed last.
	pruned time.Time
}

// NewDesk returns a Desk.
func NewDesk(o DeskOptions) (*Desk, error) {
	if o.Store == nil || o.Keys == nil || o.Rules == nil || o.Authorizer == nil || o.Recorder == nil || o.Audience == "" || o.Entropy == nil {
		return nil, errors.New("break glass: Store, Keys, Rules, Authorizer, Recorder, Audience and Entropy are required")
	}
	d := &Desk{
		store: o.Store, keys: o.Keys, rules: o.Rules, authorizer: o.Authorizer, recorder: o.Recorder, people: o.People, kindOf: o.KindOf,
		audience: o.Audience, approvalWindow: o.ApprovalWindow, defaultDuration: o.DefaultDuration, maxDuration: o.MaxDuration,
		bindCertificates: o.BindCertificates, impersonationCounts: o.ImpersonationCounts,
		violations: o.Assess, receipt: o.Receipt, fate: o.Fate, now: o.Now, log: o.Log, metrics: newMetrics(o.Registerer), entropy: o.Entropy,
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
	if d.kindOf == nil {
		d.kindOf = func(string) operation.ActorKind { return operation.Human }
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
