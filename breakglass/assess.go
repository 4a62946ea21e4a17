package breakglass

import (
	"context"
	"fmt"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// assessment is what operation policies will hold against what is asked for.
type assessment struct {
	// severity is the worst; empty if it cannot be told.
	severity operation.Severity
	// approvals is the most that any of them demands.
	approvals int
	// never says which of them cannot be lifted, in words; empty if all can.
	never string
}

// assess asks the policies about each verb on each target, so that whoever asks
// for what nobody is let through for hears it at once, and not at the refusal.
func (d *Desk) assess(ctx context.Context, r Request) (assessment, error) {
	var a assessment
	if d.violations == nil {
		return a, nil
	}
	actor := r.Requester
	if r.Subject != actor.Name {
		actor = operation.Actor{Identity: operation.Identity{Name: r.Subject, Kind: operation.Service}}
	}
	for _, target := range r.Scope.Targets {
		for _, verb := range r.Scope.Verbs {
			violations, err := d.violations(ctx, actor, verb, target)
			if err != nil {
				return a, fmt.Errorf("ask what the policies hold against it: %w", err)
			}
			for _, v := range violations {
				a.add(v, target)
			}
		}
	}
	return a, nil
}

func (a *assessment) add(v operation.Violation, target operation.Reference) {
	if v.BreakGlass.Never && a.never == "" {
		a.never = fmt.Sprintf("nobody gets through policy %s, which refuses %s: %s", v.Policy, operation.Printable(target.Ref), v.Message)
	}
	a.approvals = max(a.approvals, v.BreakGlass.Approvals)
	ranks := operation.Low.Values() // mildest first
	if slices.Index(ranks, string(v.Severity)) > slices.Index(ranks, string(a.severity)) {
		a.severity = v.Severity
	}
}
