package cluster

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/rest"
)

// testWebhookAnnotations has two webhooks: one that refuses and annotates, and
// one that is not there and fails open.
func testWebhookAnnotations(t *testing.T, c *Cluster, user *rest.Config) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "not a review", http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{
			UID:              review.Request.UID,
			Result:           &metav1.Status{Message: "not today"},
			AuditAnnotations: map[string]string{"decision": "01J"},
		}
		_ = json.NewEncoder(w).Encode(review)
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	gone.Close()

	webhook := func(name, url string, policy admissionregistrationv1.FailurePolicyType) admissionregistrationv1.ValidatingWebhook {
		none := admissionregistrationv1.SideEffectClassNone
		return admissionregistrationv1.ValidatingWebhook{
			Name:                    name,
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			FailurePolicy:           &policy,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
			ObjectSelector:          &metav1.LabelSelector{MatchLabels: map[string]string{"test": "annotations"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Delete},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}
	}
	if _, err := c.clients.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "annotations"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{
			webhook("refuses.example.com", server.URL, admissionregistrationv1.Fail),
			webhook("gone.example.com", gone.URL, admissionregistrationv1.Ignore),
		},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	const manifest = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"guarded","labels":{"test":"annotations"}}}`
	if got, err := c.KubectlWith(t.Context(), KubectlOptions{Stdin: strings.NewReader(manifest)}, user, "create", "-f", "-"); err != nil || got.ExitCode != 0 {
		t.Fatalf("create: %+v, %v", got, err)
	}
	// The API server takes a moment to notice the configuration: ask with a dry
	// run until it refuses.
	if err := c.poll(t.Context(), "the webhook to be called", func(ctx context.Context) (bool, error) {
		got, err := c.Kubectl(ctx, user, "delete", "configmap", "guarded", "--dry-run=server")
		return got.ExitCode != 0, err
	}); err != nil {
		t.Fatal(err)
	}
	got := kubectl(t, c, user, 1, "delete", "configmap", "guarded")
	if !strings.Contains(got.Stderr, `admission webhook "refuses.example.com" denied the request: not today`) {
		t.Errorf("kubectl says %q", got.Stderr)
	}

	event, err := c.WaitForAudit(t.Context(), func(e *auditv1.Event) bool {
		return e.Verb == "delete" && e.ObjectRef != nil && e.ObjectRef.Name == "guarded" &&
			!strings.Contains(e.RequestURI, "dryRun") && e.Stage == auditv1.StageResponseComplete
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := event.Annotations["refuses.example.com/decision"]; got != "01J" {
		t.Errorf("the webhook's annotation: got %q, want 01J", got)
	}
	open := "failed-open.validating.webhook.admission.k8s.io/round_0_index_1"
	if got := event.Annotations[open]; got != "gone.example.com" {
		t.Errorf("annotation %s: got %q, want gone.example.com; all: %q", open, got, event.Annotations)
	}
}
