package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// uses is how often a grant with this scope can be used.
func (s Scope) uses() int {
	if s.Surface == operation.Terraform {
		return 1
	}
	return s.Objects
}

// checkPlanned returns what is wrong with a target of a scope for a Terraform plan: the
// first is the plan, the others are what it may destroy.
func (s Scope) checkPlanned(i int) error {
	target := s.Targets[i]
	digest, isPlan := operation.ParsePlanRef(target.Ref)
	switch {
	case s.Surface != operation.Terraform: // whose names are checked as such
		return nil
	case i == 0 && (!isPlan || target != operation.PlanReference(digest)):
		return fmt.Errorf("%s is not the canonical name of a Terraform plan: expected plan://sha256:DIGEST", operation.Printable(target.Ref))
	case i > 0 && isPlan:
		return errors.New("a second plan: a grant is for one")
	case i > 0 && target != PlanTarget(target.Ref):
		return fmt.Errorf("%s is not called %s: of what a plan destroys the canonical name counts, name and namespace are as in it, and there is no kind",
			operation.Printable(target.Ref), operation.Printable(strings.TrimSpace(target.Kind+" "+target.Name)))
	}
	return nil
}

// PlanTarget is what a scope for a Terraform plan calls an object that the plan may
// destroy: nothing but what its canonical name says. Kind and name beside it would be
// whatever who asks wrote there. It has no Name if ref is not a canonical name.
func PlanTarget(ref string) operation.Reference {
	target := operation.Reference{Ref: ref}
	scheme, path, ok := strings.Cut(ref, "://")
	if !ok || scheme == "" {
		return target
	}
	if k8s, ok := operation.ParseKubernetesRef(ref); ok {
		target.Namespace, target.Name = k8s.Namespace, k8s.Name
		return target
	}
	if scheme == "terraform" { // an address may have a slash in an index
		state, address, _ := strings.Cut(path, "/")
		if target.Name = address; address == "" { // the state itself
			target.Name = state
		}
		return target
	}
	target.Name = path[strings.LastIndex(path, "/")+1:]
	return target
}

// onlyWhole reports whether a scope is for nothing but the plan as a whole.
func (s Scope) onlyWhole() bool { return s.Whole && len(s.Targets) == 1 && s.Objects == 1 }

// PlanNeeds is what a grant has to cover so that a Terraform plan may be applied: all of
// it that was refused. One with just a Plan needs nothing lifted.
type PlanNeeds struct {
	Plan operation.Reference
	// Denied counts the refused operations, those that could not be judged among them. Verbs
	// are what they do.
	Denied int
	Verbs  []operation.Verb
	// Targets are the canonical names of what they do it to, each once and without the
	// plan itself; MaxTargets at most, which is more than a grant can name.
	Targets []string
	// Whole says that the plan as a whole is refused.
	Whole bool
	// Approvals is the most that a policy asks for. Never says which policy lets nobody
	// through, or is empty.
	Approvals int
	Never     string
}

// Add takes one decision on an operation of the plan into account.
func (n *PlanNeeds) Add(d operation.Decision) {
	if !d.Refused() {
		return
	}
	n.Denied++
	for _, verb := range append([]operation.Verb{d.Verb}, d.Also...) {
		if !slices.Contains(n.Verbs, verb) {
			n.Verbs = append(n.Verbs, verb)
		}
	}
	ref := d.Target.Ref
	if _, whole := operation.ParsePlanRef(ref); whole {
		n.Whole = true
	} else if len(n.Targets) < MaxTargets && !slices.Contains(n.Targets, ref) {
		n.Targets = append(n.Targets, ref)
	}
	for _, v := range d.Violations {
		if v.Enforcement != operation.EnforceDeny {
			continue
		}
		n.Approvals = max(n.Approvals, v.BreakGlass.Approvals)
		if v.BreakGlass.Never && n.Never == "" {
			n.Never = v.Policy
		}
	}
}

