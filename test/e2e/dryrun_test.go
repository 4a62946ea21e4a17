package e2e

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/operation"
)

func TestAFirstInstallationOnlyWarns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", "--dry-run-enforcement")
	w.shop(t, "shop", "")

	got := w.kubectl(t, "-n", "shop", "delete", "configmap", "settings")
	if want := "Warning: mollyguard production-delete: ConfigMap shop/settings is production (label env=production): delete would be refused: production must not be deleted (decision "; got.ExitCode != 0 || !strings.HasPrefix(got.Stderr, want) {
		t.Errorf("exit %d, %s", got.ExitCode, got.Stderr)
	}
	decisions, err := w.server.Decisions()
	if err != nil {
		t.Fatal(err)
	}
	last := decisions[len(decisions)-1]
	if last.Outcome != operation.OutcomeWarn || last.Violations[0].Enforcement != operation.EnforceWarn {
		t.Errorf("recorded as %+v", last)
	}
	configuration, err := w.clients.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "mollyguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range configuration.Webhooks {
		if *hook.FailurePolicy != admissionregistrationv1.Ignore {
			t.Errorf("%s fails closed", hook.Name)
		}
	}
	w.server.Kill()
	if got := w.kubectl(t, "-n", "shop", "delete", "deployment", "web"); got.ExitCode != 0 {
		t.Errorf("with the server killed: exit %d, %s", got.ExitCode, got.Stderr)
	}
}
