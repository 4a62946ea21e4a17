package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mollyguard/mollyguard/tfplan"
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
		if plan, err = w.keep(path); err != nil {
			return err
		}
	}
	made, err := r.receipt(ctx)
	if err != nil {
		return err
	}
	again := append(append([]string{"apply"}, w.invocation.ApplyOptions...), plan)
	if chdir := w.invocation.Chdir; chdir != "" {
		again = append([]string{"-chdir=" + chdir}, again...)
	}
	next, err := w.leave(made, r, again)
	if err != nil {
		return err
	}
	return w.tell(r, next)
}

// keep copies a plan to where somebody finds it again, and returns what Terraform calls
// the file there.
func (w *wrapped) keep(path string) (string, error) {
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
	w.say("note: the plan is kept in %s; it may hold secrets", shown(to))
	return called, nil
}

// makeKept makes the folder for what is kept. Git must not see it: the tree would not be
// the commit's any more.
func (w *wrapped) makeKept() error {
	folder := filepath.Join(w.where(), keptFolder)
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, ".gitignore"), []byte("*\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("make a folder for what was refused: %w", err)
	}
	return nil
}

// leave writes the receipt that a grant can be asked for with, and returns the commands
// that lead on to the command of Terraform.
func (w *wrapped) leave(made receipt.Receipt, r *judgedPlan, again []string) ([]string, error) {
	path := w.receipt
	if path == "" || w.invocation.PlanFile != "" {
		if err := w.makeKept(); err != nil {
			return nil, err
		}
		path = filepath.Join(w.where(), keptFolder, "receipt.json")
	}
	text, err := receipt.Encode(made)
	if err != nil {
		return nil, err
	}
	err = writeFile(path, func(to io.Writer) error {
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
	words := append(append([]string{"mollyguard", "terraform"}, w.own...), again...)
	for i, word := range words {
		words[i] = quoted(word)
	}
	return []string{
		fmt.Sprintf("mollyguard break-glass request --plan %s --reason 'why'%s", quoted(path), server),
		fmt.Sprintf("%s=$(mollyguard break-glass token HANDLE%s) %s", planTokenVariable, server, strings.Join(words, " ")),
	}, nil
}
