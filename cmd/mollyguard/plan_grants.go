package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// planGrants lifts denials of one plan by the grant that a token carries. It is a
// guard.BreakGlass for one goroutine.
//
// It uses nothing up: the one use of the grant is taken when the plan is verified, right
// before apply.
type planGrants struct {
	token    operation.Secret
	verifier *breakglass.Verifier
	audience string
	now      func() time.Time
	// plan is the one at hand.
	plan operation.Reference
	// lifted counts the operations that it has lifted.
	lifted int
	// elsewhere says what the token is for, if that is another place; else it is empty.
	elsewhere string
}

// grants reads the token, if there is one.
func (o planFlags) grants(ctx context.Context, c config.Configuration, con console) (*planGrants, error) {
	token, err := o.token()
	if err != nil || token.Reveal() == "" {
		return nil, err
	}
	if len(c.BreakGlass.Trust) == 0 {
		return nil, usageError("breakGlass.trust in the configuration names the servers whose tokens are good",
			"there is a token, and nobody is trusted to issue one")
	}
	verifier, err := breakglass.NewVerifier(ctx, breakglass.VerifierOptions{Trusted: trustedIssuers(c), Now: con.now})
	if err != nil {
		return nil, err
	}
	return &planGrants{token: token, verifier: verifier, audience: c.Terraform.Audience, now: con.now}, nil
}

func (o planFlags) token() (operation.Secret, error) {
	if o.tokenFile != "" {
		return readSecretFile(o.tokenFile, breakglass.MaxToken)
	}
	text := os.Getenv(planTokenVariable)
	if len(text) > breakglass.MaxToken {
		return operation.Secret{}, usageError("", "the token in $%s is longer than %d bytes", planTokenVariable, breakglass.MaxToken)
	}
	return operation.NewSecret(text), nil
}

// grant is what the token carries, or a *breakglass.Refusal.
func (g *planGrants) grant(ctx context.Context) (breakglass.Grant, error) {
	grant, err := g.verifier.Verify(ctx, g.token, g.now())
	if err == nil && grant.Scope.Audience != g.audience {
		g.elsewhere = fmt.Sprintf("it is for %s, and terraform.audience is %s", operation.Printable(grant.Scope.Audience), g.audience)
		err = &breakglass.Refusal{Reason: g.elsewhere}
	}
	return grant, err
}

// Find implements guard.BreakGlass.
func (g *planGrants) Find(ctx context.Context, op *operation.Operation, _ operation.Severity) (breakglass.Finding, error) {
	grant, err := g.grant(ctx)
	if err == nil {
		needs := breakglass.PlanNeeds{Plan: g.plan, Denied: g.lifted + 1, Verbs: op.Verbs()}
		if needs.Whole = op.Target.Ref == g.plan.Ref; !needs.Whole {
			needs.Targets = []string{op.Target.Ref}
		}
		err = grant.CoversPlan(needs)
	}
	if refusal, ok := errors.AsType[*breakglass.Refusal](err); ok {
		return breakglass.Finding{Refused: []string{"the token: " + refusal.Reason}}, nil
	}
	if err != nil {
		return breakglass.Finding{}, fmt.Errorf("verify the token: %w", err)
	}
	return breakglass.Finding{Passes: []breakglass.Pass{{
		Grant: operation.Grant{ID: grant.ID, Approvals: len(grant.Approvers)},
		Take:  func(context.Context, string) error { g.lifted++; return nil },
	}}}, nil
}
