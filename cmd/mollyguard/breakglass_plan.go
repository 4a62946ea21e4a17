package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

const (
	// maxPlanTargets is how many refused targets of a plan a request names. Of more, no
	// approver reads each: they approve the plan, and how much of it is refused.
	maxPlanTargets = 12
	// maxPlanTargetBytes caps what they take in the grant's token: of its 4 KiB
	// (breakglass.MaxToken) 2.8 KiB are claims, half of which are for the reason and names.
	maxPlanTargetBytes = 1400
)

// receiptHint is for who has no receipt that a grant could be asked for with.
const receiptHint = "mollyguard plan check writes it, of the plan that is to be applied"

// receipt reads the receipt of a plan that somebody asks leave for. It says why there is
// nothing to ask for.
func (o requestOptions) receipt(c console, args []string) (receipt.Receipt, error) {
	for _, other := range []struct {
		name  string
		given bool
	}{{"VERB TARGET", len(args) > 0}, {"--for", o.command != ""}, {"--objects", o.objects != 0}, {"--namespace", o.namespace != ""}} {
		if other.given {
			return receipt.Receipt{}, usageError("", "--plan says what is asked for: leave %s out", other.name)
		}
	}
	r, err := readReceipt(c.streams, o.plan)
	if err != nil {
		return r, usageError(receiptHint, "--plan: %s: %w", shown(o.plan), err)
	}
	switch d := r.Decision; {
	case d.Outcome == operation.OutcomeUndecided:
		return r, usageError("check it again, and see why", "--plan: the plan could not be judged as a whole, which no grant makes up for")
	case d.Never:
		return r, &exitError{code: exitDenied, err: errors.New("--plan: a policy refuses the plan that lets nobody through"), hint: "plan check names it"}
	case d.Denied == 0:
		return r, usageError("apply it", "--plan: nothing of the plan is refused: there is nothing to ask for")
	case !c.now().Before(r.Expires):
		return r, usageError("plan and check again", "--plan: the receipt was good until %s: nothing can be applied with it", c.at(r.Expires))
	}
	return r, nil
}

func readReceipt(s streams, name string) (r receipt.Receipt, err error) {
	if name == "-" {
		return receipt.Decode(s.in)
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return r, errors.Unwrap(err) // the name is said already
	case !info.Mode().IsRegular(): // opening a pipe could block for ever
		return r, errors.New("not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return receipt.Decode(io.Reader(f))
}

// fromPlan fills in the scope from the receipt of a plan that was refused.
func fromPlan(ctx context.Context, desk connection, r receipt.Receipt, p *breakglass.Proposal) error {
	if desk.server == nil {
		return usageError("say --server URL", "grants for Terraform plans are with a server that has a ledger, not in a cluster")
	}
	caller, err := desk.server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	plan := operation.PlanReference(r.Plan.Digest)
	p.Scope = breakglass.Scope{
		Surface: operation.Terraform, Audience: caller.Audience, Verbs: r.Decision.Verbs, Objects: r.Decision.Denied,
		Targets: append([]operation.Reference{plan}, planTargets(plan, r.Decision)...),
	}
	p.Approvals = r.Decision.Approvals
	if len(r.Decision.IDs) > 0 {
		p.Decision = r.Decision.IDs[0]
	}
	return nil
}

// planTargets are the targets of refused operations, if they are few enough to be named
// one by one; else none.
func planTargets(plan operation.Reference, d receipt.Decision) []operation.Reference {
	if d.Denied > maxPlanTargets || len(d.Targets) == 0 {
		return nil
	}
	var targets []operation.Reference
	for _, target := range d.Targets[:min(d.Denied, len(d.Targets))] { // those come first
		if target.Ref != plan.Ref && !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	text, err := json.Marshal(targets)
	if err != nil || len(text) > maxPlanTargetBytes {
		return nil
	}
	return targets
}

// planned says in a few words what a grant for a plan opens.
func planned(s breakglass.Scope, name func(operation.Reference) string) string {
	text := describe(s.Targets[0]) + ": " + verbs(s.Verbs)
	if len(s.Targets) == 1 {
		return text + " of " + refusedOperations(s.Objects)
	}
	for i, target := range s.Targets[1:] {
		if i > 0 {
			text += ","
		}
		text += " " + name(target)
	}
	return text
}

// refusedOperations counts what policies refuse of a plan.
func refusedOperations(n int) string {
	if n == 1 {
		return "the one operation that is refused"
	}
	return fmt.Sprintf("all %d operations that are refused", n)
}

// opensPlan says what a grant for a plan opens, in full: what whoever approves has to
// compare with what they looked at.
func opensPlan(l *lines, s breakglass.Scope) {
	digest, _ := operation.ParsePlanRef(s.Targets[0].Ref)
	l.add("plan", "sha256:%s", digest)
	l.add("plan", "this one as it was checked, applied once; one that is made again is another")
	l.add("verb", "%s", verbs(s.Verbs))
	for _, target := range s.Targets[1:] {
		l.add("targets", "%s", shown(target.Ref))
	}
	if len(s.Targets) == 1 {
		l.add("targets", "%s: the receipt, and what plan check told, say which", refusedOperations(s.Objects))
	}
}

// isPlan reports whether a scope is of a Terraform plan.
func isPlan(s breakglass.Scope) bool {
	return s.Surface == operation.Terraform && len(s.Targets) > 0
}
