package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// apply makes a plan or takes the one that is given, judges it and applies it.
func (w *wrapped) apply(ctx context.Context) error {
	if err := w.canAsk(); err != nil {
		return err
	}
	plan := filepath.Join(w.private, "tfplan")
	changes, err := w.makePlan(ctx, plan)
	if err != nil {
		return err
	}
	if w.invocation.PlanFile != "" && w.receipt != "" {
		if err := w.verifyReceipt(ctx, plan); err != nil {
			return err
		}
		return w.applyPlan(ctx, plan)
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

// copyFile copies a regular file to a new one that only its owner can read.
func copyFile(to, from string, limit int64) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return &exitError{code: exitUndecided, err: err}
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return copyTo(to, source, limit)
}

func copyTo(to string, r io.Reader, limit int64) (err error) {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	n, err := io.Copy(file, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("more than %d MiB", limit>>20)
	}
	return err
}

// judgeAndVerify judges a plan, asks, and makes sure that nothing has moved since.
func (w *wrapped) judgeAndVerify(ctx context.Context, path string, changes bool) (err error) {
	judge, err := w.judge(ctx, w.console)
	if err != nil {
		return err
	}
	defer judge.close(&err)
	judge.unsafe = w.invocation.Hazards
	plan, err := planSource{path: path, folder: w.folder, binary: w.binary}.open(ctx, w.streams)
	if err != nil {
		return err
	}
	defer plan.close(&err)
	if plan.name = w.invocation.PlanFile; plan.name == "" {
		plan.name = "terraform " + w.invocation.Name
	}
	result, err := judge.judgePlan(ctx, plan, w.partial, func(operation.Decision) error { return nil })
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
		if err := w.approve(); err != nil {
			return err
		}
	}
	made, err := result.receipt(ctx)
	if err != nil {
		return err
	}
	return w.verify(ctx, w.verifying(path), result, made, nil)
}

// tell prints the report where it does not mix with what Terraform prints. Of a plan that
// is let through without a word, nothing is said.
func (w *wrapped) tell(r *judgedPlan, next []string) error {
	told := r.report("")
	told.Next = next
	told.Colors = w.terminal
	if len(told.Rows) == 0 {
		return nil
	}
	return report.Write(w.err, "table", told)
}

// approve asks whether to go on, as Terraform does: only yes is yes.
func (w *wrapped) approve() error {
	if w.invocation.PlanFile != "" || w.invocation.AutoApprove {
		return nil
	}
	fmt.Fprintf(w.err, "\nDo you want to apply this plan? Only 'yes' is taken for yes.\n\n  Enter a value: ")
	answer, err := bufio.NewReader(io.LimitReader(w.in, maxAnswer)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	fmt.Fprintln(w.err)
	if strings.TrimSpace(answer) != "yes" {
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

// verify makes sure that nothing has moved since a plan was judged, and takes the use of
// the grant if there is one. is, if there, is what the plan is known by, where Terraform
// has none.
func (w *wrapped) verify(ctx context.Context, v verifyOptions, r *judgedPlan, made receipt.Receipt, is *receipt.Plan) error {
	now, err := v.now(ctx, w.talk(), made)
	if err != nil {
		return err
	}
	if is != nil {
		now.Plan = *is
	}
	return v.answer(ctx, w.talk(), r.config, made, now)
}

// verifyReceipt makes sure that a plan is the one that was checked.
func (w *wrapped) verifyReceipt(ctx context.Context, plan string) error {
	if len(w.invocation.Hazards) > 0 {
		return usageError("leave out --receipt, so that all of it is judged, or the option", "-lock=false was not judged when the plan was checked")
	}
	return w.verifying(plan).verify(ctx, w.talk())
}
