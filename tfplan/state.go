package tfplan

import (
	"context"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// StateHead is what pins a state: which one it is, and how far it has come.
type StateHead struct {
	// Version is the format's, 4 for every state that is understood.
	Version          int
	TerraformVersion string
	// Lineage is made up when a state begins, Serial counts how often it changed. A new
	// state has neither yet.
	Lineage string
	Serial  uint64
	// Resources is how many managed resource instances it has, deposed ones not counted.
	Resources int
}

// ReadState reads a state to its end, as terraform state pull or tofu state pull writes
// it. Nothing but blanks is the state of a new workspace: a zero StateHead and no error.
// What is no state of version 4 is a *BadPlanError.
func ReadState(ctx context.Context, r io.Reader) (StateHead, error) {
	s := newStream(newSource(ctx, r, "state", MaxState, nil))
	var p statePass
	p.stream = s
	switch kind := s.dec.PeekKind(); kind {
	case '{':
	case jsontext.KindInvalid:
		_, err := s.dec.ReadToken()
		if err == io.EOF && s.src.err == io.EOF {
			return StateHead{}, nil
		}
		return StateHead{}, notState(s, err)
	default:
		return StateHead{}, badPlan(pullHint, "this is no Terraform state: its JSON is %s", kindText(kind))
	}
	if err := p.read(); err != nil {
		return StateHead{}, s.explain(err)
	}
	return p.head, nil
}

const pullHint = "terraform state pull (or tofu) writes the state"

// notState explains a text that does not begin as JSON.
func notState(s *stream, err error) error {
	if s.src.err == nil && IsFile(s.dec.UnreadBuffer()) {
		return badPlan(pullHint, "this is a plan file (a zip), not a state")
	}
	return s.explain(err)
}

type statePass struct {
	*stream
	head StateHead
	has  map[string]bool
}

func (p *statePass) read() error {
	p.has = map[string]bool{}
	if _, err := p.object(func(name []byte) error { return p.member(string(name)) }); err != nil {
		return err
	}
	if !p.has["version"] {
		return badPlan(pullHint, "this is no Terraform state: the JSON has no version")
	}
	return p.end()
}

func (p *statePass) member(name string) error {
	if len(p.has) == maxNames {
		return badPlan("", "the outermost object of the state has more than %d members", maxNames)
	}
	p.has[name] = true
	switch name {
	case "format_version", "planned_values", "resource_changes":
		return badPlan(pullHint, "this is JSON that terraform show -json writes, not a state")
	case "encrypted_data", "encryption_version":
		return badPlan("tofu state pull writes it in clear", "this state is encrypted by OpenTofu: it cannot be read here")
	case "version":
		version, err := p.number()
		if err == nil && version != 4 {
			err = badPlan("apply once with Terraform 1.0 or newer, which writes version 4",
				"the state's version is %d: only 4 is understood", version)
		}
		p.head.Version = int(version)
		return err
	case "serial":
		serial, err := p.number()
		p.head.Serial = serial
		return err
	case "lineage":
		return p.text(&p.head.Lineage)
	case "terraform_version":
		return p.text(&p.head.TerraformVersion)
	case "resources":
		return p.list(func(int) error { return p.resource() })
	}
	return p.skipLong()
}

// number reads a whole number from 0 up.
func (p *statePass) number() (uint64, error) {
	value, err := p.value()
	if err != nil {
		return 0, err
	}
	if value.Kind() != '0' {
		return 0, p.wrong("a number", value.Kind())
	}
	number, err := strconv.ParseUint(string(value), 10, 64)
	if err != nil {
		return 0, badPlan("", "%s of the state is %.40s and should be a whole number from 0 up", p.place(), value)
	}
	return number, nil
}

// resource counts the instances of a resource. Which mode it has may stand after them.
func (p *statePass) resource() error {
	mode, instances := "", 0
	found, err := p.object(func(name []byte) error {
		switch string(name) {
		case "mode":
			return p.word(&mode)
		case "instances":
			return p.list(func(int) error {
				return p.one(func() error {
					deposed := ""
					found, err := p.object(func(name []byte) error {
						if string(name) == "deposed" {
							return p.text(&deposed)
						}
						return p.skip()
					})
					if found && deposed == "" {
						instances++
					}
					return err
				})
			})
		}
		return p.skipLong()
	})
	if err == nil && !found {
		err = p.wrong("an object", 'n')
	}
	if mode == "managed" {
		p.head.Resources += instances
	}
	return err
}
