package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/command"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/report"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// edit judges a command that works on the state by itself, and runs it.
//
// There is no plan that a grant or a receipt could be for. So one is made up, of the state
// and of what the command does to it, in the form in which Terraform would show it: the
// same command on the same state makes the same text, and another makes another.
func (w *wrapped) edit(ctx context.Context) (err error) {
	nothing, err := w.nothingToMove()
	if err != nil {
		return err
	}
	if nothing {
		return w.terraform(ctx, w.invocation.Line()...)
	}
	made, err := w.surgery(ctx)
	if err != nil {
		return err
	}
	judge, err := w.judge(ctx, w.console)
	if err != nil {
		return err
	}
	defer judge.close(&err)
	plan, err := made.plan(ctx)
	if err != nil {
		return err
	}
	defer plan.close(&err)
	result, err := judge.judgePlan(ctx, plan, false, func(operation.Decision) error { return nil })
	if err != nil {
		return planError(plan.name, err)
	}
	if err := w.judgeState(ctx, result, made); err != nil {
		return err
	}
	pinned, err := made.receipt(result)
	if err != nil {
		return err
	}
	if err := result.outcomes.err(); err != nil {
		if err := w.refuseEdit(result, pinned); err != nil {
			return err
		}
		return err
	}
	if err := w.tellEdit(result, nil); err != nil {
		return err
	}
	again, err := w.pull(ctx, made.tf, "again.tfstate")
	if err != nil && made.known {
		return err
	}
	verify := w.verifying(made.path)
	verify.workspace = made.workspace
	if made.known {
		verify.state = again
	}
	if err := w.verifyEdit(ctx, verify, result, pinned); err != nil {
		return err
	}
	return w.terraform(ctx, made.line...)
}

// verifyEdit makes sure that the state is still the one that the command was judged on,
// and takes the use of the grant if there is one.
func (w *wrapped) verifyEdit(ctx context.Context, v verifyOptions, r *judgedPlan, made receipt.Receipt) error {
	now, err := v.now(ctx, w.talk(), made)
	if err != nil {
		return err
	}
	now.Plan = made.Plan // Terraform knows of none
	for _, loose := range receipt.Loose(made, now) {
		w.say("note: %s", operation.Printable(loose))
	}
	mismatches := receipt.Check(made, now)
	if len(mismatches) == 0 && (len(made.Grants) > 0 || made.Decision.Lifted > 0) {
		if err := v.use(ctx, w.talk(), r.config, made); err != nil {
			return err
		}
	}
	said := "verified: this is the state that the command was judged on, and nothing has moved since\n"
	if len(mismatches) > 0 {
		said = "refused: the command is not run\n"
	}
	for _, m := range mismatches {
		said += fmt.Sprintf("\n  %s: %s\n", m.Field, operation.Printable(m.Sentence))
	}
	if _, err := io.WriteString(w.err, said); err != nil {
		return err
	}
	if len(mismatches) > 0 {
		return &exitError{code: exitDenied, hint: "run it again, and it is judged on the state as it is now"}
	}
	return nil
}

// init runs an init that was not told to do anything to a state. Where the state's place is
// configured anew Terraform would ask, and with one word from somebody move it over what is
// there: so it is not to ask.
func (w *wrapped) init(ctx context.Context) error {
	nothing, err := w.nothingToMove()
	if err != nil {
		return err
	}
	line := w.invocation.Line()
	if nothing || slices.Equal(w.invocation.Args, []string{"-help"}) {
		return w.terraform(ctx, line...)
	}
	err = w.terraform(ctx, append(line, "-input=false")...)
	if exit, ok := errors.AsType[*exitError](err); ok && exit.err == nil {
		exit.hint = "there is a state, so init was not to ask (-input=false): to move it say -migrate-state, to leave it behind -reconfigure; both are judged"
	}
	return err
}

// nothingToMove reports whether init finds no state that it could move or leave behind:
// no backend was set up in the folder, and there is no state in it.
func (w *wrapped) nothingToMove() (bool, error) {
	if w.invocation.Name != "init" {
		return false, nil
	}
	for _, path := range []string{filepath.Join(w.dataDir(), "terraform.tfstate"), w.fromFolder("terraform.tfstate"), w.fromFolder("terraform.tfstate.d")} {
		_, err := os.Lstat(path)
		if err == nil {
			return false, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return false, fmt.Errorf("look for a state that init would move: %w", err)
		}
	}
	return true, nil
}

