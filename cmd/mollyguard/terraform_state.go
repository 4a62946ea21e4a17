package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/command"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// surgery is what a command does to a state, and to which.
type surgery struct {
	invocation *command.Invocation
	// tf reads the state, which workspace delete has in another workspace.
	tf        *terraform.Terraform
	workspace string
	head      tfplan.StateHead
	// known says that the state could be read; unknown says what could not.
	known   bool
	unknown []string
	// line is what is to be run.
	line []string
	// path is of the text that stands for a plan; state of the state as terraform show
	// tells it.
	path, state string
	// pushed is the digest of what state push pushes, and ids what it holds.
	pushed string
	ids    map[string]string
	// touched are the addresses that the command is about; nil stands for all.
	touched []command.Address
	// to is where state mv moves it; lost says that nothing of what it is about was found
	// in the state, so that it could be anything.
	to   command.Address
	lost bool
}

// surgery looks at the state that the command works on.
func (w *wrapped) surgery(ctx context.Context) (*surgery, error) {
	i := w.invocation
	s := &surgery{
		invocation: i, tf: w.tf, workspace: i.Workspace, line: i.Line(),
		path: filepath.Join(w.private, "surgery.json"), state: filepath.Join(w.private, "state.json"),
	}
	var err error
	if s.workspace == "" {
		s.workspace, err = w.selectedWorkspace(ctx, w.tf)
	} else {
		s.tf, err = w.find(s.workspace)
	}
	if err != nil {
		return nil, err
	}
	if err := w.look(ctx, s); err != nil {
		return nil, err
	}
	about := i.Addresses
	if i.Name == "state mv" {
		about = []string{i.From}
	}
	for _, text := range about {
		address, err := command.ParseAddress(text)
		if err != nil {
			return nil, err
		}
		s.touched = append(s.touched, address)
	}
	switch i.Name {
	case "import":
		s.touched = nil // it is not there yet
	case "state mv":
		if s.to, err = command.ParseAddress(i.To); err != nil {
			return nil, err
		}
	}
	if i.Name == "state push" {
		err = w.pushes(ctx, s)
	}
	return s, err
}

