package webhook

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
)

// denies is true where the rules of enforcement have a policy deny. It is what
// guard's enforcement decides by, with "true" and "false" for what does not depend on
// the request: the first rule that fits decides, and without one a violation denies.
func (f floor) denies(policy string) string {
	expression := "true"
	for _, rule := range slices.Backward(f.Enforcement) {
		if !concernsKubernetes(rule) || len(rule.Policies) > 0 && !slices.Contains(rule.Policies, policy) {
			continue
		}
		outcome := strconv.FormatBool(rule.Action == operation.EnforceDeny)
		var fits []string
		if len(rule.Namespaces) > 0 {
			fits = append(fits, matches("variables.scope", rule.Namespaces))
		}
		if len(rule.Actors) > 0 {
			fits = append(fits, matches(userName, rule.Actors))
		}
		switch {
		case len(fits) == 0:
			expression = outcome
		case outcome != expression:
			expression = "(" + strings.Join(fits, " && ") + ") ? " + outcome + " : (" + expression + ")"
		}
	}
	return expression
}

// concernsKubernetes says whether a rule can fit what the API server sees, which is in
// no project of a cloud.
func concernsKubernetes(rule guard.EnforcementRule) bool {
	if len(rule.Surfaces) > 0 && !slices.Contains(rule.Surfaces, operation.Kubernetes) {
		return false
	}
	return len(rule.Projects) == 0 || slices.ContainsFunc(rule.Projects, func(text string) bool {
		pattern, err := operation.ParsePattern(text)
		return err == nil && pattern.MatchString("") // configuration refuses one that cannot be parsed
	})
}

// exempt is true for whom an exemption lets through, or empty if there is none for
// this surface.
func (f floor) exempt() string {
	var terms []string
	for _, e := range f.Exempt {
		if term, ok := f.exemption(e); ok {
			terms = append(terms, "("+term+")")
		}
	}
	return strings.Join(terms, " || ")
}

// exemption mirrors guard's. ok is false for one that is not about what the floor
// judges.
func (f floor) exemption(e guard.Exemption) (expression string, ok bool) {
	if len(e.Surfaces) > 0 && !slices.Contains(e.Surfaces, operation.Kubernetes) {
		return "", false
	}
	terms := []string{matches(userName, e.Actors)}
	if len(e.ActorKinds) > 0 {
		terms = append(terms, f.isOneOf(e.ActorKinds))
	}
	if len(e.Verbs) > 0 {
		var operations []string
		if slices.Contains(e.Verbs, operation.Delete) {
			operations = append(operations, "DELETE")
		}
		if slices.Contains(e.Verbs, operation.Unprotect) {
			operations = append(operations, "UPDATE")
		}
		if len(operations) == 0 {
			return "", false
		}
		terms = append(terms, "request.operation in "+celTexts(operations))
	}
	if len(e.Groups) > 0 {
		terms = append(terms, "request.resource.group in "+celTexts(e.Groups))
	}
	if len(e.Kinds) > 0 {
		terms = append(terms, "request.kind.kind in "+celTexts(e.Kinds))
	}
	if len(e.Names) > 0 {
		terms = append(terms, matches(`string(oldObject.?metadata.?name.orValue(""))`, e.Names))
	}
	if len(e.Selectors) > 0 {
		terms = append(terms, matchesAny("oldObject", parsedSelectors(e.Selectors)))
	}
	if e.Controlled {
		terms = append(terms, isControlled)
	}
	return strings.Join(terms, " && "), true
}

// isOneOf mirrors mapper.actorKind for the users that the floor is asked about, of whom
// none is the control plane.
func (f floor) isOneOf(kinds []operation.ActorKind) string {
	agent, system := matches(userName, f.Agents), userName+`.startsWith("system:")`
	var terms []string
	for _, kind := range kinds {
		switch kind {
		case operation.Agent:
			terms = append(terms, agent)
		case operation.Service:
			terms = append(terms, "(!"+agent+" && "+system+")")
		case operation.Human:
			terms = append(terms, "(!"+agent+" && !"+system+")")
		}
	}
	if len(terms) == 0 {
		return "false"
	}
	return "(" + strings.Join(terms, " || ") + ")"
}

// parsedSelectors leaves out what does not parse, which configuration refuses: an
// exemption must not be wider than it was written.
func parsedSelectors(texts []string) []labels.Selector {
	var list []labels.Selector
	for _, text := range texts {
		if selector, err := guard.ParseSelector(text); err == nil {
			list = append(list, selector)
		}
	}
	return list
}
