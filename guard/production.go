package guard

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/operation"
)

// ProductionRules say what production is. The zero value calls nothing
// production but what is unknown.
type ProductionRules struct {
	// WholeCluster makes everything in the cluster production, also what a Terraform plan
	// does to objects of a cluster.
	WholeCluster bool
	// Selectors are label selectors; an object that one of them matches is
	// production, and so is all in a namespace that one of NamespaceSelectors
	// matches. The syntax is kubectl's -l.
	Selectors          []string
	NamespaceSelectors []string
	// Namespaces and Names are patterns for whole names (Go's RE2 syntax).
	Namespaces []string
	Names      []string
	// Projects are patterns for ids of cloud projects, Ancestors for what they are in:
	// folders/NUMBER, organizations/NUMBER. Selectors hold for resource manager tags
	// and for labels of the project too.
	Projects, Ancestors []string
	// Addresses are patterns for whole addresses of Terraform resources, before or after
	// a move, such as module\.prod\..*, Workspaces for names of Terraform workspaces.
	Addresses, Workspaces []string
	// Never says of which cloud projects nothing is production only because its labels
	// are not known.
	Never NeverProduction
}

// NeverProduction says where what is unknown does not count as production.
type NeverProduction struct{ Projects, Ancestors []string }

type production struct {
	wholeCluster                  bool
	selectors, namespaceSelectors []labels.Selector
	namespaces, names             patterns
	projects, ancestors           patterns
	addresses, workspaces         patterns
	neverProjects, neverAncestors patterns
}

func newProduction(rules ProductionRules) (production, error) {
	p := production{wholeCluster: rules.WholeCluster}
	var errs [10]error
	p.selectors, errs[0] = parseSelectors("production.selectors", rules.Selectors)
	p.namespaceSelectors, errs[1] = parseSelectors("production.namespaceSelectors", rules.NamespaceSelectors)
	p.namespaces, errs[2] = newPatterns("production.namespaces", rules.Namespaces)
	p.names, errs[3] = newPatterns("production.names", rules.Names)
	p.projects, errs[4] = newPatterns("production.projects", rules.Projects)
	p.ancestors, errs[5] = newPatterns("production.ancestors", rules.Ancestors)
	p.neverProjects, errs[6] = newPatterns("production.never.projects", rules.Never.Projects)
	p.neverAncestors, errs[7] = newPatterns("production.never.ancestors", rules.Never.Ancestors)
	p.addresses, errs[8] = newPatterns("production.addresses", rules.Addresses)
	p.workspaces, errs[9] = newPatterns("production.workspaces", rules.Workspaces)
	return p, errors.Join(errs[:]...)
}

func parseSelectors(field string, texts []string) ([]labels.Selector, error) {
	var selectors []labels.Selector
	var errs []error
	for i, text := range texts {
		selector, err := ParseSelector(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", field, i, err))
			continue
		}
		selectors = append(selectors, selector)
	}
	return selectors, errors.Join(errs...)
}

// ParseSelector parses a label selector in kubectl's -l syntax. The empty one is
// refused: it would match everything, which WholeCluster says better.
func ParseSelector(text string) (labels.Selector, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("label selector %q: %w", text, err)
	}
	if selector.Empty() {
		return nil, errors.New("empty label selector: it would match everything")
	}
	return selector, nil
}

// judge says whether an operation touches production, by every rule that says
// so. It reads the target as it was before the operation.
func (p *production) judge(op *operation.Operation, unknownCounts bool) operation.Production {
	because := matching(p.selectors, op.Target.Labels)
	namespace := op.Target.Namespace
	switch {
	case op.Target.Group == "" && op.Target.Resource == "namespaces":
		namespace = op.Target.Name
		because = append(because, matching(p.namespaceSelectors, op.Target.Labels)...)
	case namespace != "": // "env!=dev" matches no labels too, which is not true of what is in no namespace
		if reasons := matching(p.namespaceSelectors, op.Target.NamespaceLabels); len(reasons) > 0 {
			because = append(because, fmt.Sprintf("namespace %s has %s", namespace, strings.Join(reasons, ", ")))
		}
	}
	if namespace != "" && p.namespaces.match(namespace) {
		because = append(because, fmt.Sprintf("namespace %s is production by name", namespace))
	}
	if p.names.match(op.Target.Name) {
		because = append(because, fmt.Sprintf("name %s is production by name", op.Target.Name))
	}
	because = append(because, p.cloud(op.Target)...)
	because = append(because, p.terraform(op)...)
	if op.Target.Own {
		because = append(because, "mollyguard itself guards or sees with it")
	}
	if p.wholeCluster && inCluster(op) {
		because = append(because, strings.TrimSpace("the whole cluster is production "+inParentheses(op.Target.Cluster)))
	}
	if unknownCounts && !p.never(op.Target) {
		for _, unknown := range op.Unknown {
			because = append(because, unknown+", and unknown counts as production")
		}
	}
	target := len(because) > 0
	for _, dependents := range op.Dependents {
		if dependents.Production > 0 {
			because = append(because, dependence(dependents))
		}
	}
	for _, volume := range op.Volumes {
		if volume.Production && !target { // a volume that is the target, or is in it, adds nothing then
			because = append(because, dataOf(volume))
		}
	}
	because = distinct(because)
	return operation.Production{Is: len(because) > 0, Target: target, Because: because}
}

