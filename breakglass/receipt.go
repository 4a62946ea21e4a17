package breakglass

import (
	"fmt"

	"github.com/mollyguard/mollyguard/operation"
)

// PlanFacts are what the receipt of a Terraform plan says of it, for who approves.
type PlanFacts struct {
	// Destroys is how many of the Managed resources the plan removes; Managed is 0 where
	// that is not known.
	Destroys int `json:"destroys"`
	Managed  int `json:"managed"`
	// Names are the canonical names of the first things that are refused, MaxNamed at most,
	// where the scope names none.
	Names []string `json:"names,omitempty"`
	// Key is the id of the key that the receipt is signed with, which the desk believes.
	// Without it, all of this is what who asks says.
	Key string `json:"key"`
}

// checkReceipt fills in what the receipt says of a plan. A *Refusal says why the request
// cannot be made with it.
func (d *Desk) checkReceipt(p Proposal, r *Request) error {
	if r.Scope.Surface != operation.Terraform {
		if len(p.Receipt) > 0 {
			return &Refusal{"receipt: only a request for a Terraform plan has one"}
		}
		return nil
	}
	if len(p.Receipt) > MaxReceipt {
		return &Refusal{fmt.Sprintf("receipt: longer than %d bytes", MaxReceipt)}
	}
	if d.receipt != nil {
		p.Scope, p.Approvals = r.Scope, r.Approvals
		var err error
		if r.Plan, err = d.receipt(p, d.now()); err != nil {
			return err
		}
	}
	signed := r.Plan != nil && r.Plan.Key != ""
	if s := r.Scope; !signed && len(s.Targets) == 1 && s.Objects <= MaxNamed && !s.onlyWhole() {
		return &Refusal{fmt.Sprintf("scope.targets: name what the plan may destroy: up to %d refused operations are approved by name", MaxNamed)}
	}
	return nil
}
