package tfplan

import (
	"fmt"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mollyguard/mollyguard/operation"
)

// MapperOptions say how changes are read.
type MapperOptions struct {
	// Rules say what is known of providers, in order: see EmbeddedRules, ReadRules.
	Rules []Rules
	// Marked reports whether labels mark production; nil: none do.
	Marked func(labels map[string]string) bool
	// Cluster returns the configured name of the cluster that a Kubernetes object is in, by
	// its address and the constants of its provider's configuration, or "". Objects are
	// then called by their address, and the cluster counts as unknown. With nil no clusters
	// are configured, and none is unknown.
	Cluster func(address string, provider map[string]string) string
	// Appliers are the names by which IAM knows who applies: an e-mail, an ARN.
	Appliers []string
	// Protected reports whether what is at an address is production because of that: to
	// move it elsewhere is to unprotect it. Nil: nothing is.
	Protected func(address string) bool
	// Own reports whether a target is Mollyguard's own; nil: none is. It is asked once the
	// target has its names.
	Own func(*operation.Target) bool
	// NamespaceLabelsCount says that labels of namespaces can make what is in them
	// production. Those that the plan does not tell are then unknown.
	NamespaceLabelsCount bool
	// ProjectsCount says that projects can make what is in them production. Where there is
	// no telling the project of a resource that is in one, it is then unknown.
	ProjectsCount bool
}

// Mapper maps changes to operations. It may be used by several goroutines at once, as
// long as the functions of its options may be.
type Mapper struct {
	options  MapperOptions
	everyone *family
	families map[string]*family // by provider
	types    map[string]*typeRule
	patterns []typePattern   // types with a star, later ones first
	appliers map[string]bool // in lower case
	unions   map[families]*family
}

// Whole is what all operations of a plan share.
type Whole struct {
	// Plan is operation.PlanReference of the plan.
	Plan operation.Reference
	// State is the lineage of the state, or where that is not known the workspace, or
	// "default": see operation.TerraformRef.
	State, Workspace string
	Actor            operation.Actor
	Source           operation.Source
	Origin           operation.Origin
	// MaxDestroys and MaxShare are as in operation.Plan.
	MaxDestroys, MaxShare int
	// Unsafe is what was left out when the plan was made.
	Unsafe []operation.Hazard
	Head   Head

	// namespaces are those that the plan tells of, once somebody needs them.
	namespaces namespaces
	// provisioned is how many resources run provisioners.
	provisioned int
}

// NewMapper returns a Mapper by the options. It is an error if rules are broken, which
// those of ReadRules and EmbeddedRules are not.
func NewMapper(o MapperOptions) (*Mapper, error) {
	m := &Mapper{
		options: o, everyone: &family{}, families: map[string]*family{},
		types: map[string]*typeRule{}, appliers: map[string]bool{},
	}
	for _, name := range o.Appliers {
		if name != "" {
			for _, one := range applierNames(name) {
				m.appliers[one] = true
			}
		}
	}
	for i := range o.Rules {
		if err := m.add(&o.Rules[i]); err != nil {
			return nil, fmt.Errorf("rules for %s: %w", strings.Join(o.Rules[i].Providers, ", "), err)
		}
	}
	m.unite()
	return m, nil
}

// reading is one change that is being mapped.
type reading struct {
	m      *Mapper
	c      *Change
	w      *Whole
	family *family
	rule   *typeRule
	does   effect

	before, after, unknown          any
	beforeSensitive, afterSensitive any

	unread []route // labels that cannot be read
	// clusterAfter and clusterBefore are by where the object is, and was before a move.
	clusterAfter, clusterBefore string

	op    operation.Operation
	verbs []operation.Verb
}