// dependence says in words why a dependent matters.
func dependence(d operation.Dependents) string {
	kind := d.Kind
	if d.Production != 1 {
		kind = operation.Plural(kind)
	}
	what := fmt.Sprintf("%d production %s", d.Production, kind)
	switch d.Via {
	case operation.Bound:
		return what + " bound to it"
	case operation.Mounted:
		return what + " using it"
	case operation.Selected:
		return what + " behind it"
	case operation.Scheduled:
		return what + " on it without a PodDisruptionBudget"
	case operation.Uses:
		return what + " naming it"
	case operation.Scaled:
		return what + " scaled by it"
	case operation.Backs:
		return what + " in the cloud behind it"
	default: // Contained, Instance, Owned
		return what + " would go with it"
	}
}

// dataOf says in words which data of production goes.
func dataOf(v operation.Volume) string {
	switch {
	case v.Claim == "":
		return fmt.Sprintf("volume %s is production", v.Name)
	case v.Name == "":
		return fmt.Sprintf("claim %s is production", v.Claim)
	}
	return fmt.Sprintf("volume %s, claim %s, is production", v.Name, v.Claim)
}

// cloud says why a target is production by what it is in.
func (p *production) cloud(target operation.Target) []string {
	if target.Project == "" {
		return nil
	}
	because := matchingOf("tag", p.selectors, target.Tags)
	if reasons := matching(p.selectors, target.ProjectLabels); len(reasons) > 0 {
		because = append(because, fmt.Sprintf("project %s has %s", target.Project, strings.Join(reasons, ", ")))
	}
	if p.projects.match(target.Project) {
		because = append(because, fmt.Sprintf("project %s is production by name", target.Project))
	}
	for _, ancestor := range target.Ancestors {
		if p.ancestors.match(ancestor) {
			because = append(because, ancestor+" is production by name")
		}
	}
	return because
}

// terraform says why a target is production by where Terraform has it.
func (p *production) terraform(op *operation.Operation) []string {
	var because []string
	for _, address := range []string{op.Target.Address, op.Target.PreviousAddress} {
		if address != "" && p.addresses.match(address) {
			because = append(because, fmt.Sprintf("address %s is production by name", address))
		}
	}
	if workspace := op.Plan.Workspace; workspace != "" && p.workspaces.match(workspace) {
		because = append(because, fmt.Sprintf("workspace %s is production by name", workspace))
	}
	return because
}

// inCluster reports whether a target is an object of a cluster. Terraform says of which
// where it knows.
func inCluster(op *operation.Operation) bool {
	return op.Surface == operation.Kubernetes || op.Surface == operation.Terraform && op.Target.Cluster != ""
}

func (p *production) never(target operation.Target) bool {
	return target.Project != "" && p.neverProjects.match(target.Project) ||
		slices.ContainsFunc(target.Ancestors, p.neverAncestors.match)
}

func inParentheses(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// matching returns the labels that make a selector match, in words.
func matching(selectors []labels.Selector, set map[string]string) []string {
	return matchingOf("label", selectors, set)
}

func matchingOf(what string, selectors []labels.Selector, set map[string]string) []string {
	var reasons []string
	for _, selector := range selectors {
		if !selector.Matches(labels.Set(set)) {
			continue
		}
		var parts []string
		requirements, _ := selector.Requirements()
		for _, requirement := range requirements {
			if value, ok := set[requirement.Key()]; ok {
				parts = append(parts, requirement.Key()+"="+value)
			} else {
				parts = append(parts, requirement.String())
			}
		}
		reasons = append(reasons, what+" "+strings.Join(parts, ","))
	}
	return reasons
}

func distinct(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(s string) bool {
		again := seen[s]
		seen[s] = true
		return again
	})
}

// patterns match whole strings.
type patterns []*regexp.Regexp

func newPatterns(field string, texts []string) (patterns, error) {
	var list patterns
	var errs []error
	for i, text := range texts {
		pattern, err := operation.ParsePattern(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", field, i, err))
			continue
		}
		list = append(list, pattern)
	}
	return list, errors.Join(errs...)
}

func (p patterns) match(s string) bool {
	return slices.ContainsFunc(p, func(r *regexp.Regexp) bool { return r.MatchString(s) })
}
