package index

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// budgetManifest is what is read of a PodDisruptionBudget (policy/v1).
type budgetManifest struct {
	header
	Spec struct {
		Selector       *metav1.LabelSelector `json:"selector"`
		MinAvailable   *intstr.IntOrString   `json:"minAvailable"`
		MaxUnavailable *intstr.IntOrString   `json:"maxUnavailable"`
	} `json:"spec"`
	Status struct {
		ExpectedPods int32 `json:"expectedPods"`
	} `json:"status"`
}

// facts: a budget without a selector selects nothing, one with an empty selector all
// pods of its namespace (policy/v1 PodDisruptionBudgetSpec).
func (b *budgetManifest) facts() (any, error) {
	if b.Spec.Selector == nil {
		return &Budget{Worthless: true}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		return &Budget{Worthless: true}, fmt.Errorf("read spec.selector: %w", err)
	}
	worthless, err := b.worthless()
	return &Budget{Selector: selector, Worthless: worthless}, err
}

// worthless computes as the disruption controller does (k8s.io/kubernetes
// pkg/controller/disruption getExpectedPodCount): percentages of the expected pods,
// rounded up, and maxUnavailable before minAvailable. A budget with neither lets nothing
// be disrupted. What can't be computed is worth nothing.
func (b *budgetManifest) worthless() (bool, error) {
	// All, for a budget whose pods were not counted yet: any number will do.
	expected := 100
	counted := b.Status.ExpectedPods > 0
	if counted {
		expected = int(b.Status.ExpectedPods)
	}
	switch {
	case b.Spec.MaxUnavailable != nil:
		allowed, err := intstr.GetScaledValueFromIntOrPercent(b.Spec.MaxUnavailable, expected, true)
		if err != nil {
			return true, fmt.Errorf("read spec.maxUnavailable: %w", err)
		}
		known := counted || b.Spec.MaxUnavailable.Type == intstr.String
		return known && allowed >= expected, nil
	case b.Spec.MinAvailable != nil:
		needed, err := intstr.GetScaledValueFromIntOrPercent(b.Spec.MinAvailable, expected, true)
		if err != nil {
			return true, fmt.Errorf("read spec.minAvailable: %w", err)
		}
		return needed <= 0, nil
	}
	return false, nil
}

// serviceManifest is what is read of a Service (core/v1).
type serviceManifest struct {
	header
	Spec struct {
		Type     corev1.ServiceType `json:"type"`
		Selector map[string]string  `json:"selector"`
	} `json:"spec"`
}

// facts: a Service without a selector has endpoints that somebody else keeps, and the
// selector of an ExternalName is ignored (core/v1 ServiceSpec).
func (s *serviceManifest) facts() (any, error) {
	if len(s.Spec.Selector) == 0 || s.Spec.Type == corev1.ServiceTypeExternalName {
		return &Service{}, nil
	}
	selector, err := labels.ValidatedSelectorFromSet(s.Spec.Selector)
	if err != nil {
		return &Service{}, fmt.Errorf("read spec.selector: %w", err)
	}
	return &Service{Selector: selector}, nil
}
