package tfplan

import (
	"context"
	"errors"
	"fmt"
	"iter"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"
)

// Invoke is the only action of an Invoked change, and of a Deferred one that is about an
// action of a provider.
const Invoke tfjson.Action = "invoke"

// errStop ends a reading early because nobody wants more.
var errStop = errors.New("stop")

// Changes reads the plan's changes one after another: those that are planned, then drift,
// what is deferred, and actions that are invoked. It leaves out what changes nothing (a
// no-op that neither moves nor imports) and reads of data sources, and nothing else: an
// action that is not known comes as it is. An error is the last thing that comes, with no
// change beside it; what came before is then not to be relied on.
func (d *Document) Changes(ctx context.Context) iter.Seq2[*Change, error] {
	return func(yield func(*Change, error) bool) {
		for kind := range sectionState {
			err := d.again(ctx, kind, func(s *stream) error {
				return s.changes(kind, &changeReader{stream: s, keeps: true}, func(c *Change) error {
					if !c.matters() {
						return nil
					}
					if err := ctx.Err(); err != nil {
						return context.Cause(ctx)
					}
					own := *c
					if !yield(&own, nil) {
						return errStop
					}
					return nil
				})
			})
			if errors.Is(err, errStop) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// matters reports whether the change is one: something happens, or the address or who
// manages the object changes.
func (c *Change) matters() bool {
	if len(c.Actions) != 1 {
		return true
	}
	switch c.Actions[0] {
	case tfjson.ActionNoop:
		return c.Mode != tfjson.DataResourceMode && (c.PreviousAddress != "" || c.Importing != "")
	case tfjson.ActionRead:
		return c.Mode != tfjson.DataResourceMode
	}
	return true
}

// changeReader reads entries of lists of changes into memory that it uses again.
type changeReader struct {
	*stream
	// keeps says that values are wanted, not only counted.
	keeps  bool
	change Change
	// identity is what stands for the id of an import that has none.
	identity jsontext.Value
}

// changes reads the list of a section and hands each entry to fn. The entry is only good
// until fn returns.
func (s *stream) changes(kind int, r *changeReader, fn func(*Change) error) error {
	return s.list(func(i int) error {
		err := s.one(func() error { return r.entry(kind, i) })
		if err != nil {
			return err
		}
		return fn(&r.change)
	})
}

func (r *changeReader) entry(kind, i int) error {
	r.reset(kind)
	c := &r.change
	var found bool
	var err error
	reason := ""
	switch kind {
	case sectionPlanned, sectionDrift:
		found, err = r.resource()
	case sectionInvoked:
		found, err = r.invocation()
	default:
		_, err = r.object(func(name []byte) (err error) {
			switch string(name) {
			case "reason":
				return r.word(&reason)
			case "resource_change":
				found, err = r.resource()
				return err
			case "action_invocation":
				found, err = r.invocation()
				return err
			}
			return r.skip()
		})
		if reason != "" {
			c.Reason = reason
		}
	}
	if err != nil {
		return err
	}
	missing := ""
	switch {
	case !found:
		missing = "change"
	case c.Address == "":
		missing = "address"
	case c.Type == "":
		missing = "type"
	case len(c.Actions) == 0:
		missing = "actions"
	default:
		return nil
	}
	return badPlan("", "entry %d of %s has no %s (byte %d)", i, sectionName(kind), missing, r.base+r.dec.InputOffset())
}

func sectionName(kind int) string {
	return [sections]string{
		"resource_changes", "resource_drift", "deferred_changes", "action_invocations",
		"deferred_action_invocations", "prior_state",
	}[kind]
}

// reset empties the change, but not the memory of its values.
func (r *changeReader) reset(kind int) {
	c := &r.change
	*c = Change{
		Kind:   [...]ChangeKind{Planned, Drift, Deferred, Invoked, Deferred}[kind],
		Before: literal(c.Before, "null"), After: literal(c.After, "null"),
		AfterUnknown: literal(c.AfterUnknown, "false"), BeforeSensitive: literal(c.BeforeSensitive, "false"),
		AfterSensitive: literal(c.AfterSensitive, "false"),
	}
}

func literal(to jsontext.Value, text string) jsontext.Value { return append(to[:0], text...) }

// resource reads an entry of resource_changes, and what is like one.
func (r *changeReader) resource() (bool, error) {
	c := &r.change
	return r.object(func(name []byte) error {
		switch string(name) {
		case "previous_address":
			return r.text(&c.PreviousAddress)
		case "module_address":
			return r.word(&c.Module)
		case "mode":
			return r.word((*string)(&c.Mode))
		case "deposed":
			return r.text(&c.Deposed)
		case "action_reason":
			return r.word(&c.Reason)
		case "change":
			_, err := r.object(r.changed)
			return err
		}
		return r.named(name)
	})
}

// named reads a member that says what an entry of either kind is about, and skips others.
func (r *changeReader) named(name []byte) error {
	c := &r.change
	switch string(name) {
	case "address":
		return r.text(&c.Address)
	case "type":
		return r.word(&c.Type)
	case "name":
		return r.word(&c.Name)
	case "provider_name":
		return r.word(&c.Provider)
	}
	return r.skip()
}

// changed reads one member of an entry's change.
func (r *changeReader) changed(name []byte) error {
	c := &r.change
	switch string(name) {
	case "actions":
		return r.actions()
	case "importing":
		return r.importing()
	case "before":
		return r.want(&c.Before)
	case "after":
		return r.want(&c.After)
	case "after_unknown":
		return r.want(&c.AfterUnknown)
	case "before_sensitive":
		return r.want(&c.BeforeSensitive)
	case "after_sensitive":
		return r.want(&c.AfterSensitive)
	}
	return r.skip()
}

// want keeps a value if values are wanted.
func (r *changeReader) want(to *jsontext.Value) error {
	if !r.keeps {
		return r.skip()
	}
	return r.keep(to)
}

// maxActions caps the actions of one change: Terraform knows two at most.
const maxActions = 8

func (r *changeReader) actions() error {
	r.change.Actions = nil
	return r.list(func(i int) error {
		if i == maxActions {
			return badPlan("", "%s of the plan has more than %d elements", r.place(), maxActions)
		}
		var action string
		if err := r.word(&action); err != nil {
			return err
		}
		if action == "" {
			return badPlan("", "%s of the plan is empty and should name an action", r.place())
		}
		r.change.Actions = append(r.change.Actions, tfjson.Action(action))
		return nil
	})
}

// importing reads what is imported: an id, or since Terraform 1.12 an identity, or
// neither when it is not known yet.
func (r *changeReader) importing() error {
	r.identity = r.identity[:0]
	found, err := r.object(func(name []byte) error {
		switch string(name) {
		case "id":
			return r.text(&r.change.Importing)
		case "identity":
			return r.keep(&r.identity)
		}
		return r.skip()
	})
	if err != nil || !found || r.change.Importing != "" {
		return err
	}
	r.change.Importing = "unknown"
	if kind := r.identity.Kind(); (kind == '{' || kind == '"') && len(r.identity) <= maxString {
		r.change.Importing = fmt.Sprintf("identity %s", r.identity)
	}
	return nil
}

// invocation reads an entry of action_invocations: what the action is told is After.
func (r *changeReader) invocation() (bool, error) {
	c := &r.change
	c.Actions = tfjson.Actions{Invoke}
	return r.object(func(name []byte) error {
		switch string(name) {
		case "config_values":
			return r.want(&c.After)
		case "config_unknown":
			return r.want(&c.AfterUnknown)
		case "config_sensitive":
			return r.want(&c.AfterSensitive)
		case "lifecycle_action_trigger":
			_, err := r.object(func(name []byte) error {
				switch string(name) {
				case "triggering_resource_address":
					return r.text(&c.Trigger)
				case "action_trigger_event":
					return r.word(&c.Reason)
				}
				return r.skip()
			})
			return err
		}
		return r.named(name)
	})
}