// CoversPlan returns a *Refusal unless a grant lifts all that was refused of a plan. The
// plan has to be the very one that the grant names. Where the grant names what the plan
// may destroy, it may be nothing else; where it does not, no more than so many. What is
// held against the plan as a whole is lifted where the grant says so, and by one for a
// single operation and without names that alone.
//
// It looks neither at the audience, nor at times, nor at uses: the first two are for whoever
// verified the token to compare, and the last is for UsePlan.
func (g Grant) CoversPlan(n PlanNeeds) error {
	s := g.Scope
	refuse := func(format string, args ...any) error {
		return &Refusal{g.ID + ": " + fmt.Sprintf(format, args...)}
	}
	switch {
	case s.Surface != operation.Terraform || len(s.Targets) == 0:
		return refuse("it is for %s, not for a Terraform plan", operation.Printable(string(s.Surface)))
	case s.Targets[0].Ref != n.Plan.Ref:
		return refuse("it is for the plan %s, this one is %s: a plan that was made again is another",
			operation.Printable(s.Targets[0].Ref), operation.Printable(n.Plan.Ref))
	case n.Never != "":
		return refuse("nobody gets through policy %s", n.Never)
	case n.Approvals > len(g.Approvers):
		return refuse("%d of the %d approvals that a policy asks for", len(g.Approvers), n.Approvals)
	}
	for _, verb := range n.Verbs {
		if !slices.Contains(s.Verbs, verb) {
			return refuse("it is for %s, not for %s", list(s.Verbs), verb)
		}
	}
	if n.Whole && !s.Whole {
		return refuse("it is not for the plan as a whole, which a policy refuses, too")
	}
	if s.onlyWhole() && len(n.Targets) > 0 {
		return refuse("it is for what a policy holds against the plan as a whole, and not for %s", operation.Printable(n.Targets[0]))
	}
	if len(s.Targets) == 1 {
		if n.Denied > s.Objects {
			return refuse("%d operations of the plan are refused, it is for %d", n.Denied, s.Objects)
		}
		return nil
	}
	for _, ref := range n.Targets {
		if s.named(ref) < 0 {
			return refuse("it does not name %s", operation.Printable(ref))
		}
	}
	return nil
}

// UsePlan takes the one use of a grant for a Terraform plan, from its token: of this desk,
// or of an issuer that it trusts. A *Refusal says why it does not open the plan.
//
// Whoever brings the token need not be its subject: a pipeline applies what a person got
// leave for. They are recorded as who used it. decision is the id of this one attempt to
// apply: whoever is about to apply makes one of their own, fresh for each attempt, which
// may begin with the id of a decision. The same text again from the same actor, within
// RepeatWindow, is a call whose answer was lost, and no second use. Two attempts that send
// the same text would both be let through, so what all attempts know, such as the id in a
// receipt, is not enough.
func (d *Desk) UsePlan(ctx context.Context, actor operation.Actor, token operation.Secret, plan operation.Reference, decision string) (View, error) {
	g, err := d.verifyPlan(ctx, actor, token, plan, decision)
	if err != nil {
		return View{}, d.tokenRefused(ctx, actor, err)
	}
	for range planAttempts {
		c, err := d.planCase(ctx, g)
		if err != nil {
			return View{}, d.refusedOn(ctx, actor, Case{Grant: &g}, err)
		}
		now := d.now()
		s, err := d.Weigh(ctx, c, operation.High, now)
		if err != nil {
			return View{}, err
		}
		switch {
		case s.State == Used && c.Uses[0].repeatsPlan(actor, decision, now):
			return View{c, s}, nil
		case s.State != Active:
			return View{}, d.refusedOn(ctx, actor, c, &Refusal{g.ID + ": " + s.line()})
		}
		use := Use{
			Grant: g.ID, Target: plan, Verb: c.Scope().Verbs[0], Actor: actor.Name,
			At: now.UTC().Truncate(time.Millisecond), State: Reserved, Decision: decision,
		}
		err = d.store.CreateUse(ctx, use)
		if errors.Is(err, ErrExists) { // somebody was quicker, or an attempt of the same call
			continue
		}
		if err != nil {
			return View{}, fmt.Errorf("take the use of %s: %w", g.ID, err)
		}
		return d.planTaken(ctx, c, use, actor)
	}
	return View{}, fmt.Errorf("take the use of %s: it is there and cannot be read", g.ID)
}

