package guard

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/operation"
)

// EnforcementRule says what the violations of some policies do in some scope.
// An empty list is no restriction. The first rule that fits decides; where none
// does, a violation denies.
type EnforcementRule struct {
	// Policies are policy names.
	Policies []string
	// Namespaces and Actors are patterns for whole names. A cluster-scoped
	// target has no namespace, except that a Namespace counts as its own.
	Namespaces []string
	Actors     []string
	// Surfaces are surfaces, Projects patterns for ids of cloud projects.
	Surfaces []operation.Surface
	Projects []string
	Action   operation.Enforcement
}

type enforcement []enforcementRule

type enforcementRule struct {
	policies           []string
	namespaces, actors patterns
	surfaces           []operation.Surface
	projects           patterns
	action             operation.Enforcement
}

func newEnforcement(rules []EnforcementRule) (enforcement, error) {
	var list enforcement
	var errs []error
	for i, rule := range rules {
		field := fmt.Sprintf("enforcement[%d]", i)
		if !slices.Contains(rule.Action.Values(), string(rule.Action)) {
			errs = append(errs, fmt.Errorf("%s.action: %q is not one of %v", field, rule.Action, rule.Action.Values()))
		}
		namespaces, err := newPatterns(field+".namespaces", rule.Namespaces)
		errs = append(errs, err)
		actors, err := newPatterns(field+".actors", rule.Actors)
		errs = append(errs, err)
		for j, surface := range rule.Surfaces {
			if !slices.Contains(surface.Values(), string(surface)) {
				errs = append(errs, fmt.Errorf("%s.surfaces[%d]: %q is not one of %v", field, j, surface, surface.Values()))
			}
		}
		projects, err := newPatterns(field+".projects", rule.Projects)
		errs = append(errs, err)
		list = append(list, enforcementRule{rule.Policies, namespaces, actors, rule.Surfaces, projects, rule.Action})
	}
	return list, errors.Join(errs...)
}

func (e enforcement) of(policy string, op *operation.Operation) operation.Enforcement {
	namespace := op.Target.Namespace
	if op.Target.Group == "" && op.Target.Resource == "namespaces" {
		namespace = op.Target.Name
	}
	for _, rule := range e {
		if (len(rule.policies) == 0 || slices.Contains(rule.policies, policy)) &&
			(len(rule.namespaces) == 0 || rule.namespaces.match(namespace)) &&
			(len(rule.actors) == 0 || rule.actors.match(op.Actor.Name)) &&
			(len(rule.surfaces) == 0 || slices.Contains(rule.surfaces, op.Surface)) &&
			(len(rule.projects) == 0 || rule.projects.match(op.Target.Project)) {
			return rule.action
		}
	}
	return operation.EnforceDeny
}

func outcomeOf(e operation.Enforcement) operation.Outcome {
	switch e {
	case operation.EnforceWarn:
		return operation.OutcomeWarn
	case operation.EnforceAlert:
		return operation.OutcomeAlert
	case operation.EnforceOff:
		return operation.OutcomeAllow
	default:
		return operation.OutcomeDeny
	}
}

// strength orders the outcomes that violations lead to.
func strength(o operation.Outcome) int {
	return slices.Index([]operation.Outcome{operation.OutcomeAllow, operation.OutcomeAlert, operation.OutcomeWarn, operation.OutcomeDeny}, o)
}

func stronger(a, b operation.Outcome) operation.Outcome {
	if strength(b) > strength(a) {
		return b
	}
	return a
}

// Exemption lets actors through whatever policies say. It shows in the decision. All
// that is set narrows it; what is left empty is no restriction.
type Exemption struct {
	// Name is what the decision shows; required.
	Name string
	// Actors are patterns for whole user names; at least one. ActorKinds are kinds.
	Actors     []string
	ActorKinds []operation.ActorKind
	// Surfaces, Verbs, Groups and Kinds narrow it to what is done on some surfaces, to
	// some things that are done, to targets of some API groups or services, and of some
	// kinds. All verbs of an operation have to be among Verbs.
	Surfaces []operation.Surface
	Verbs    []operation.Verb
	Groups   []string
	Kinds    []string
	// Names are patterns for whole names of targets, Selectors label selectors, as
	// kubectl -l takes them: any may match. Controlled narrows it to targets that a
	// controller owns, and would make anew. With any of these, a target that takes other
	// production along is not covered.
	Names      []string
	Selectors  []string
	Controlled bool
	// Alone leaves out what somebody does through the actor, as far as the surface
	// tells.
	Alone bool
}

type exemptions []exemption

type exemption struct {
	Exemption
	actors, names patterns
	selectors     []labels.Selector
}

func (e exemption) covers(op *operation.Operation) bool {
	return e.actors.match(op.Actor.Name) &&
		oneOf(e.ActorKinds, op.Actor.Kind) &&
		oneOf(e.Surfaces, op.Surface) &&
		!slices.ContainsFunc(op.Verbs(), func(v operation.Verb) bool { return !oneOf(e.Verbs, v) }) &&
		oneOf(e.Groups, op.Target.Group) &&
		oneOf(e.Kinds, op.Target.Kind) &&
		(len(e.names) == 0 || e.names.match(op.Target.Name)) &&
		(len(e.selectors) == 0 || anyMatches(e.selectors, op.Target.Labels)) &&
		(!e.Controlled || op.Target.Controlled) &&
		!(e.byLooks() && takesOthers(op)) &&
		!(e.Alone && len(op.Origin.Delegation) > 0)
}

// byLooks reports whether an exemption goes by what a target shows: others can be made to
// depend on such a one.
func (e exemption) byLooks() bool { return len(e.names)+len(e.selectors) > 0 || e.Controlled }

// takesOthers reports whether production of its own goes with the target: more than
// what a pod has for itself.
func takesOthers(op *operation.Operation) bool {
	return slices.ContainsFunc(op.Dependents, func(d operation.Dependents) bool {
		goes := d.Via == operation.Owned || d.Via == operation.Contained || d.Via == operation.Instance
		return goes && d.Production > 0 && !slices.Contains([]string{"Pod", "PersistentVolumeClaim", "ResourceClaim"}, d.Kind)
	})
}

// oneOf reports whether a value is in a list, or the list is no restriction.
func oneOf[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

func newExemptions(list []Exemption) (exemptions, error) {
	var parsed exemptions
	var errs []error
	for i, e := range list {
		field := fmt.Sprintf("exempt[%d]", i)
		if e.Name == "" {
			errs = append(errs, fmt.Errorf("%s.name: missing: a decision shows it", field))
		}
		if len(e.Actors) == 0 {
			errs = append(errs, fmt.Errorf("%s.actors: missing: an exemption for everybody is no guard", field))
		}
		actors, err := newPatterns(field+".actors", e.Actors)
		errs = append(errs, err)
		names, err := newPatterns(field+".names", e.Names)
		errs = append(errs, err)
		selectors, err := parseSelectors(field+".selectors", e.Selectors)
		errs = append(errs, err)
		parsed = append(parsed, exemption{e, actors, names, selectors})
	}
	return parsed, errors.Join(errs...)
}

// find returns the name of the first exemption that covers the actor of op.
func (e exemptions) find(op *operation.Operation) (string, bool) {
	for _, exemption := range e {
		if exemption.covers(op) {
			return exemption.Name, true
		}
	}
	return "", false
}
