package webhook

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// partition splits all label sets into classes that do not overlap: those that
// one of the selectors matches, and the rest.
func partition(selectors []labels.Selector) (marked, unmarked []metav1.LabelSelector) {
	rest := [][]metav1.LabelSelectorRequirement{nil}
	for _, selector := range selectors {
		requirements, _ := selector.Requirements()
		var outside [][]metav1.LabelSelectorRequirement
		for _, class := range rest {
			// In this class: r1 && r2 && … is inside; outside are !r1, r1 && !r2, …
			inside := slices.Clone(class)
			for _, r := range requirements {
				outside = append(outside, append(slices.Clone(inside), requirement(r, true)))
				inside = append(inside, requirement(r, false))
			}
			marked = append(marked, metav1.LabelSelector{MatchExpressions: inside})
		}
		rest = outside
		if len(rest) > maxClasses { // given up by the caller; keeps this loop small
			break
		}
	}
	for _, class := range rest {
		unmarked = append(unmarked, metav1.LabelSelector{MatchExpressions: class})
	}
	return marked, unmarked
}

func requirement(r labels.Requirement, negate bool) metav1.LabelSelectorRequirement {
	opposite := map[metav1.LabelSelectorOperator]metav1.LabelSelectorOperator{
		metav1.LabelSelectorOpIn:           metav1.LabelSelectorOpNotIn,
		metav1.LabelSelectorOpNotIn:        metav1.LabelSelectorOpIn,
		metav1.LabelSelectorOpExists:       metav1.LabelSelectorOpDoesNotExist,
		metav1.LabelSelectorOpDoesNotExist: metav1.LabelSelectorOpExists,
	}
	operator := metav1.LabelSelectorOpIn
	switch r.Operator() {
	case selection.Exists:
		operator = metav1.LabelSelectorOpExists
	case selection.DoesNotExist:
		operator = metav1.LabelSelectorOpDoesNotExist
	case selection.NotIn, selection.NotEquals:
		operator = metav1.LabelSelectorOpNotIn
	}
	if negate {
		operator = opposite[operator]
	}
	values := slices.Clone(r.ValuesUnsorted())
	slices.Sort(values)
	if len(values) == 0 {
		values = nil
	}
	return metav1.LabelSelectorRequirement{Key: r.Key(), Operator: operator, Values: values}
}
