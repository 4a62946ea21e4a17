package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/applier"
	"github.com/mollyguard/mollyguard/tfplan/git"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// receiptKeyVariable holds the private key that receipts are signed with, where there is no
// file with it.
const receiptKeyVariable = "MOLLYGUARD_RECEIPT_KEY"

// planSum sums decisions up, for a receipt.
type planSum struct {
	receipt.Decision
	// lifted are the targets and ids of what grants lifted; refused those of the rest.
	refused, lifted sumList
	grants          []string
}

type sumList struct {
	targets []operation.Reference
	ids     []string
}

// maxSum is how many targets and ids a receipt has of each.
const maxSum = 64

func (l *sumList) add(d operation.Decision) {
	if len(l.ids) < maxSum {
		l.ids = append(l.ids, d.ID)
	}
	// The plan as a whole is what a grant is for anyway.
	if d.Target.Kind != operation.PlanKind && len(l.targets) < maxSum && !slices.Contains(l.targets, d.Target) {
		l.targets = append(l.targets, d.Target)
	}
}

// add takes in one decision.
func (s *planSum) add(d operation.Decision) {
	switch {
	case d.Refused():
		s.Denied++
		s.refused.add(d)
	case d.Grant != "":
		s.Lifted++
		s.lifted.add(d)
		if !slices.Contains(s.grants, d.Grant) {
			s.grants = append(s.grants, d.Grant)
		}
	default:
		return
	}
	for _, verb := range append([]operation.Verb{d.Verb}, d.Also...) {
		if !slices.Contains(s.Verbs, verb) {
			s.Verbs = append(s.Verbs, verb)
		}
	}
	for _, v := range d.Violations {
		if v.Enforcement == operation.EnforceDeny {
			s.Approvals = max(s.Approvals, v.BreakGlass.Approvals)
			s.Never = s.Never || v.BreakGlass.Never
		}
	}
}

// decision is the whole sum.
func (s *planSum) decision(worst operation.Outcome) receipt.Decision {
	d := s.Decision
	d.Outcome = worst
	d.Targets = slices.Concat(s.refused.targets, s.lifted.targets)
	d.IDs = slices.Concat(s.refused.ids, s.lifted.ids)
	return d
}

// receipt pins what was decided to the plan and the world that it was made for.
func (r *judgedPlan) receipt(ctx context.Context) (receipt.Receipt, error) {
	made := receipt.Receipt{
		Plan:      planDigests(r.plan),
		Terraform: receipt.Terraform{Version: r.head.TerraformVersion, Workspace: r.workspace, Variables: r.head.Variables},
		Applier:   receiptApplier(r.applier),
		Decision:  r.sum.decision(r.kept.Outcome()),
		Grants:    r.sum.grants, Notes: slices.Clone(r.notes),
	}
	if file := r.plan.file; file != nil {
		made.State = receipt.State{Known: true, Lineage: file.Lineage, Serial: file.Serial}
		made.Terraform.Configuration, made.Terraform.Lock = file.Configuration, file.Lock
	} else {
		made.Notes = append(made.Notes, "the state is not pinned: plan JSON does not say which it was made from, a plan file does")
	}
	repository, err := git.Open(ctx, r.flags.where())
	switch {
	case errors.Is(err, git.ErrNone):
		made.Notes = append(made.Notes, "no commit is pinned: "+err.Error())
	case err != nil:
		return made, gitError(err)
	default:
		pinned, notes, err := lookGit(ctx, repository, r.flags.branch(r.config))
		if err != nil {
			return made, gitError(err)
		}
		made.Git = &pinned
		made.Notes = append(made.Notes, notes...)
	}
	made, err = receipt.New(made, r.now(), r.config.Terraform.Receipts.Lifetime)
	if err != nil {
		return made, err
	}
	key, there, err := receiptKey(r.config)
	if err != nil || !there {
		return made, err
	}
	return made.Sign(key)
}

// lookGit is receipt.LookGit for a branch or, if none is said, for what is most likely the
// main one.
func lookGit(ctx context.Context, repository *git.Repository, branch string) (receipt.Git, []string, error) {
	pinned, notes, err := receipt.LookGit(ctx, repository, branch)
	if err != nil || branch != "" || pinned.Branch != "" {
		return pinned, notes, err
	}
	for _, usual := range []string{"main", "master"} {
		if again, notes, err := receipt.LookGit(ctx, repository, usual); err == nil {
			return again, notes, nil
		}
	}
	return pinned, notes, nil
}

// where is the folder of the configuration.
func (o planFlags) where() string {
	if o.folder == "" {
		return "."
	}
	return o.folder
}

// branch is the base branch, or empty for the main one.
func (o planFlags) branch(c config.Configuration) string {
	if o.base != "" {
		return o.base
	}
	return c.Terraform.BaseBranch
}

func planDigests(p *openPlan) receipt.Plan {
	if p.file == nil {
		return receipt.Plan{Digest: p.document.Digest(), Form: receipt.JSON, JSONDigest: p.document.Digest()}
	}
	digests := receipt.Plan{Digest: p.file.Digest, Form: receipt.File}
	if p.document != nil {
		digests.JSONDigest = p.document.Digest()
	}
	return digests
}

func receiptApplier(a applier.Applier) receipt.Applier {
	return receipt.Applier{Name: a.Name, Kind: a.Kind, Facts: a.Facts}
}

// receiptKey is the key that receipts are signed with, if there is one.
func receiptKey(c config.Configuration) (key receipt.Key, there bool, err error) {
	text, from := operation.NewSecret(os.Getenv(receiptKeyVariable)), "$"+receiptKeyVariable
	if path := c.Terraform.Receipts.Key; path != "" {
		from = "terraform.receipts.key: " + shown(path)
		if text, err = readSecretFile(path, maxReceiptKey); err != nil {
			return key, false, fmt.Errorf("terraform.receipts.key: %w", err)
		}
	}
	if text.Reveal() == "" {
		return key, false, nil
	}
	if key, err = receipt.ReadKey(text); err != nil {
		return key, false, fmt.Errorf("%s: %w", from, err)
	}
	return key, true, nil
}

// maxReceiptKey is far above a PEM file with one Ed25519 key.
const maxReceiptKey = 16 << 10

// write writes the receipt to a file.
func (r *judgedPlan) writeReceipt(ctx context.Context, path string) error {
	made, err := r.receipt(ctx)
	if err != nil {
		return err
	}
	text, err := receipt.Encode(made)
	if err != nil {
		return err
	}
	for _, note := range made.Notes {
		r.say("note: %s", operation.Printable(note))
	}
	err = writeFile(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	return nil
}

// writeFile writes a file as a whole: what was there stays if it cannot.
func writeFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".mollyguard-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	if err := errors.Join(write(file), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// gitError is an error about the repository, with what to do.
func gitError(err error) error {
	if known, ok := errors.AsType[*git.Error](err); ok {
		return &exitError{code: exitUndecided, err: err, hint: known.Hint}
	}
	return err
}

// needs is what a grant has to cover according to a receipt.
func needs(r receipt.Receipt) breakglass.PlanNeeds {
	n := breakglass.PlanNeeds{
		Plan: operation.PlanReference(r.Plan.Digest), Denied: r.Decision.Denied + r.Decision.Lifted,
		Verbs: r.Decision.Verbs, Approvals: r.Decision.Approvals,
	}
	for _, target := range r.Decision.Targets {
		n.Targets = append(n.Targets, target.Ref)
	}
	return n
}
