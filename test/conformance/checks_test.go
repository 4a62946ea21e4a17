package conformance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/mollyguard/mollyguard/operation"
)

func TestARefusalIsFoundInTheAuditLog(t *testing.T) {
	answer := func(code int32, message string, annotations map[string]string) auditv1.Event {
		return auditv1.Event{Verb: "delete", RequestURI: "/x", ResponseStatus: &metav1.Status{Code: code, Message: message}, Annotations: annotations}
	}
	for name, test := range map[string]struct {
		event auditv1.Event
		want  int
	}{
		"a request that went through":          {answer(200, "", map[string]string{"object.delete.mollyguard.dev/outcome": "allow"}), 0},
		"a conflict between others":            {answer(409, "the object has been modified", nil), 0},
		"a refusal by a hook":                  {answer(403, `admission webhook "object.delete.mollyguard.dev" denied the request`, nil), 1},
		"a refusal by the floor":               {answer(422, "ValidatingAdmissionPolicy 'mollyguard-floor' denied request", nil), 1},
		"a hook that did not answer":           {answer(500, "failed calling webhook", nil), 1},
		"a hook that failed open":              {answer(200, "", map[string]string{"failed-open.validating.webhook.admission.k8s.io/round_0_index_1": "x"}), 1},
		"a decision that only warned somebody": {answer(200, "", map[string]string{"object.delete.mollyguard.dev/outcome": "warn"}), 1},
	} {
		if got := refusals([]auditv1.Event{test.event}); len(got) != test.want {
			t.Errorf("%s: got %q, want %d", name, got, test.want)
		}
	}
}

func TestACallThatShouldNotHaveBeenMadeIsFound(t *testing.T) {
	decided := func(actor, resource string) operation.Decision {
		return operation.Decision{
			Verb: operation.Delete, Actor: operation.Identity{Name: actor},
			Target: operation.Reference{Ref: operation.KubernetesRef("prod-eu", "", resource, "shop", "x")},
		}
	}
	got := needless([]operation.Decision{
		decided("alice@example.com", "configmaps"),
		decided("system:node:one", "pods"),
		decided("system:serviceaccount:kube-system:job-controller", "pods"),
		decided("alice@example.com", "leases"),
	})
	want := []string{
		"alice@example.com: delete of k8s://prod-eu/core/leases/shop/x",
		"system:node:one: delete of k8s://prod-eu/core/pods/shop/x",
		"system:serviceaccount:kube-system:job-controller: delete of k8s://prod-eu/core/pods/shop/x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
