package breakglass

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

var serviceAccount = regexp.MustCompile(`^system:serviceaccount:[^:]+:[^:]+$`)

// isCertificate reports whether a credential id is a client certificate's digest
// (KEP-4193; k8s.io/apiserver pkg/authentication/request/x509).
func isCertificate(credential string) bool { return strings.HasPrefix(credential, "X509SHA256=") }

// Pass is a grant that covers an operation now.
type Pass struct {
	Grant operation.Grant
	// Take takes one use of it. A *Refusal says that nothing is left. After an
	// error it may have been taken: the same operation, tried again within
	// RepeatWindow, finds its own use.
	Take func(ctx context.Context, decision string) error
}

// Finding is what Find found.
type Finding struct {
	// Passes are the grants that cover the operation, those with most approvals
	// first.
	Passes []Pass
	// Refused says of each other grant that was presented, or is for this very
	// object, why it does not cover the operation.
	Refused []string
	// Pending is the handle of a request for the operation that waits for an
	// approval, or empty.
	Pending string
}

// maxRefused is how many reasons are told: the newest say most.
const maxRefused = 5

// tidy leaves out what would bury the rest.
func (f *Finding) tidy() {
	if more := len(f.Refused) - maxRefused; more > 0 {
		f.Refused = append(f.Refused[more:], fmt.Sprintf("and %d more: kubectl mollyguard list --all", more))
	}
}

// Find looks for grants that cover an operation: those in the store for its actor,
// and those presented with it. severity is of the worst violation to be lifted.
// It uses nothing up. An error means that it could not be told.
func (d *Desk) Find(ctx context.Context, op *operation.Operation, severity operation.Severity) (Finding, error) {
	cases, err := d.casesOf(ctx, op)
	if err != nil {
		return Finding{}, fmt.Errorf("look for grants: %w", err)
	}
	now := d.timeOf(op)
	var found Finding
	var undecided []error
	for _, c := range cases {
		if err := d.consider(ctx, &found, c.asOf(op), op, severity, now); err != nil {
			undecided = append(undecided, fmt.Errorf("weigh %s: %w", c.ID(), err))
		}
	}
	for _, presented := range op.Presented {
		if err := d.considerPresented(ctx, &found, cases, presented, op, severity, now); err != nil {
			undecided = append(undecided, err)
		}
	}
	if len(found.Passes) == 0 && len(undecided) > 0 {
		return Finding{}, errors.Join(undecided...)
	}
	for _, err := range undecided { // none of them keeps another grant from working
		found.Refused = append(found.Refused, err.Error())
	}
	found.tidy()
	slices.SortStableFunc(found.Passes, func(a, b Pass) int { return b.Grant.Approvals - a.Grant.Approvals })
	return found, nil
}

// casesOf are the cases of the operation's actor and, where the surface vouches for
// who acts through it, of those.
func (d *Desk) casesOf(ctx context.Context, op *operation.Operation) ([]Case, error) {
	var all []Case
	for _, name := range actors(op) {
		cases, err := d.store.CasesOf(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, cases...)
	}
	return all, nil
}

// maxDelegation is how many of those who act through an actor are asked about.
const maxDelegation = 8

// actors are the names whose grants are good for an operation.
func actors(op *operation.Operation) []string {
	names := []string{op.Actor.Name}
	for _, name := range op.Origin.Delegation {
		if len(names) <= maxDelegation && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// timeOf is as of when grants are weighed: now, or when the operation happened if
// that is over.
func (d *Desk) timeOf(op *operation.Operation) time.Time {
	now := d.now()
	if op.Phase != operation.Requested && !op.Time.IsZero() && op.Time.Before(now) {
		return op.Time
	}
	return now
}

// asOf is a case as it was when an operation happened that is over: who took it back
// afterwards did not forbid what was done before.
func (c Case) asOf(op *operation.Operation) Case {
	if op.Phase == operation.Requested || op.Time.IsZero() {
		return c
	}
	c.Verdicts = slices.DeleteFunc(slices.Clone(c.Verdicts), func(v Verdict) bool { return v.Kind != Approve && v.At.After(op.Time) })
	return c
}

func (d *Desk) considerPresented(ctx context.Context, found *Finding, own []Case, presented operation.Secret, op *operation.Operation, severity operation.Severity, now time.Time) error {
	text := presented.Reveal()
	if IsHandle(text) {
		if !slices.ContainsFunc(own, func(c Case) bool { return c.ID() == text }) {
			found.Refused = append(found.Refused, text+" is not a grant of this actor")
		}
		return nil
	}
	g, err := d.lookAt(ctx, op, presented)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		found.Refused = append(found.Refused, "the token presented is not good: "+refusal.Reason)
		return nil
	}
	if err != nil { // whoever writes an annotation must not keep other grants from working
		found.Refused = append(found.Refused, fmt.Sprintf("the token presented could not be verified: %v", err))
		return nil
	}
	considered := func(c Case) bool { // of our own, the case says more than the token
		return c.ID() == g.ID && (g.Issuer == d.keys.Issuer() || c.Grant != nil && c.Grant.Token.Equal(presented))
	}
	if slices.ContainsFunc(own, considered) {
		return nil
	}
	c, err := d.store.Case(ctx, g.ID) // its uses, and whether it was revoked here
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("look for uses of %s: %w", g.ID, err)
	}
	if g.Issuer == d.keys.Issuer() { // of our own, the records say more than the token
		if c.Request == nil {
			found.Refused = append(found.Refused, g.ID+": its request is not here any more")
			return nil
		}
		return d.consider(ctx, found, c, op, severity, now)
	}
	g.Token = presented
	c.Request, c.Grant = nil, &g
	return d.consider(ctx, found, c, op, severity, now)
}

