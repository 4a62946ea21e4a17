package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mollyguard/mollyguard/tfplan"
)

// intoFile writes a private file.
func intoFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// planHead is how the text begins that stands for a plan.
type planHead struct {
	FormatVersion    string `json:"format_version"`
	TerraformVersion string `json:"terraform_version,omitzero"`
	// Complete is true: there is nothing more to what a command does.
	Complete bool `json:"complete"`
	// Command is none of Terraform's: it tells the text from one of another command.
	Command *planCommand `json:"mollyguard_command,omitzero"`
}

type planCommand struct {
	Name      string   `json:"name"`
	Args      []string `json:"args"`
	Workspace string   `json:"workspace"`
	Lineage   string   `json:"lineage"`
	Serial    uint64   `json:"serial"`
	Pushed    string   `json:"pushed"`
}

// nothing is no changes.
func nothing(io.Writer) error { return nil }

// writeDocument writes plan JSON with a state, as terraform show tells it, for the prior
// one, which is of the same form, and with changes; and opens it.
func writeDocument(ctx context.Context, path, state string, head planHead, changes func(io.Writer) error) (p *openPlan, err error) {
	head.FormatVersion, head.Complete = "1.2", true
	first, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	err = intoFile(path, func(to io.Writer) (err error) {
		from, err := os.Open(state)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, from.Close()) }()
		text := &sticky{w: to}
		text.write(string(first[:len(first)-1]) + `,"prior_state":`)
		_, err = io.Copy(text, from)
		text.write(`,"resource_changes":[`)
		err = errors.Join(err, changes(text))
		text.write("]}")
		return errors.Join(err, text.err)
	})
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p = &openPlan{files: []*os.File{file}}
	if p.document, err = openDocument(ctx, file); err != nil {
		p.close(&err)
	}
	return p, err
}

// sticky keeps the first error.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

func (s *sticky) write(text string) { _, _ = s.Write([]byte(text)) } // the error is kept

// plan is what the command does, as a plan would have it.
func (s *surgery) plan(ctx context.Context) (p *openPlan, err error) {
	states, err := writeDocument(ctx, s.path+".state", s.state, planHead{}, nothing)
	if err != nil {
		return nil, err
	}
	defer states.close(&err)
	if err := s.find(ctx, states.document); err != nil {
		return nil, err
	}
	args := slices.Clone(s.invocation.Args)
	if s.pushed != "" {
		args[len(args)-1] = "" // whatever its file is called
	}
	head := planHead{TerraformVersion: s.head.TerraformVersion, Command: &planCommand{
		Name: s.invocation.Name, Args: args, Workspace: s.workspace, Lineage: s.head.Lineage, Serial: s.head.Serial, Pushed: s.pushed,
	}}
	p, err = writeDocument(ctx, s.path, s.state, head, func(to io.Writer) error { return s.changes(ctx, to, states.document) })
	if err != nil {
		return nil, err
	}
	p.name = "terraform " + s.invocation.Name
	p.file = &tfplan.File{
		Digest: p.document.Digest(), Lineage: s.head.Lineage, Serial: s.head.Serial, HasState: s.known,
		TerraformVersion: s.head.TerraformVersion, Workspace: s.workspace,
	}
	return p, nil
}

// planChange is an entry of resource_changes.
type planChange struct {
	Address  string              `json:"address"`
	Previous string              `json:"previous_address,omitzero"`
	Mode     tfjson.ResourceMode `json:"mode"`
	Type     string              `json:"type"`
	Name     string              `json:"name"`
	Provider string              `json:"provider_name"`
	Deposed  string              `json:"deposed,omitzero"`
	Reason   string              `json:"action_reason,omitzero"`
	Change   planValues          `json:"change"`
}

type planValues struct {
	Actions         []tfjson.Action `json:"actions"`
	Before          jsontext.Value  `json:"before"`
	After           jsontext.Value  `json:"after"`
	BeforeSensitive jsontext.Value  `json:"before_sensitive"`
}

// changes writes what becomes of each resource.
func (s *surgery) changes(ctx context.Context, to io.Writer, states *tfplan.Document) error {
	separator := ""
	for r, err := range states.State(ctx) {
		if err != nil {
			return err
		}
		actions, reason := s.does(r)
		if actions == nil || r.Mode == tfjson.DataResourceMode {
			continue
		}
		change := planChange{
			Address: r.Address, Mode: r.Mode, Type: r.Type, Name: r.Name, Provider: r.Provider, Deposed: r.Deposed, Reason: reason,
			Change: planValues{Actions: actions, Before: r.Values, After: jsontext.Value("null"), BeforeSensitive: r.Sensitive},
		}
		if len(actions) > 1 || actions[0] == tfjson.ActionNoop {
			change.Change.After = r.Values
		}
		if to := s.movesTo(r); to != r.Address {
			change.Address, change.Previous = to, r.Address
		}
		text, err := json.Marshal(change)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(to, separator+string(text)); err != nil {
			return err
		}
		separator = ","
	}
	return nil
}
