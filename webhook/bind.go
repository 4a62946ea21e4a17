package webhook

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/operation"
)

// isBinding reports whether a request gives a pod to a node. The API server copies the
// labels of the Binding over those of the pod (k8s.io/kubernetes pkg/registry/core/pod/
// storage, copyLabelsWithOverwriting), so this is an update of them that is none. The
// second way is the older one.
func isBinding(r *request) bool {
	if r.operation != "CREATE" || r.resource.group != "" {
		return false
	}
	return r.resource.resource == "pods" && r.subResource == "binding" || r.resource.resource == "bindings" && r.subResource == ""
}

// bind is the hook for bindings that bring a label by which production is told. The
// scheduler is not sent, and others bring none, but those that the API server itself
// copies from the node.
func (g generator) bind() admissionregistrationv1.ValidatingWebhook {
	hook := g.hook("bind", admissionregistrationv1.Create, "pods/binding", admissionregistrationv1.NamespacedScope, g.FailProtected)
	hook.Rules[0].APIGroups = []string{""}
	hook.Rules[0].Resources = append(hook.Rules[0].Resources, "bindings")
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{
		g.notControlPlane(), g.notChurn(),
		condition("brings-labels", "object == null || object.?metadata.?labels.orValue({}).exists(k, k in "+celTexts(selectorKeys(g.Selectors))+")"),
	}
	return hook
}

// selectorKeys are the labels that selectors look at, sorted.
func selectorKeys(selectors []labels.Selector) []string {
	var keys []string
	for _, selector := range selectors {
		requirements, _ := selector.Requirements()
		for _, requirement := range requirements {
			keys = append(keys, requirement.Key())
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// bound completes the binding of a pod, whose labels have been looked up unless that
// failed: if the pod is no production by its labels any more, that unprotects it.
func (m *mapper) bound(op *operation.Operation, brings labels.Set, known bool) {
	if !known {
		unprotects(op, "labels are put over those of the pod by a binding")
		return
	}
	for _, change := range lostBy(m.selectors, op.Target.Labels, labels.Merge(op.Target.Labels, brings)) {
		unprotects(op, change)
	}
}
