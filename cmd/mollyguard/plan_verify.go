package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/applier"
	"github.com/mollyguard/mollyguard/tfplan/git"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

type verifyOptions struct {
	planFlags
	connectOptions
	plan, state, receipt, output string
	skip                         []string
	// judged is the digest of what judges here; empty where the plan was judged by this
	// very run.
	judged string
}

func newPlanVerify(s streams) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [flags] --plan PLAN --receipt FILE [--state FILE]",
		Short: "Say right before apply whether a plan is still the one that was checked",
		Long: `Say right before apply whether a plan is still the one that was checked, and the
world still the one that it was made for.

Refused are another plan file, a state that has moved on or is another, a base branch
that has moved on, another workspace or identity, other policies or another configuration
than judge here, an old receipt, and a receipt that does not allow. Values that were taken
on trust (plan check --plan-json without Terraform) are compared with what Terraform shows.

Where a grant lifted something, its token is needed again, and its one use is taken at
the server that --server names. Without a server, that the plan is applied once rests
on the state's serial alone.

Exit code: 0 apply, 3 do not, 1 it could not be told.`,
		Example: `  mollyguard plan verify --plan tfplan --state <(terraform state pull) --receipt receipt.json && terraform apply tfplan`,
		Args:    exactly(0, "no arguments but flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.connectOptions.complete(cmd)
			return o.verify(cmd.Context(), newConsole(s))
		},
	}
	o.planFlags.flags(cmd)
	o.connectOptions.serverFlags(cmd, "have the use of a grant counted by the server at this https `URL`")
	flags := cmd.Flags()
	flags.StringVar(&o.plan, "plan", "", "`FILE` that would be applied (required)")
	flags.StringVar(&o.state, "state", "", "`FILE` with what terraform state pull says, - for standard input (default: Terraform is asked)")
	flags.StringVar(&o.receipt, "receipt", "", "`FILE` that plan check wrote (required)")
	flags.StringSliceVar(&o.skip, "skip", nil, "do not insist on knowing `WHAT`: "+skippable())
	flags.StringVarP(&o.output, "output", "o", "table", "output `FORMAT`: table or json")
	return cmd
}

// skippable lists what --skip takes.
func skippable() string {
	var names []string
	for _, field := range receipt.Skippable() {
		names = append(names, string(field))
	}
	return strings.Join(names, ", ")
}

// verdict is the answer of verify, as -o json prints it.
type verdict struct {
	Verified   bool              `json:"verified"`
	Plan       string            `json:"plan"`
	Mismatches []verdictMismatch `json:"mismatches"`
	// Loose is what was not compared, Notes what was said when the plan was checked.
	Loose  []string `json:"loose"`
	Notes  []string `json:"notes"`
	Grants []string `json:"grants"`
}

type verdictMismatch struct {
	Field    receipt.Field `json:"field"`
	Want     string        `json:"want"`
	Got      string        `json:"got"`
	Sentence string        `json:"sentence"`
	Hint     string        `json:"hint"`
}

func (o verifyOptions) verify(ctx context.Context, c console) error {
	if err := o.check(); err != nil {
		return err
	}
	conf, err := loadConfigUntil(ctx, o.config)
	if err != nil {
		return err
	}
	if o.judged, err = judgeDigest(conf); err != nil {
		return err
	}
	r, err := readReceipt(c.streams, o.receipt)
	if err != nil {
		return &exitError{code: exitUndecided, err: fmt.Errorf("--receipt: %s: %w", shown(o.receipt), err), hint: receiptHint}
	}
	if err := trusted(c, conf, r); err != nil {
		return err
	}
	now, err := o.now(ctx, c, r)
	if err != nil {
		return err
	}
	return o.answer(ctx, c, conf, r, now)
}