// planAttempts is how often a case is read: there is one use, so who finds it taken finds
// it in the next reading.
const planAttempts = 2

// planTaken notes that the use of a plan was taken, and returns the case with it.
func (d *Desk) planTaken(ctx context.Context, c Case, use Use, actor operation.Actor) (View, error) {
	err := d.note(ctx, Event{
		Event: EventUsed, Grant: use.Grant, Actor: actor.Identity, Verbs: c.Scope().Verbs,
		Targets: []operation.Reference{use.Target}, Decision: use.Decision, Text: "the plan may be applied once, by leave for " + c.Subject(),
	})
	if err != nil {
		return View{}, err
	}
	c.Uses = []Use{use}
	s, err := d.Weigh(ctx, c, operation.High, d.now())
	return View{c, s}, err
}

// verifyPlan returns the grant that a token carries, if it is for a plan and good here.
func (d *Desk) verifyPlan(ctx context.Context, actor operation.Actor, token operation.Secret, plan operation.Reference, decision string) (Grant, error) {
	if digest, ok := operation.ParsePlanRef(plan.Ref); !ok || plan != operation.PlanReference(digest) {
		return Grant{}, &Refusal{"plan: " + operation.Printable(plan.Ref) + " is not the canonical name of a Terraform plan: expected plan://sha256:DIGEST"}
	}
	if err := checkText(decision, MaxTicket); err != nil || strings.TrimSpace(decision) == "" {
		return Grant{}, &Refusal{fmt.Sprintf("decision: the id of what the grant is used for is missing, or longer than %d bytes", MaxTicket)}
	}
	g, err := d.keys.Verify(ctx, token, d.now())
	switch {
	case err != nil:
		return Grant{}, err
	case g.Scope.Audience != d.audience:
		return Grant{}, &Refusal{"the token is for " + operation.Printable(g.Scope.Audience) + ", this is " + d.audience}
	case g.Credential != "" && g.Credential != actor.Credential:
		return Grant{}, &Refusal{"it was asked for with another credential"}
	}
	g.Token = token
	return g, g.CoversPlan(PlanNeeds{Plan: plan})
}

// planCase is the case of a grant that came as a token: of our own, the records say more
// than the token does.
func (d *Desk) planCase(ctx context.Context, g Grant) (Case, error) {
	c, err := d.store.Case(ctx, g.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Case{}, fmt.Errorf("look for uses of %s: %w", g.ID, err)
	}
	if g.Issuer != d.keys.Issuer() {
		c.Request, c.Grant = nil, &g
		return c, nil
	}
	if c.Request == nil || c.Grant == nil {
		return Case{}, &Refusal{g.ID + ": its request is not here any more"}
	}
	return c, c.Grant.CoversPlan(PlanNeeds{Plan: g.Scope.Targets[0]})
}

// repeatsPlan reports whether a call is the one that the use was for, come again.
func (u Use) repeatsPlan(actor operation.Actor, decision string, now time.Time) bool {
	return u.Actor == actor.Name && u.Decision == decision && now.Sub(u.At).Abs() <= RepeatWindow
}

// planUsed says what became of the one use of a plan.
func planUsed(use Use) string {
	return fmt.Sprintf("used already at %s for %s", use.At.UTC().Format(time.RFC3339), operation.Printable(use.Decision))
}
