package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/git"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// apply makes a plan or takes the one that is given, judges it and applies it.
func (w *wrapped) apply(ctx context.Context) error {
	if err := w.canAsk(); err != nil {
		return err
	}
	if err := w.canKeep(); err != nil {
		return err
	}
	if err := w.clean(ctx); err != nil {
		return err
	}
	plan := filepath.Join(w.private, "tfplan")
	changes, err := w.makePlan(ctx, plan)
	if err != nil {
		return err
	}
	if err := w.judgeAndVerify(ctx, plan, changes); err != nil {
		return err
	}
	return w.applyPlan(ctx, plan)
}

func (w *wrapped) applyPlan(ctx context.Context, plan string) error {
	return w.terraform(ctx, append(append([]string{"apply"}, w.invocation.ApplyOptions...), plan)...)
}

// canAsk is an error where Terraform would have to ask, and nobody is there to answer.
func (w *wrapped) canAsk() error {
	i := w.invocation
	if on, err := strconv.ParseBool(os.Getenv("TF_INPUT")); err == nil && !on {
		i.NoInput = true
	}
	if i.PlanFile != "" || i.AutoApprove || isTerminal(w.in) && !i.NoInput {
		return nil
	}
	return usageError("-auto-approve answers for you, once the plan was judged; it skips nothing of that",
		"there is no terminal to ask whether the plan is to be applied")
}

// makePlan puts the plan into a private file: what is judged there is what is applied,
// whatever becomes of the file that it came from. changes is false if there is nothing to
// do, as far as Terraform says.
func (w *wrapped) makePlan(ctx context.Context, to string) (changes bool, err error) {
	i := w.invocation
	if i.PlanFile != "" {
		return true, copyFile(to, w.fromFolder(i.PlanFile), tfplan.MaxFile)
	}
	// With -detailed-exitcode plan ends with 0 if nothing changes, and with 2 if something
	// does.
	if err := intoFile(to, nothing); err != nil { // Terraform would let all read it
		return false, err
	}
	args := append(append([]string{"plan"}, i.PlanOptions...), "-detailed-exitcode", "-out="+to)
	err = w.terraform(ctx, args...)
	if exit, ok := errors.AsType[*exitError](err); ok && exit.code == 2 && exit.err == nil {
		return true, nil
	}
	return false, err
}

// fromFolder is a path as Terraform takes it: from the folder of -chdir.
func (w *wrapped) fromFolder(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(w.where(), path)
}

// judgeAndVerify judges a plan, asks, and makes sure that nothing has moved since.
func (w *wrapped) judgeAndVerify(ctx context.Context, path string, changes bool) (err error) {
	judge, err := w.judge(ctx, w.console)
	if err != nil {
		return err
	}
	defer judge.close(&err)
	plan, err := planSource{path: path, folder: w.folder, binary: w.binary}.open(ctx, w.streams)
	if err != nil {
		return err
	}
	defer plan.close(&err)
	if plan.name = w.invocation.PlanFile; plan.name == "" {
		plan.name = "terraform " + w.invocation.Name
	}
	if judge.unsafe, err = w.hazards(plan.digest()); err != nil {
		return err
	}
	if w.checked() && len(judge.unsafe) > 0 {
		return usageError("leave out --receipt, so that all of it is judged, or what it is about", "not judged when the plan was checked: %s", judge.unsafe[0].Words())
	}
	// Whoever checked it for a receipt was told what it leaves out.
	result, err := judge.judgePlan(ctx, plan, w.partial || w.checked(), func(operation.Decision) error { return nil })
	if err != nil {
		return planError(plan.name, err)
	}
	if err := result.outcomes.err(); err != nil {
		if err := w.refusePlan(ctx, result, path); err != nil {
			return err
		}
		return err
	}
	if err := w.tell(result, nil); err != nil {
		return err
	}
	if changes {
		if err := w.approve(ctx, result); err != nil {
			return err
		}
	}
	made, err := result.receipt(ctx)
	if err != nil {
		return err
	}
	if w.checked() {
		return w.verifyReceipt(ctx, path, result, made)
	}
	v := w.verifying(path)
	now, err := v.now(ctx, w.talk(), made)
	if err != nil {
		return err
	}
	return v.answer(ctx, w.talk(), result.config, made, now)
}

// tell prints the report where it does not mix with what Terraform prints. Of a plan that
// is let through without a word, nothing is said.
func (w *wrapped) tell(r *judgedPlan, next []string) error { return w.tellOn(w.err, r, next) }

