package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/applier"
	"github.com/mollyguard/mollyguard/tfplan/git"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// receiptKeyVariable holds the private key that receipts are signed with, where there is no
// file with it.
const receiptKeyVariable = "MOLLYGUARD_RECEIPT_KEY"

// receipt pins what was decided to the plan and the world that it was made for.
func (r *judgedPlan) receipt(ctx context.Context) (receipt.Receipt, error) {
	made := receipt.Receipt{
		Plan:      planDigests(r.plan),
		Terraform: receipt.Terraform{Version: r.head.TerraformVersion, Workspace: r.workspace, Variables: r.head.Variables},
		Applier:   withPlanFacts(receiptApplier(r.applier), planFacts(r.head)),
		Decision:  r.sum.decision(r.kept.Outcome()),
		Grants:    r.sum.grants, Notes: slices.Concat(r.notes, r.asides),
	}
	made.Decision.Destroys, made.Decision.Managed = r.head.Destroys, r.head.Managed
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
		stale, err := staleBase(ctx, repository, pinned, r.now())
		if err != nil {
			return made, gitError(err)
		}
		if stale != "" {
			made.Notes = append(made.Notes, stale)
		}
	}
	return r.sealed(made)
}

// sealed is a receipt that is good from now on, and signed if there is a key.
func (j *planJudge) sealed(made receipt.Receipt) (receipt.Receipt, error) {
	judged, err := judgeDigest(j.config)
	if err != nil {
		return made, err
	}
	made.Judge = receipt.Judge{Digest: judged, Version: version()}
	made, err = receipt.New(made, j.now(), j.config.Terraform.Receipts.Lifetime)
	if err != nil {
		return made, err
	}
	key, there, err := receiptKey(j.config)
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

// staleBase says that the base branch was fetched long ago, or nothing.
func staleBase(ctx context.Context, repository *git.Repository, pinned receipt.Git, now time.Time) (string, error) {
	if pinned.Branch == "" {
		return "", nil
	}
	base, err := repository.Base(ctx, pinned.Branch)
	if err != nil {
		return "", err
	}
	fetched, err := repository.Fetched(ctx)
	return receipt.Stale(base, fetched, now), err
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
		return receipt.Plan{Digest: p.document.Digest(), Form: receipt.JSON, JSONDigest: p.document.Digest(), Values: receipt.Given}
	}
	digests := receipt.Plan{Digest: p.file.Digest, Form: receipt.File, Values: receipt.Given}
	if p.document != nil {
		digests.JSONDigest = p.document.Digest()
	}
	if p.shown {
		digests.Values = receipt.Shown
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

// writeReceipt writes the receipt to a file.
func (r *judgedPlan) writeReceipt(ctx context.Context, path string) error {
	made, err := r.receipt(ctx)
	if err != nil {
		return err
	}
	if missing := unpinned(r.config, made); len(missing) > 0 {
		return &exitError{code: exitUndecided, err: fmt.Errorf("no receipt is written: %s", missing[0].Sentence), hint: missing[0].Hint}
	}
	text, err := receipt.Encode(made)
	if err != nil {
		return err
	}
	for _, note := range made.Notes {
		if slices.Contains(r.asides, note) {
			continue // it was said
		}
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

// gitError is an error about the repository, with what to do.
func gitError(err error) error {
	if known, ok := errors.AsType[*git.Error](err); ok {
		return &exitError{code: exitUndecided, err: err, hint: known.Hint}
	}
	return err
}
