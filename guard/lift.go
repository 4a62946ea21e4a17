package guard

import (
	"context"
	"errors"
	"fmt"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// lift looks for a grant that lifts a denial, and takes one use of it. A denial
// that no grant lifts says why those that were found do not.
//
// The use is taken before the decision is recorded. If the record then cannot be
// written, the operation is refused, and finds its own use when it is tried again.
func (g *Guard) lift(ctx context.Context, op *operation.Operation, denied operation.Decision) operation.Decision {
	severity, liftable := demanded(denied.Violations)
	if !liftable {
		return denied
	}
	if op.Untrusted != "" {
		denied.GrantRefused = []string{"grants are not considered: " + op.Untrusted}
		return denied
	}
	found, err := g.breakGlass.Find(ctx, op, severity)
	if err != nil {
		g.log.Error("grants not found out", "error", err, "decision", denied.ID)
		denied.GrantRefused = []string{fmt.Sprintf("whether there is a grant could not be found out: %v", err)}
		return denied
	}
	denied.GrantRefused, denied.GrantPending = found.Refused, found.Pending
	for _, pass := range found.Passes {
		lifted, why, err := g.tryPass(ctx, op, denied, pass)
		if err != nil {
			g.log.Error("grant not used", "error", err, "decision", denied.ID, "grant", pass.Grant.ID)
			denied.GrantRefused = append(denied.GrantRefused, fmt.Sprintf("%s could not be used: %v", pass.Grant.ID, err))
			return denied
		}
		if why == "" {
			return lifted
		}
		denied.GrantRefused = append(denied.GrantRefused, pass.Grant.ID+": "+why)
	}
	return denied
}

// tryPass judges the operation again, with the grant, and takes a use of it if it
// lifts what is left. why says why it does not.
func (g *Guard) tryPass(ctx context.Context, op *operation.Operation, denied operation.Decision, pass breakglass.Pass) (lifted operation.Decision, why string, err error) {
	violations, err := g.evaluate(ctx, op, &pass.Grant)
	if err != nil {
		return denied, "", err
	}
	outcome := operation.OutcomeAllow
	for i := range violations {
		v := &violations[i]
		v.Enforcement = g.enforcement.of(v.Policy, op)
		if v.Enforcement != operation.EnforceDeny {
			outcome = stronger(outcome, outcomeOf(v.Enforcement))
			continue
		}
		switch {
		case v.BreakGlass.Never:
			return denied, fmt.Sprintf("nobody gets through policy %s", v.Policy), nil
		case v.BreakGlass.Approvals > pass.Grant.Approvals:
			return denied, fmt.Sprintf("%d of the %d approvals that policy %s asks for", pass.Grant.Approvals, v.BreakGlass.Approvals, v.Policy), nil
		}
	}
	if !op.DryRun && op.Phase != operation.Refused && op.Phase != operation.Failed { // what came to nothing uses nothing up
		var refusal *breakglass.Refusal
		switch err := pass.Take(ctx, denied.ID); {
		case errors.As(err, &refusal):
			return denied, refusal.Reason, nil
		case err != nil:
			return denied, "", err
		}
	}
	lifted = denied
	lifted.Outcome, lifted.Violations, lifted.Grant, lifted.GrantRefused, lifted.GrantPending = outcome, violations, pass.Grant.ID, nil, ""
	return lifted, "", nil
}

// demanded says how bad the worst of the denying violations is, and whether a
// grant could lift all of them.
func demanded(violations []operation.Violation) (severity operation.Severity, liftable bool) {
	worst := -1
	for _, v := range violations {
		if v.Enforcement != operation.EnforceDeny {
			continue
		}
		if v.BreakGlass.Never {
			return "", false
		}
		for rank, name := range v.Severity.Values() { // mildest first
			if name == string(v.Severity) {
				worst = max(worst, rank)
			}
		}
	}
	if worst < 0 {
		return operation.High, true
	}
	return operation.Severity(severity.Values()[worst]), true
}