func (w *wrapped) tellOn(to io.Writer, r *judgedPlan, next []string) error {
	told := r.report("")
	told.Next = next
	told.Colors = w.terminal
	if len(told.Rows) == 0 {
		return nil
	}
	return report.Write(to, "table", told)
}

// approve asks whether to go on, as Terraform does: only yes is yes. A signal is no.
func (w *wrapped) approve(ctx context.Context, r *judgedPlan) error {
	if w.invocation.PlanFile != "" || w.invocation.AutoApprove {
		return nil
	}
	if len(r.kept.Rows()) == 0 { // of which nothing was told
		fmt.Fprintf(w.err, "\nmollyguard: no destructive changes, workspace %s\n", shown(cmp.Or(r.workspace, "not known")))
	}
	fmt.Fprintf(w.err, "\nDo you want to apply this plan? Only 'yes' is taken for yes.\n\n  Enter a value: ")
	type line struct {
		text string
		err  error
	}
	answered := make(chan line, 1) // who reads from a terminal cannot be stopped
	go func() {
		text, err := bufio.NewReader(io.LimitReader(w.in, maxAnswer)).ReadString('\n')
		answered <- line{text, err}
	}()
	var answer line
	select {
	case <-ctx.Done():
		fmt.Fprintln(w.err)
		return &exitError{code: exitUndecided, err: fmt.Errorf("not applied: %w", context.Cause(ctx))}
	case answer = <-answered:
	}
	if answer.err != nil && !errors.Is(answer.err, io.EOF) {
		return fmt.Errorf("read the answer: %w", answer.err)
	}
	fmt.Fprintln(w.err)
	if strings.TrimSpace(answer.text) != "yes" {
		return &exitError{code: exitUndecided, err: errors.New("not applied: the answer was not yes")}
	}
	return nil
}

// maxAnswer is longer than any answer.
const maxAnswer = 1 << 10

// verifying is how plan verify would be called.
func (w *wrapped) verifying(plan string) verifyOptions {
	return verifyOptions{planFlags: w.planFlags, connectOptions: w.server, plan: plan, receipt: w.receipt, output: "table", skip: w.skip}
}

// talk is a console on which all is talk: standard output is Terraform's.
func (w *wrapped) talk() console {
	c := w.console
	c.out = c.err
	return c
}

// checked says that somebody has a receipt of the plan that is there already.
func (w *wrapped) checked() bool { return w.invocation.PlanFile != "" && w.receipt != "" }

// verifyReceipt makes sure that a plan is the one that was checked. It was judged here,
// too, since who wrote the receipt may have had other policies: made is what came of it,
// and where that needed a grant, it is this use that counts.
func (w *wrapped) verifyReceipt(ctx context.Context, plan string, judged *judgedPlan, made receipt.Receipt) error {
	v, c := w.verifying(plan), w.talk()
	r, err := readReceipt(c.streams, v.receipt)
	if err != nil {
		return &exitError{code: exitUndecided, err: fmt.Errorf("--receipt: %s: %w", shown(v.receipt), err), hint: receiptHint}
	}
	if err := trusted(c, judged.config, r); err != nil {
		return err
	}
	now, err := v.now(ctx, c, r)
	if err != nil {
		return err
	}
	if len(receipt.Check(r, now)) == 0 && (len(made.Grants) > 0 || made.Decision.Lifted > 0) {
		r.Grants, r.Decision = made.Grants, made.Decision
	}
	return v.answer(ctx, c, judged.config, r, now)
}

// clean is an error for a tree of which no plan would be applied in the end: to plan may
// take long. A receipt says of which one a plan was made.
func (w *wrapped) clean(ctx context.Context) error {
	if w.checked() || slices.Contains(w.skip, string(receipt.FieldDirty)) || slices.Contains(w.skip, string(receipt.FieldGit)) {
		return nil
	}
	repository, err := git.Open(ctx, w.where())
	if errors.Is(err, git.ErrNone) {
		return nil
	}
	if err != nil {
		return gitError(err)
	}
	dirty, err := repository.Dirty(ctx)
	if err != nil {
		return gitError(err)
	}
	if len(dirty) == 0 {
		return nil
	}
	return &exitError{
		code: exitDenied, err: fmt.Errorf("the tree has changes that are not committed: %d, the first is %s", len(dirty), shown(operation.Clip(dirty[0], maxSaid))),
		hint: "commit them; mollyguard terraform --skip dirty does not insist on it",
	}
}
