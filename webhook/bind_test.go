package webhook

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// onePod knows one pod, or fails.
type onePod struct {
	Lookup
	labels map[string]string
	err    error
	asked  []ObjectKey
}

func (o *onePod) Object(_ context.Context, key ObjectKey) (ObjectMeta, error) {
	o.asked = append(o.asked, key)
	return ObjectMeta{UID: "p-1", Labels: o.labels}, o.err
}

func (o *onePod) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return map[string]string{"team": "shop"}, nil
}

// TestABindingIsJudgedByTheLabelsThatItLeaves is about the labels that a Binding puts
// over those of its pod.
func TestABindingIsJudgedByTheLabelsThatItLeaves(t *testing.T) {
	inProduction := map[string]string{"env": "production", "app": "web"}
	for _, tt := range []struct {
		name     string
		pod      map[string]string
		err      error
		brings   map[string]any
		resource string
		verb     operation.Verb
		changes  []string
	}{
		{"another value", inProduction, nil, dev, "pods", operation.Unprotect, []string{`label env=production changed to "dev"`}},
		{"another value, the older way", inProduction, nil, dev, "bindings", operation.Unprotect, []string{`label env=production changed to "dev"`}},
		{"the same value", inProduction, nil, map[string]any{"env": "production"}, "pods", operation.Update, nil},
		{"another label", inProduction, nil, map[string]any{"topology.kubernetes.io/zone": "a"}, "pods", operation.Update, nil},
		{"no label", inProduction, nil, nil, "pods", operation.Update, nil},
		{"a pod that is no production", map[string]string{"env": "dev"}, nil, map[string]any{"env": "test"}, "pods", operation.Update, nil},
		{"a pod that cannot be looked up", nil, errors.New("timeout"), dev, "pods", operation.Unprotect, []string{"labels are put over those of the pod by a binding"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lookup := &onePod{labels: tt.pod, err: tt.err}
			m := testMapper(t)
			reviewer := NewReviewer(ReviewerOptions{Decider: &decider{}, Lookup: lookup, Cluster: "prod-eu", Selectors: m.selectors})
			request := map[string]any{
				"operation": "CREATE", "kind": map[string]any{"version": "v1", "kind": "Binding"}, "name": "web-1",
				"resource": map[string]any{"version": "v1", "resource": tt.resource},
				"object":   map[string]any{"metadata": map[string]any{"name": "web-1", "labels": tt.brings}, "target": map[string]any{"kind": "Node", "name": "n1"}},
			}
			if tt.resource == "pods" {
				request["subResource"] = "binding"
			} else {
				request["name"] = "" // the object may have it alone
			}
			got := reviewer.Review(t.Context(), recorded(request), "").Operation
			want := operation.Target{
				Reference: operation.Reference{Ref: "k8s://prod-eu/core/pods/shop/web-1", Kind: "Pod", Namespace: "shop", Name: "web-1", UID: "p-1"},
				Resource:  "pods", Cluster: "prod-eu", Labels: tt.pod, NamespaceLabels: map[string]string{"team": "shop"},
			}
			if tt.err != nil {
				want.UID, want.Labels = "", nil
			}
			if diff := cmp.Diff(want, got.Target); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if got.Verb != tt.verb {
				t.Errorf("verb %s, want %s", got.Verb, tt.verb)
			}
			if diff := cmp.Diff(tt.changes, got.Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if (len(got.Unknown) > 0) != (tt.err != nil) {
				t.Errorf("unknown: %q", got.Unknown)
			}
			if diff := cmp.Diff([]ObjectKey{{Version: "v1", Resource: "pods", Namespace: "shop", Name: "web-1"}}, lookup.asked); diff != "" {
				t.Errorf("looked up (-want +got):\n%s", diff)
			}
		})
	}
}