// look reads the state. init may have to move one that Terraform cannot read any more,
// since its place is configured anew; and tests have states of their own.
func (w *wrapped) look(ctx context.Context, s *surgery) error {
	none := func() error { return os.WriteFile(s.state, []byte("{}"), 0o600) }
	if s.invocation.Name == "test" {
		return none()
	}
	var pulled string
	err := w.isThere(ctx, s)
	if err == nil {
		pulled, err = w.pull(ctx, s.tf, "state.tfstate")
	}
	if err == nil {
		s.head, err = stateHead(ctx, pulled)
	}
	if err == nil {
		err = intoFile(s.state, func(to io.Writer) error { return s.tf.ShowState(ctx, to, tfplan.MaxState) })
	}
	if err == nil {
		s.known = true
		return nil
	}
	if s.invocation.Backend == "" || ctx.Err() != nil {
		if _, ok := errors.AsType[*exitError](err); ok { // it says it all
			return err
		}
		return &exitError{code: exitUndecided, err: fmt.Errorf("look at the state, so that what is done to it can be judged: %w", err)}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	w.say("warning: the state cannot be looked at, so it counts as production: %s", operation.Printable(first))
	s.unknown = []string{"what the state holds"}
	return none()
}

// isThere is an error for a workspace that is not there. Terraform would make the one that
// TF_WORKSPACE names by looking at it.
func (w *wrapped) isThere(ctx context.Context, s *surgery) error {
	if s.invocation.Workspace == "" && os.Getenv("TF_WORKSPACE") == "" {
		return nil
	}
	names, err := w.tf.Workspaces(ctx)
	if err != nil || slices.Contains(names, s.workspace) {
		return err
	}
	return &exitError{
		code: exitUndecided, err: fmt.Errorf("there is no workspace %s", shown(s.workspace)), hint: "terraform workspace list tells which there are",
	}
}

func stateHead(ctx context.Context, path string) (head tfplan.StateHead, err error) {
	file, err := os.Open(path)
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return tfplan.ReadState(ctx, file)
}

// pushes reads what is to take the state's place, from a private copy that is pushed then.
func (w *wrapped) pushes(ctx context.Context, s *surgery) (err error) {
	copied, shows := filepath.Join(w.private, "pushed.tfstate"), filepath.Join(w.private, "pushed.json")
	if s.invocation.StateFile == "-" {
		err = copyInput(ctx, copied, w.in, tfplan.MaxState)
	} else {
		err = copyFile(copied, w.fromFolder(s.invocation.StateFile), tfplan.MaxState)
	}
	if err != nil {
		return err
	}
	if _, err := stateHead(ctx, copied); err != nil {
		return planError(s.invocation.StateFile, err)
	}
	if s.pushed, err = digestOf(copied); err != nil {
		return err
	}
	s.line[len(s.line)-1] = copied
	err = intoFile(shows, func(to io.Writer) error { return s.tf.ShowPlan(ctx, to, copied, tfplan.MaxState) })
	if err != nil {
		return &exitError{code: exitUndecided, err: fmt.Errorf("look at what is to be pushed: %w", err)}
	}
	pushed, err := writeDocument(ctx, filepath.Join(w.private, "pushed.plan.json"), shows, planHead{}, nothing)
	if err != nil {
		return planError(s.invocation.StateFile, err)
	}
	defer pushed.close(&err)
	s.ids = map[string]string{}
	for r, err := range pushed.document.State(ctx) {
		if err != nil {
			return err
		}
		s.ids[r.Address+"#"+r.Deposed] = idOf(r.Values)
	}
	return nil
}

// idOf is the id of an object in its values, or empty.
func idOf(values jsontext.Value) string {
	var object struct {
		ID jsontext.Value `json:"id"`
	}
	if json.Unmarshal(values, &object) != nil {
		return ""
	}
	return string(object.ID)
}

// does is what becomes of a resource of the state.
func (s *surgery) does(r *tfplan.Resource) (actions []tfjson.Action, reason string) {
	i := s.invocation
	forget := []tfjson.Action{tfjson.ActionForget}
	switch i.Name {
	case "state rm":
		if s.touches(r) {
			return forget, ""
		}
	case "state mv":
		switch {
		case !s.touches(r):
		case i.Out != "" || s.lost:
			return forget, ""
		default:
			return []tfjson.Action{tfjson.ActionNoop}, ""
		}
	case "state push":
		if id, there := s.ids[r.Address+"#"+r.Deposed]; !there || id != idOf(r.Values) {
			return forget, ""
		}
	case "taint":
		if s.touches(r) && r.Deposed == "" {
			return []tfjson.Action{tfjson.ActionDelete, tfjson.ActionCreate}, "replace_because_tainted"
		}
	case "workspace delete":
		if i.Force {
			return forget, ""
		}
	}
	return nil, ""
}

// touches reports whether the command is about a resource. An address that cannot be read
// may be meant.
func (s *surgery) touches(r *tfplan.Resource) bool {
	address, err := command.ParseAddress(r.Address)
	return s.touched == nil || err != nil || slices.ContainsFunc(s.touched, func(a command.Address) bool { return a.Covers(address) })
}

// find makes sure that all that the command is about is in the state. What Terraform finds
// there and we do not is not left unjudged: it may be any of what there is.
func (s *surgery) find(ctx context.Context, states *tfplan.Document) error {
	left := slices.Clone(s.touched)
	if s.invocation.Name == "untaint" { // it takes nothing away
		return nil
	}
	for r, err := range states.State(ctx) {
		if err != nil {
			return err
		}
		address, err := command.ParseAddress(r.Address)
		left = slices.DeleteFunc(left, func(a command.Address) bool { return err != nil || a.Covers(address) })
		if len(left) == 0 {
			return nil
		}
	}
	for _, a := range left {
		s.unknown = append(s.unknown, "what "+operation.Printable(a.String())+" is: nothing in the state has this address")
	}
	if len(left) > 0 {
		s.lost, s.touched = true, nil
	}
	return nil
}

// movesTo is where a resource is after state mv, if that is another address of this state.
func (s *surgery) movesTo(r *tfplan.Resource) string {
	if s.lost || s.invocation.Name != "state mv" || s.invocation.Out != "" {
		return r.Address
	}
	address, err := command.ParseAddress(r.Address)
	if err != nil || !s.touches(r) {
		return r.Address
	}
	return s.touched[0].Moved(s.to, address).String()
}

// receipt pins what was decided to the state. Of commits and plan files there are none.
func (s *surgery) receipt(r *judgedPlan) (receipt.Receipt, error) {
	made := receipt.Receipt{
		Plan:      planDigests(r.plan),
		State:     receipt.State{Known: s.known, Lineage: s.head.Lineage, Serial: s.head.Serial},
		Terraform: receipt.Terraform{Workspace: s.workspace},
		Applier:   receiptApplier(r.applier),
		Decision:  r.sum.decision(r.kept.Outcome()), Grants: r.sum.grants,
		Notes: []string{"this is no plan: it is " + operation.Printable(r.plan.name) + " on this very state"},
	}
	return r.sealed(made)
}
