package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/command"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// keptFolder is where refused plans are kept, in the configuration's folder.
const keptFolder = ".mollyguard"

// refusePlan keeps a plan that was refused: a grant is for that very plan and no other.
func (w *wrapped) refusePlan(ctx context.Context, r *judgedPlan, path string) error {
	if r.outcomes.undecided > 0 || r.sum.Never {
		return w.tell(r, nil)
	}
	plan := w.invocation.PlanFile
	if plan == "" {
		var err error
		if plan, err = w.keep(path, r.plan.digest()); err != nil {
			return err
		}
	}
	made, err := r.receipt(ctx)
	if err != nil {
		return err
	}
	// What came from the environment is there when it is run again, and may be secret.
	var options []string
	if typed, err := command.Parse(w.line, nowhere, nil); err == nil {
		options = typed.ApplyOptions
	}
	again := append(append([]string{"apply"}, options...), plan)
	if chdir := w.invocation.Chdir; chdir != "" {
		again = append([]string{"-chdir=" + chdir}, again...)
	}
	next, err := w.leave("receipt.json", made, r, again)
	if err != nil {
		return err
	}
	return w.tell(r, next)
}

// nowhere is an environment without variables.
func nowhere(string) string { return "" }

// keep copies a plan to where somebody finds it again, and returns what Terraform calls
// the file there.
func (w *wrapped) keep(path, digest string) (string, error) {
	to, called := w.planOut, w.planOut
	if to == "" {
		if err := w.makeKept(); err != nil {
			return "", err
		}
		called = filepath.Join(keptFolder, "tfplan")
		to = filepath.Join(w.where(), called)
	} else if w.invocation.Chdir != "" {
		absolute, err := filepath.Abs(to)
		if err != nil {
			return "", err
		}
		called = absolute
	}
	if err := copyFile(to, path, tfplan.MaxFile); err != nil {
		return "", fmt.Errorf("keep the plan that was refused: %w", err)
	}
	if err := keepHazards(to, digest, w.invocation.Hazards); err != nil {
		return "", fmt.Errorf("keep how the plan that was refused was made: %w", err)
	}
	w.say("note: the plan is kept in %s; it may hold secrets", shown(to))
	return called, nil
}

// makeKept makes the folder for what is kept. Git must not see it: the tree would not be
// the commit's any more.
func (w *wrapped) makeKept() error {
	folder := filepath.Join(w.where(), keptFolder)
	err := os.Mkdir(folder, 0o700)
	if errors.Is(err, os.ErrExist) {
		err = w.checkKept()
	}
	if err == nil {
		err = writePrivate(filepath.Join(folder, ".gitignore"), func(to io.Writer) error {
			_, err := io.WriteString(to, "*\n")
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("make a folder for what was refused: %w", err)
	}
	return nil
}

// checkKept is an error if what is kept would end up somewhere else.
func (w *wrapped) checkKept() error {
	folder := filepath.Join(w.where(), keptFolder)
	info, err := os.Lstat(folder)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder, or a link to one", shown(folder))
	}
	return err
}

// canKeep is an error if a plan could not be kept: it is no time to learn that when it has
// been made, and refused.
func (w *wrapped) canKeep() error {
	if w.invocation.PlanFile != "" {
		return nil
	}
	if w.planOut != "" {
		return planPlace(w.planOut)
	}
	if err := w.checkKept(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return &exitError{code: exitUndecided, err: fmt.Errorf("look for a folder for what may be refused: %w", err), hint: "--plan-out names another place"}
	}
	return nil
}

// leave writes the receipt that a grant can be asked for with, and returns the commands
// that lead on to the command of Terraform. name is the receipt's, where none was said.
func (w *wrapped) leave(name string, made receipt.Receipt, r *judgedPlan, again []string) ([]string, error) {
	path, put := w.receipt, writeFile
	if path == "" || w.invocation.PlanFile != "" {
		if err := w.makeKept(); err != nil {
			return nil, err
		}
		path, put = filepath.Join(w.where(), keptFolder, name), writePrivate
	}
	text, err := receipt.Encode(made)
	if err != nil {
		return nil, err
	}
	err = put(path, func(to io.Writer) error {
		_, err := to.Write(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write the receipt: %w", err)
	}
	server := r.server()
	if w.server.server != "" {
		server = w.server.where()
	}
	words := append(append([]string{"mollyguard", "terraform"}, w.own...), command.Without(again)...)
	for i, word := range words {
		words[i] = quoted(word)
	}
	if w.invocation.Environment {
		words = append(words, " # with the same TF_CLI_ARGS")
	}
	return []string{
		fmt.Sprintf("mollyguard break-glass request --plan %s --reason 'why'%s", quoted(path), server),
		fmt.Sprintf("%s=$(mollyguard break-glass token HANDLE%s) %s", planTokenVariable, server, strings.Join(words, " ")),
	}, nil
}
