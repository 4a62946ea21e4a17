package guard

import (
	"errors"
	"fmt"
	"slices"

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

// Exemption lets actors through whatever policies say. It shows in the decision.
type Exemption struct {
	// Name is what the decision shows; required.
	Name string
	// Actors are patterns for whole user names; at least one.
	Actors []string
	// Surfaces, Groups and Kinds narrow it to what is done on some surfaces, to
	// targets of some API groups or services, and of some kinds.
	Surfaces []operation.Surface
	Groups   []string
	Kinds    []string
	// Alone leaves out what somebody does through the actor, as far as the surface
	// tells.
	Alone bool
}

type exemptions []exemption

type exemption struct {
	Exemption
	actors patterns
}

func (e exemption) covers(op *operation.Operation) bool {
	return e.actors.match(op.Actor.Name) &&
		(len(e.Surfaces) == 0 || slices.Contains(e.Surfaces, op.Surface)) &&
		(len(e.Groups) == 0 || slices.Contains(e.Groups, op.Target.Group)) &&
		(len(e.Kinds) == 0 || slices.Contains(e.Kinds, op.Target.Kind)) &&
		!(e.Alone && len(op.Origin.Delegation) > 0)
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
		parsed = append(parsed, exemption{e, actors})
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
