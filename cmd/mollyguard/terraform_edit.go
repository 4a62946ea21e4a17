package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/command"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/report"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// stateKind is the kind of a reference to a state.
const stateKind = "TerraformState"

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
	if err := w.tell(result, nil); err != nil {
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
	if err := w.verify(ctx, verify, result, pinned, &pinned.Plan); err != nil {
		return err
	}
	return w.terraform(ctx, made.line...)
}

// nothingToMove reports whether init finds no state that it could move or leave behind:
// no backend was set up in the folder, and there is no state in it.
func (w *wrapped) nothingToMove() (bool, error) {
	if w.invocation.Backend == "" {
		return false, nil
	}
	data := os.Getenv("TF_DATA_DIR")
	if data == "" {
		data = ".terraform"
	}
	for _, path := range []string{filepath.Join(data, "terraform.tfstate"), "terraform.tfstate", "terraform.tfstate.d"} {
		_, err := os.Lstat(w.fromFolder(path))
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
		return w.tell(r, nil)
	}
	next, err := w.leave(pinned, r, w.line)
	if err != nil {
		return err
	}
	return w.tell(r, next)
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
			Reference: operation.Reference{Ref: operation.TerraformRef(r.state(), ""), Kind: stateKind, Name: operation.Printable(name)},
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