// lookAt is CheckToken for a token that came with an operation. A dry run leaves
// no trace.
func (d *Desk) lookAt(ctx context.Context, op *operation.Operation, token operation.Secret) (Grant, error) {
	if op.DryRun {
		return d.VerifyToken(ctx, op.Actor, token)
	}
	return d.CheckToken(ctx, op.Actor, token)
}

// consider adds a case to what was found: as a pass, or with the reason why not.
func (d *Desk) consider(ctx context.Context, found *Finding, c Case, op *operation.Operation, severity operation.Severity, now time.Time) error {
	err := c.Scope().Covers(op)
	if errors.Is(err, errNotItsTarget) {
		return nil
	}
	if err != nil {
		found.Refused = append(found.Refused, c.ID()+": "+err.Error())
		return nil
	}
	if c, err = d.issue(ctx, c, now); err != nil { // the last approval may have come a moment ago
		return err
	}
	c, why, err := d.verified(ctx, c, op)
	if err != nil {
		return err
	}
	var s Standing
	if why == "" {
		if s, why, err = d.opens(ctx, c, op, severity, now); err != nil {
			return err
		}
	}
	if s.State == Pending {
		found.Pending = c.ID()
	}
	if why != "" {
		found.Refused = append(found.Refused, c.ID()+": "+why)
		return nil
	}
	found.Passes = append(found.Passes, Pass{
		Grant: operation.Grant{ID: c.ID(), Approvals: len(s.Approvers)},
		Take:  func(ctx context.Context, decision string) error { return d.take(ctx, *c.Grant, op, decision) },
	})
	return nil
}

// opens weighs a case for an operation, and says why it does not let it through,
// or "".
func (d *Desk) opens(ctx context.Context, c Case, op *operation.Operation, severity operation.Severity, now time.Time) (s Standing, why string, err error) {
	if !slices.Contains(actors(op), c.Subject()) {
		return s, "it is somebody else's", nil
	}
	// What the operation has used already is no use that it lacks.
	c.Uses = slices.DeleteFunc(slices.Clone(c.Uses), func(u Use) bool { return u.repeats(c.Scope(), op, now) })
	if s, err = d.Weigh(ctx, c, severity, now); err != nil {
		return s, "", err
	}
	switch {
	case c.Grant == nil, s.State != Active:
		return s, s.line(), nil
	case c.Scope().Audience != d.audience:
		return s, "it is for " + operation.Printable(c.Scope().Audience), nil
	case c.Grant.Credential != "" && c.Grant.Credential != op.Actor.Credential:
		return s, "it was asked for with another credential of the same user", nil
	}
	return s, "", nil
}

// verified replaces what the store says of an imported grant by what its token
// says: the store's copy may have been forged.
func (d *Desk) verified(ctx context.Context, c Case, op *operation.Operation) (verified Case, why string, err error) {
	if c.Grant == nil || !c.Grant.Imported() {
		return c, "", nil
	}
	g, err := d.lookAt(ctx, op, c.Grant.Token)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return c, refusal.Reason, nil
	}
	if err != nil {
		return c, "", err
	}
	if g.ID != c.Grant.ID {
		return c, "its token is of another grant", nil
	}
	g.Token = c.Grant.Token
	c.Grant, c.Request = &g, nil
	if err := c.Scope().Covers(op); err != nil {
		return c, err.Error(), nil
	}
	return c, "", nil
}

// takeAttempts is how often the next slot is tried when others take slots at the
// same time: more than MaxObjects would never be of use.
const takeAttempts = MaxObjects + 1

// take takes one use of a grant. Stores create a slot atomically, so of all who
// race for the last one, in whatever process, one gets it.
func (d *Desk) take(ctx context.Context, g Grant, op *operation.Operation, decision string) error {
	for range takeAttempts {
		c, err := d.store.Case(ctx, g.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("count uses of %s: %w", g.ID, err)
		}
		c.Grant = &g
		c = c.asOf(op)
		now := d.timeOf(op)
		if v, stopped := c.stop(); stopped {
			return &Refusal{g.ID + ": " + said(v)}
		}
		if g.ended(now) {
			return &Refusal{g.ID + ": " + usableUntil(g)}
		}
		if slices.ContainsFunc(c.Uses, func(u Use) bool { return u.repeats(g.Scope, op, now) }) {
			return nil
		}
		if c.used() >= g.Scope.Objects {
			return &Refusal{g.ID + ": " + usedUp(c)}
		}
		target, verb := g.Scope.used(op)
		use := Use{
			Grant: g.ID, Slot: len(c.Uses), Target: target, Verb: verb, Actor: op.Actor.Name,
			At: now.UTC().Truncate(time.Millisecond), State: Reserved, Decision: decision,
		}
		err = d.store.CreateUse(ctx, use)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return fmt.Errorf("take a use of %s: %w", g.ID, err)
		}
		return d.note(ctx, Event{
			Event: EventUsed, Grant: g.ID, Actor: op.Actor.Identity, Verbs: []operation.Verb{op.Verb},
			Targets: []operation.Reference{op.Target.Reference}, Decision: decision,
			Text: fmt.Sprintf("use %d of %d", c.used()+1, g.Scope.Objects),
		})
	}
	return fmt.Errorf("take a use of %s: others were always quicker", g.ID)
}