// refuseEdit tells how to go on.
func (w *wrapped) refuseEdit(r *judgedPlan, pinned receipt.Receipt) error {
	if r.outcomes.undecided > 0 || r.sum.Never {
		return w.tellEdit(r, nil)
	}
	next, err := w.leave("state-receipt.json", pinned, r, w.line)
	if err != nil {
		return err
	}
	return w.tellEdit(r, next)
}

// tellEdit is tell for what is no plan. It is summed up in words of its own: how much of
// the state goes is all that it has in common with one.
func (w *wrapped) tellEdit(r *judgedPlan, next []string) error {
	var text strings.Builder
	if err := w.tellOn(&text, r, next); err != nil {
		return err
	}
	// No other line begins like this: what is told of a change is in a table or indented.
	planned := regexp.MustCompile(`(?m)^Plan ` + regexp.QuoteMeta(r.plan.name) + `: .*$`)
	_, err := io.WriteString(w.err, planned.ReplaceAllLiteralString(text.String(), sumOfEdit(r)))
	return err
}

// sumOfEdit says what becomes of a command, and of what the state holds.
func sumOfEdit(r *judgedPlan) string {
	answer := "let through"
	switch {
	case r.outcomes.undecided > 0:
		answer = "not decided"
	case r.outcomes.denied > 0:
		answer = "denied"
	}
	if r.head.Destroys == 0 {
		return r.plan.name + ": " + answer
	}
	return fmt.Sprintf("%s: %s; %d of %d resources would go (%d %%)", r.plan.name, answer, r.head.Destroys, r.head.Managed, r.head.Share())
}

// judgeState judges what is done to the state as a whole.
func (w *wrapped) judgeState(ctx context.Context, r *judgedPlan, s *surgery) error {
	name := r.workspace
	if name == "" {
		name = "default"
	}
	plan := operation.PlanReference(r.plan.digest())
	op := operation.Operation{
		Surface: operation.Terraform, Verb: operation.Unprotect, Phase: operation.Requested,
		Actor:   operation.Actor{Identity: operation.Identity{Name: r.applier.Name, Kind: r.kind(), Via: r.via(r.head)}},
		Source:  operation.Source{UID: r.plan.digest(), Log: r.plan.name},
		Changes: []string{w.says()}, Unknown: s.unknown,
		Target: operation.Target{
			Reference: operation.Reference{Ref: operation.TerraformRef(r.state(), ""), Kind: operation.StateKind, Name: operation.Printable(name)},
			Resource:  "states", Within: plan.Ref,
		},
		Plan: operation.Plan{
			Workspace: r.workspace, Managed: r.head.Managed, Destroys: r.head.Destroys, Share: r.head.Share(),
			MaxDestroys: *r.config.Terraform.MaxDestroys, MaxShare: *r.config.Terraform.MaxShare, Unsafe: w.invocation.Hazards,
		},
	}
	var err error
	if op.Dependents, err = s.holds(ctx, r); err != nil {
		return err
	}
	decision := r.guard.Decide(ctx, op)
	r.outcomes.add(decision)
	r.sum.add(decision)
	r.kept.Add(report.Row{Decision: decision})
	return nil
}

// maxSaid caps what a command says in a report.
const maxSaid = 200

// says is what the command does, in words. Options may hold secrets and are left out.
func (w *wrapped) says() string {
	i := w.invocation
	text := "terraform " + i.Name
	switch i.Name {
	case "force-unlock":
		text += " takes lock " + i.LockID + " away"
	case "import":
		text += " takes " + i.ImportID + " in as " + i.Addresses[0]
	case "init":
		text += map[command.Backend]string{
			command.Migrate:     " moves the state to another backend",
			command.ForceCopy:   " moves the state to another backend, over what is there",
			command.Reconfigure: " leaves the state behind, for that of another backend",
		}[i.Backend]
	case "state mv", "state replace-provider":
		text += ": " + i.From + " becomes " + i.To
		if i.Out != "" {
			text += ", in the state " + i.Out
		}
	case "state push":
		text += " puts " + i.StateFile + " in its place"
	case "test":
		text += " makes and destroys what the tests say, without a plan"
	case "workspace delete":
		text += " deletes " + i.Workspace
	default:
		text += " of " + strings.Join(i.Addresses, ", ")
	}
	return operation.Clip(operation.Printable(text), maxSaid)
}

// pull writes the current state to a private file.
func (w *wrapped) pull(ctx context.Context, tf *terraform.Terraform, name string) (string, error) {
	path := filepath.Join(w.private, name)
	return path, intoFile(path, func(to io.Writer) error { return tf.PullState(ctx, to, tfplan.MaxState) })
}
