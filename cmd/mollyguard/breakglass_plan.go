package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// maxPlanTargetBytes caps the names of refused targets in the grant's token: of its 4 KiB
// (breakglass.MaxToken) 2.8 KiB are claims, half of which are for the reason and names.
const maxPlanTargetBytes = 1400

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
	p.Scope = planScope(r, caller.Audience)
	p.Approvals = r.Decision.Approvals
	p.Decision = r.Decision.IDs[0] // there is one of what was refused
	p.Receipt, err = compactReceipt(r)
	return err
}

// compactReceipt is a receipt as it is sent, or nothing if it is longer than any that a
// server takes: one that wants to see it says so.
func compactReceipt(r receipt.Receipt) ([]byte, error) {
	text, err := receipt.Encode(r)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, fmt.Errorf("send the receipt: %w", err)
	}
	if b.Len() > breakglass.MaxReceipt {
		return nil, nil
	}
	return b.Bytes(), nil
}

// planScope is what a grant has to open so that the plan of a receipt may be applied: what
// is refused, and what another grant lifted, since a plan is applied by one.
func planScope(r receipt.Receipt, audience string) breakglass.Scope {
	return breakglass.Scope{
		Surface: operation.Terraform, Audience: audience, Verbs: r.Decision.Verbs,
		Objects: r.Decision.Denied + r.Decision.Lifted, Whole: r.Decision.Whole,
		Targets: append([]operation.Reference{operation.PlanReference(r.Plan.Digest)}, planTargets(r.Decision)...),
	}
}

// planTargets are the targets of refused operations, if they are few enough to be named
// one by one; else none.
func planTargets(d receipt.Decision) []operation.Reference {
	if d.Denied+d.Lifted > breakglass.MaxNamed {
		return nil
	}
	var targets []operation.Reference
	size := 0
	for _, ref := range refusedNames(d) {
		targets = append(targets, breakglass.PlanTarget(ref))
		size += len(ref)
	}
	if size > maxPlanTargetBytes {
		return nil
	}
	return targets
}

// refusedNames are the canonical names in a decision, each once, and without the plan.
func refusedNames(d receipt.Decision) []string {
	var names []string
	for _, target := range d.Targets {
		if _, whole := operation.ParsePlanRef(target.Ref); !whole && !slices.Contains(names, target.Ref) {
			names = append(names, target.Ref)
		}
	}
	return names
}

// planned says in a few words what a grant for a plan opens. Objects have their canonical
// names: what else they are called is in no plan.
func planned(s breakglass.Scope) string {
	text := describe(s.Targets[0]) + ": " + verbs(s.Verbs)
	switch {
	case len(s.Targets) > 1:
		for i, target := range s.Targets[1:] {
			if i > 0 {
				text += ","
			}
			text += " " + shown(target.Ref)
		}
	case s.Whole && s.Objects == 1:
		return text + " of the plan as a whole"
	default:
		text += " of " + refusedOperations(s.Objects)
	}
	if s.Whole {
		text += ", and the plan as a whole"
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
func opensPlan(l *lines, s breakglass.Scope, asked *breakglass.Request) {
	digest, _ := operation.ParsePlanRef(s.Targets[0].Ref)
	l.add("plan", "sha256:%s", digest)
	l.add("plan", "this one as it was checked, applied once; one that is made again is another")
	l.add("verb", "%s", verbs(s.Verbs))
	for _, target := range s.Targets[1:] {
		l.add("targets", "%s", shown(target.Ref))
	}
	var facts breakglass.PlanFacts
	if asked != nil && asked.Plan != nil {
		facts = *asked.Plan
	}
	switch {
	case len(s.Targets) > 1:
	case s.Whole && s.Objects == 1:
		l.add("targets", "nothing that is refused by itself")
	default:
		l.add("targets", "%s: the receipt, and what plan check told, say which", refusedOperations(s.Objects))
		for _, name := range facts.Names {
			l.add("targets", "among them %s", shown(name))
		}
	}
	if s.Whole {
		l.add("targets", "the plan as a whole: a policy refuses how much it removes, or how it was made")
	}
	l.add("removes", "%s", removes(facts))
	if asked != nil {
		l.add("receipt", "%s", vouched(facts))
	}
}

// removes says how much of the state a plan removes, if that is known.
func removes(f breakglass.PlanFacts) string {
	if f.Managed <= 0 || f.Destroys < 0 {
		return ""
	}
	head := tfplan.Head{Destroys: f.Destroys, Managed: f.Managed}
	return fmt.Sprintf("%d of %d resources (%d %%)", f.Destroys, f.Managed, head.Share())
}

// vouched says whose word it is what a plan does.
func vouched(f breakglass.PlanFacts) string {
	if f.Key != "" {
		return "signed with key " + shown(f.Key) + ", and this is what it says"
	}
	return "not signed: all but the digest is what the requester says; compare it with what plan check told"
}

// attemptID names one attempt to apply the plan of a receipt, for the use of a grant: after
// the decision that it rests on, a text that no other attempt has. Two attempts with one
// receipt are two uses, of which one is refused.
func attemptID(r receipt.Receipt) string { return r.Decision.IDs[0] + "/" + rand.Text() }

// isPlan reports whether a scope is of a Terraform plan.
func isPlan(s breakglass.Scope) bool {
	return s.Surface == operation.Terraform && len(s.Targets) > 0
}
