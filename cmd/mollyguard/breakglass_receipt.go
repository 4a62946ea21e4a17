package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// receiptDesk looks at the receipts of the plans that leave is asked for.
type receiptDesk struct {
	// keys are those whose signatures are believed. With one, a receipt is demanded, and
	// signed.
	keys receipt.Keys
}

// look implements breakglass.DeskOptions.Receipt.
func (d receiptDesk) look(p breakglass.Proposal, now time.Time) (*breakglass.PlanFacts, error) {
	if len(p.Receipt) == 0 {
		if len(d.keys) > 0 {
			return nil, receiptRefused("missing: leave for a plan is asked for with the signed receipt of its check")
		}
		return nil, nil
	}
	r, err := receipt.Decode(bytes.NewReader(p.Receipt))
	if err != nil {
		return nil, receiptRefused("%w", err)
	}
	facts := &breakglass.PlanFacts{Destroys: r.Decision.Destroys, Managed: r.Decision.Managed}
	if len(d.keys) > 0 {
		err := r.CheckSignature(d.keys)
		if bad, ok := errors.AsType[*receipt.SignatureError](err); ok {
			return nil, receiptRefused("%s: %s", bad.What, bad.Hint)
		}
		if err != nil {
			return nil, fmt.Errorf("check the receipt's signature: %w", err)
		}
		facts.Key = r.KeyID()
	}
	if err := askable(r, p, now); err != nil {
		return nil, receiptRefused("%w", err)
	}
	if len(p.Scope.Targets) == 1 {
		names := refusedNames(r.Decision)
		facts.Names = names[:min(len(names), breakglass.MaxNamed)]
	}
	return facts, nil
}

// askable is an error unless a receipt is of a plan that a grant can open, and a proposal
// asks for that and nothing else.
func askable(r receipt.Receipt, p breakglass.Proposal, now time.Time) error {
	d, want := r.Decision, planScope(r, p.Scope.Audience)
	switch {
	case d.Outcome != operation.OutcomeDeny || d.Denied == 0:
		return errors.New("the plan was not refused, or could not be judged: there is nothing to ask for")
	case d.Never:
		return errors.New("a policy refuses the plan that lets nobody through")
	case !now.Before(r.Expires):
		return fmt.Errorf("it was good until %s: plan and check again", r.Expires.Format(time.RFC3339))
	case p.Scope.Targets[0] != want.Targets[0]:
		return fmt.Errorf("it is of the plan %s, the request of %s", want.Targets[0].Ref, p.Scope.Targets[0].Ref)
	}
	for _, compared := range []struct {
		what string
		same bool
	}{
		{"verbs", slices.Equal(p.Scope.Verbs, want.Verbs)},
		{"targets", slices.Equal(p.Scope.Targets, want.Targets)},
		{"number of refused operations", p.Scope.Objects == want.Objects},
		{"plan as a whole", p.Scope.Whole == want.Whole},
		{"number of approvals", p.Approvals >= d.Approvals},
	} {
		if !compared.same {
			return fmt.Errorf("the request does not say the same: %s", compared.what)
		}
	}
	return nil
}

func receiptRefused(format string, args ...any) error {
	return &breakglass.Refusal{Reason: "receipt: " + operation.Printable(fmt.Errorf(format, args...).Error())}
}

// publicReceiptKeys are the keys whose signatures of receipts are believed.
func publicReceiptKeys(c config.Configuration) (receipt.Keys, error) {
	keys := receipt.Keys{}
	for i, path := range c.Terraform.Receipts.PublicKeys {
		text, err := readRegular(path, maxPublicKeys)
		if err != nil {
			return nil, fmt.Errorf("terraform.receipts.publicKeys[%d]: %w", i, err)
		}
		more, err := receipt.ReadKeys(text)
		if err != nil {
			return nil, fmt.Errorf("terraform.receipts.publicKeys[%d]: %s: %w", i, shown(path), err)
		}
		for id, key := range more {
			keys[id] = key
		}
	}
	return keys, nil
}
