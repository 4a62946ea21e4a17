package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// compare holds the JSON that somebody gave against what Terraform shows of the plan file:
// of the values that policies look at, the file alone says nothing that can be read here.
// Terraform shows the same file byte for byte the same, so nothing less is the same.
func (o planSource) compare(ctx context.Context, p *openPlan, file *os.File) error {
	tf, err := terraform.Find(terraform.Options{Binary: o.binary, Folder: o.folder})
	if errors.Is(err, terraform.ErrNone) {
		p.notShown = "neither terraform nor tofu is here"
		return nil
	}
	if err != nil {
		return err
	}
	digest, err := shownDigest(ctx, tf, file)
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		first, _, _ := strings.Cut(err.Error(), "\n")
		p.notShown = operation.Printable(first)
	case digest != p.document.Digest():
		return &tfplan.BadPlanError{
			What: "the JSON is not what terraform show -json says of the plan file",
			Hint: "leave --plan-json out, or make it again and change nothing in it: terraform show -json tfplan > tfplan.json",
		}
	default:
		p.shown = true
	}
	return nil
}

// shownDigest is the SHA-256 of what Terraform shows of a plan file that is open.
func shownDigest(ctx context.Context, tf *terraform.Terraform, file *os.File) (digest string, err error) {
	plan, err := scratchOf(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, plan.remove()) }()
	sum := sha256.New()
	if err := tf.ShowPlan(ctx, sum, plan.path, tfplan.MaxJSON); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