// answer compares, takes the use of a grant if there is one, and prints.
func (o verifyOptions) answer(ctx context.Context, c console, conf config.Configuration, r receipt.Receipt, now receipt.Now) error {
	answer := verdict{Plan: r.Plan.Digest, Loose: receipt.Loose(r, now), Grants: r.Grants, Mismatches: []verdictMismatch{}}
	answer.Notes = beforehand(r.Notes, answer.Loose)
	for _, m := range slices.Concat(unpinned(conf, r), receipt.Check(r, now)) {
		answer.Mismatches = append(answer.Mismatches, verdictMismatch(m))
	}
	if len(answer.Mismatches) == 0 && (len(r.Grants) > 0 || r.Decision.Lifted > 0) {
		if err := o.use(ctx, c, conf, r); err != nil {
			return err
		}
	}
	answer.Verified = len(answer.Mismatches) == 0
	if err := o.print(c, answer); err != nil {
		return err
	}
	if !answer.Verified {
		return &exitError{code: exitDenied}
	}
	return nil
}

func (o verifyOptions) check() error {
	var errs []error
	if o.plan == "" {
		errs = append(errs, errors.New("--plan is missing: the file that would be applied"))
	}
	if o.receipt == "" {
		errs = append(errs, errors.New("--receipt is missing: what plan check --receipt wrote"))
	}
	if o.output != "table" && o.output != "json" {
		errs = append(errs, fmt.Errorf("output format %q is not table or json", o.output))
	}
	if _, err := receipt.ParseSkip(o.skip); err != nil {
		errs = append(errs, fmt.Errorf("--skip: %w", err))
	}
	if len(errs) > 0 {
		return usageError("", "%w", errors.Join(errs...))
	}
	return nil
}

// maxPublicKeys caps a file with keys in bytes: what receipt.ReadKeys takes, and more, so
// that it is the one to say what is wrong.
const maxPublicKeys = 128 << 10

// trusted is an error unless the receipt is signed with a key that is believed, or nobody
// says which are.
func trusted(c console, conf config.Configuration, r receipt.Receipt) error {
	keys, err := publicReceiptKeys(conf)
	if err != nil {
		return err
	}
	own, there, err := receiptKey(conf)
	if err != nil {
		return err
	}
	if there {
		for id, key := range own.Public() {
			keys[id] = key
		}
	}
	if len(keys) == 0 {
		c.say("warning: nobody says whose signature a receipt needs (terraform.receipts): who can write this one can forge it")
		return nil
	}
	err = r.CheckSignature(keys)
	if bad, ok := errors.AsType[*receipt.SignatureError](err); ok {
		return &exitError{code: exitDenied, err: err, hint: bad.Hint}
	}
	return err
}

// now looks at the world.
func (o verifyOptions) now(ctx context.Context, c console, r receipt.Receipt) (now receipt.Now, err error) {
	who := applier.Detect(applier.Options{Override: o.applier})
	for _, problem := range who.Problems {
		c.say("warning: %s", operation.Printable(problem))
	}
	applies := withPlanFacts(receiptApplier(who), pinnedFacts(r))
	now = receipt.Now{Time: c.clock.now(), Applier: &applies}
	if now.Skip, err = receipt.ParseSkip(o.skip); err != nil {
		return now, err
	}
	if now.Judge = o.judged; now.Judge == "" {
		now.Judge = r.Judge.Digest
	}
	tf, err := terraform.Find(terraform.Options{Binary: o.binary, Folder: o.folder})
	if err != nil && !errors.Is(err, terraform.ErrNone) {
		return now, err
	}
	if now.Plan, err = o.planNow(ctx, c, tf, r); err != nil {
		return now, err
	}
	if tf != nil {
		if now.Terraform.Version, err = tf.Version(ctx); err != nil {
			return now, err
		}
	}
	if now.Terraform.Workspace, err = o.selectedWorkspace(ctx, tf); err != nil {
		return now, err
	}
	// Asked for the state of a workspace that is not there, Terraform would make it.
	if want, got := r.Terraform.Workspace, now.Terraform.Workspace; want != "" && got != "" && want != got {
		tf = nil
	}
	if now.State, err = o.stateNow(ctx, c, tf, r); err != nil {
		return now, err
	}
	if r.Git == nil {
		return now, nil
	}
	repository, err := git.Open(ctx, o.planFlags.where())
	if errors.Is(err, git.ErrNone) {
		return now, nil
	}
	if err == nil {
		now.Git, err = receipt.LookNow(ctx, repository, *r.Git)
	}
	if err == nil {
		now.Git.Fetched, err = repository.Fetched(ctx)
	}
	if err != nil {
		return now, gitError(err)
	}
	return now, nil
}
