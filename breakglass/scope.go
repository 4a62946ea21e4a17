package breakglass

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// Scope is what a grant opens: these verbs on these objects, this many of them,
// in one place, and nothing else.
type Scope struct {
	Surface operation.Surface `json:"surface"`
	// Audience is the cluster or project, as it is configured there.
	Audience string           `json:"audience"`
	Verbs    []operation.Verb `json:"verbs"`
	// Targets are exact: compared byte by byte by Ref, and by UID where there is
	// one, so that an object made anew under the old name is not meant.
	Targets []operation.Reference `json:"targets"`
	// Objects is how many of the targets may be used up, at least 1. Of a Terraform plan
	// it is how many refused operations it may have: the plan itself is used once.
	Objects int `json:"objects"`
	// Whole says that the scope holds what a policy holds against a Terraform plan as a
	// whole, such as how much of the state it removes.
	Whole bool `json:"whole,omitzero"`
}

// Covers says whether the scope holds an operation's target and verb, and if not
// why. It looks neither at times nor at people.
//
// A scope with Mollyguard's own namespace holds whatever else is Mollyguard's own,
// too: an upgrade changes a dozen objects. One of a Terraform plan holds the plan as a
// whole, for which CoversPlan is, and no single operation.
func (s Scope) Covers(op *operation.Operation) error {
	if s.Surface == operation.Terraform {
		return errNotItsTarget
	}
	i := s.named(op.Target.Ref)
	within := i < 0 && s.holds(op)
	if i < 0 && !within || op.Target.Name == "" || s.Surface != op.Surface {
		return errNotItsTarget
	}
	for _, verb := range op.Verbs() {
		if !slices.Contains(s.Verbs, verb) {
			return fmt.Errorf("it is for %s, not for %s", list(s.Verbs), verb)
		}
	}
	if within { // the uid is the namespace's
		return nil
	}
	if uid := s.Targets[i].UID; uid != "" && uid != op.Target.UID {
		return fmt.Errorf("it is for the %s of that name with uid %s; this one has uid %s", s.Targets[i].Kind, uid, op.Target.UID)
	}
	return nil
}

// holds reports whether the scope has the namespace that an operation on Mollyguard
// itself is within.
func (s Scope) holds(op *operation.Operation) bool {
	return op.Target.Within != "" && s.named(op.Target.Within) >= 0
}

// used is what an operation uses up of the scope, and how: its own target or, for what
// is only within one, that one, which is weakened with any part of it.
func (s Scope) used(op *operation.Operation) (operation.Reference, operation.Verb) {
	if s.named(op.Target.Ref) < 0 && s.holds(op) {
		return s.Targets[s.named(op.Target.Within)], operation.Unprotect
	}
	return op.Target.Reference, op.Verb
}

func (s Scope) named(ref string) int {
	return slices.IndexFunc(s.Targets, func(t operation.Reference) bool { return t.Ref == ref })
}

// errNotItsTarget is why most grants of an actor do not cover an operation; it is
// not worth telling.
var errNotItsTarget = errors.New("it is for another object")

func list[T ~string](items []T) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = string(item)
	}
	return strings.Join(texts, ", ")
}

func (s Scope) check() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains(s.Surface.Values(), string(s.Surface)) {
		add("scope.surface: %q is not one of %v", s.Surface, s.Surface.Values())
	}
	if s.Audience == "" {
		add("scope.audience: missing: the cluster or project")
	}
	if err := checkText(s.Audience, MaxName); err != nil {
		add("scope.audience: %w", err)
	}
	if len(s.Verbs) == 0 {
		add("scope.verbs: missing")
	}
	destructive := slices.DeleteFunc(operation.Update.Values(), func(verb string) bool { return verb == string(operation.Update) })
	for _, verb := range s.Verbs {
		// Of a plan, policies refuse updates, too: those that give rights to who applies it.
		ofPlan := s.Surface == operation.Terraform && verb == operation.Update
		if !ofPlan && !slices.Contains(destructive, string(verb)) {
			add("scope.verbs: %q is not one of the destructive verbs %v", verb, destructive)
		}
	}
	if len(s.Targets) == 0 || len(s.Targets) > MaxTargets {
		add("scope.targets: %d, there must be 1 to %d", len(s.Targets), MaxTargets)
	}
	for i := range s.Targets {
		for _, err := range s.checkTarget(i) {
			add("scope.targets[%d]: %w", i, err)
		}
	}
	if len(s.Targets)*len(s.Verbs) > MaxTargets*2 {
		add("scope: %d targets times %d verbs are too many: ask for less at once", len(s.Targets), len(s.Verbs))
	}
	most := MaxObjects
	if s.Surface == operation.Terraform {
		most = MaxPlanned
	}
	if s.Objects < 1 || s.Objects > most {
		add("scope.objects: %d is not between 1 and %d", s.Objects, most)
	}
	if s.Whole && s.Surface != operation.Terraform {
		add("scope.whole: only of a Terraform plan")
	}
	return errs
}

// checkTarget returns all that is wrong with a target.
func (s Scope) checkTarget(i int) []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	target := s.Targets[i]
	if target.Ref == "" || target.Name == "" {
		add("without a name: a grant opens objects that are named")
	}
	for _, text := range []string{target.Ref, target.Kind, target.Namespace, target.Name, target.UID} {
		if err := checkText(text, MaxName); err != nil {
			errs = append(errs, err)
			break
		}
	}
	if name, ok := operation.ParseKubernetesRef(target.Ref); s.Surface == operation.Kubernetes &&
		(!ok || name.Cluster != s.Audience || name.Namespace != target.Namespace || name.Name != target.Name) {
		add("%s is not %s/%s of %s", target.Ref, target.Namespace, target.Name, s.Audience)
	}
	if _, path, ok := operation.ParseGCPRef(target.Ref); s.Surface == operation.GCP &&
		(!ok || target.Namespace != "" || target.Name != path[strings.LastIndex(path, "/")+1:]) {
		add("%s is not the canonical name of a %s called %s: expected gcp://SERVICE/PATH", target.Ref, target.Kind, target.Name)
	}
	if err := s.checkPlanned(i); err != nil {
		errs = append(errs, err)
	}
	if slices.ContainsFunc(s.Targets[:i], func(t operation.Reference) bool { return t.Ref == target.Ref }) {
		add("%s is there twice", target.Ref)
	}
	return errs
}
