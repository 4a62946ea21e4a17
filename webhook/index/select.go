package index

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"
)

// podSelector is a label selector as it is kept.
type podSelector struct {
	labels.Selector
	// apart says that the pods of one template must be told apart, by the labels that are
	// theirs alone.
	apart bool
	// overlong is one that may select anything: it is not kept.
	overlong bool
	// values is what its values cost to compare, in labels: some ten are as one.
	values int
}

// compile returns what is kept of a selector, which is not nil.
func compile(selector labels.Selector) *podSelector {
	requirements, _ := selector.Requirements()
	values := 0
	for _, r := range requirements[:min(len(requirements), maxRequirements)] {
		values += len(r.ValuesUnsorted())
	}
	if len(requirements) > maxRequirements || values > maxRequirements {
		return &podSelector{overlong: true}
	}
	return &podSelector{
		Selector: selector, values: values / 10,
		apart: slices.ContainsFunc(requirements, func(r labels.Requirement) bool { return slices.Contains(ownLabels, r.Key()) }),
	}
}

// selection are some selectors: what one of them selects is selected.
type selection struct {
	of                   []*podSelector
	all, apart, overlong bool
}

func selectionOf(selectors ...*podSelector) selection {
	s := selection{of: selectors}
	for _, selector := range selectors {
		s.overlong = s.overlong || selector.overlong
		s.all = s.all || !selector.overlong && selector.Empty()
		s.apart = s.apart || selector.apart
	}
	return s
}

// selects reports whether a pod is selected for sure, and adds to compared what it took
// to find out. What is not known of pods and selectors does not select.
func (s selection) selects(template *shape, own extra, compared *int) bool {
	if s.all || template.labelsCut {
		return s.all
	}
	pod := &podLabels{template: template.labels, own: own, compared: compared}
	for _, selector := range s.of {
		if *compared > maxCompared {
			return false
		}
		if selector.overlong {
			continue
		}
		*compared += 1 + selector.values
		if selector.Matches(pod) {
			return true
		}
	}
	return false
}

// match is the selection as podsIn takes it. A pod, or a selector, of which too much was
// left out counts, and is said.
func (s selection) match(compared *int) podMatch {
	m := podMatch{
		is:    func(template *shape, own extra) bool { return s.selects(template, own, compared) },
		may:   func(template *shape) bool { return !s.all && (s.overlong || template.labelsCut) },
		doubt: tooManyLabels, apart: s.apart,
	}
	if s.overlong {
		m.doubt = tooLongSelect
	}
	return m
}