// Map maps a change to an operation. judged is false if it neither destroys nor weakens
// anything; then the operation says what it is all the same. It is a function of its
// arguments alone, and an error, a *BadPlanError, says that the change has no form.
func (m *Mapper) Map(c *Change, w *Whole) (op operation.Operation, judged bool, err error) {
	r, err := m.read(c, w)
	if err != nil {
		return operation.Operation{}, false, err
	}
	r.moved()
	switch {
	case r.does.reads && len(r.verbs) == 0:
		return r.op, false, nil
	case r.does.invokes:
		r.invoked()
	case r.does.unknown != "":
		r.add(operation.Unknown, "Terraform's action is "+shown(r.does.unknown, maxWord))
		r.missing("what the action " + shown(r.does.unknown, maxWord) + " does")
	}
	if r.does.destroys() {
		r.destroyed()
	}
	if r.does.makes() {
		r.weakened()
		r.granted()
	}
	r.owned()
	judged = len(r.verbs) > 0
	if judged {
		r.told()
	}
	return r.finish(), judged, nil
}

// read reads what a change is about.
func (m *Mapper) read(c *Change, w *Whole) (r *reading, err error) {
	r = &reading{m: m, c: c, w: w, does: effectOf(c), rule: m.typeOf(c.Type)}
	r.family = m.readAs(c.Provider, r.rule)
	for _, part := range []struct {
		raw  []byte
		into *any
	}{
		{c.Before, &r.before}, {c.After, &r.after}, {c.AfterUnknown, &r.unknown},
		{c.BeforeSensitive, &r.beforeSensitive}, {c.AfterSensitive, &r.afterSensitive},
	} {
		if *part.into, err = decode(part.raw); err != nil {
			return nil, badPlan("make the plan anew", "the values of %s cannot be read: %v",
				shown(c.Address, maxAddress), err)
		}
	}
	if r.rule != nil {
		r.before, r.after = r.rule.parsed(r.before), r.rule.parsed(r.after)
		r.aliased()
	}
	r.op = operation.Operation{
		Surface: operation.Terraform, Verb: operation.Update, Phase: operation.Requested,
		Actor: w.Actor, Origin: w.Origin, Source: w.Source, Plan: w.plan(),
	}
	if c.Kind == Drift {
		r.op.Phase = operation.Finished
	}
	r.target()
	return r, nil
}

// plan is what the plan does as a whole.
func (w *Whole) plan() operation.Plan {
	p := operation.Plan{
		Workspace: shown(w.Workspace, maxWord), Managed: w.Head.Managed, Destroys: w.Head.Destroys, Share: w.Head.Share(),
		MaxDestroys: w.MaxDestroys, MaxShare: w.MaxShare, Unsafe: w.Unsafe,
	}
	return p
}

// add notes that the change does something that is judged.
func (r *reading) add(verb operation.Verb, changes ...string) {
	r.verbs = append(r.verbs, verb)
	r.op.Changes = append(r.op.Changes, changes...)
}

// missing notes what could not be learnt.
func (r *reading) missing(what string) { r.op.Unknown = append(r.op.Unknown, what) }

// effect is what a list of actions amounts to.
type effect struct {
	deletes, forgets, creates, updates, createsFirst, invokes bool
	// reads: nothing is done but read, or nothing at all.
	reads bool
	// unknown is an action that is not known, or "none".
	unknown string
}

func (e effect) destroys() bool { return e.deletes || e.forgets }
func (e effect) makes() bool    { return e.creates || e.updates }

func effectOf(c *Change) effect {
	var e effect
	if c.Kind == Invoked {
		return effect{invokes: true}
	}
	idle := true
	for i, action := range c.Actions {
		switch action {
		case tfjson.ActionDelete:
			e.deletes = true
		case tfjson.ActionForget:
			e.forgets = true
		case tfjson.ActionCreate:
			e.creates, e.createsFirst = true, i == 0 && len(c.Actions) > 1
		case tfjson.ActionUpdate:
			e.updates = true
		case Invoke:
			e.invokes = true
		case tfjson.ActionRead, tfjson.ActionNoop:
			continue
		default:
			e.unknown = string(action)
			if e.unknown == "" {
				e.unknown = "none"
			}
		}
		idle = false
	}
	if len(c.Actions) == 0 {
		e.unknown, idle = "none", false
	}
	e.reads = idle
	return e
}
