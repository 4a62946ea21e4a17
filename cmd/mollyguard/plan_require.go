package main

import (
	"fmt"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// unpinned are the things that a receipt has to pin by the configuration
// (terraform.receipts.require), and does not.
func unpinned(c config.Configuration, r receipt.Receipt) []receipt.Mismatch {
	var missing []receipt.Mismatch
	for _, what := range c.Terraform.Receipts.Require {
		m := receipt.Mismatch{Want: what}
		switch {
		case what == config.RequireState && !r.State.Known:
			m.Field, m.Hint = receipt.FieldState, "check the plan file, not its JSON: only the file says which state it is for"
		case what == config.RequireFile && r.Plan.Form != receipt.File:
			m.Field, m.Hint = receipt.FieldPlan, "check the plan file, not its JSON: apply takes the file"
		case what == config.RequireGit && (r.Git == nil || r.Git.Base == ""):
			m.Field, m.Hint = receipt.FieldGit, "check the plan in its repository, with git installed and the base branch fetched (--base, terraform.baseBranch)"
		default:
			continue
		}
		m.Sentence = fmt.Sprintf("the receipt does not pin the %s, and terraform.receipts.require asks for it",
			map[string]string{config.RequireState: "state", config.RequireFile: "plan file", config.RequireGit: "commit and the base branch"}[what])
		missing = append(missing, m)
	}
	return missing
}
