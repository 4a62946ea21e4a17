package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/test/server"
)

// newFloorWorld is a world of break glass with the floor's definition, whose webhook
// fails open: what holds then is the floor.
func newFloorWorld(t *testing.T) *breakGlassWorld {
	t.Helper()
	return newBreakGlassWorld(t, func(o *server.Options) {
		o.Config += "production: {names: [vault]}\n"
		o.Kubernetes = "  floor: {manage: true}\n"
	})
}

func TestTheFloorHoldsWhenTheServerIsDead(t *testing.T) {
	t.Parallel()
	w := newFloorWorld(t)
	w.shop(t, "shop", "")
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: sandbox}\n")

	t.Run("with the server it is the server that answers", func(t *testing.T) { testServerAnswersFirst(t, w) })
	t.Run("a grant opens both", func(t *testing.T) { testGrantOpensBoth(t, w) })
	t.Run("what the API server is told comes back within seconds", func(t *testing.T) { testFloorHeals(t, w) })
	t.Run("with the server killed", func(t *testing.T) { testFloorAlone(t, w) })
	t.Run("switched off, it is taken away", func(t *testing.T) { testFloorSwitchedOff(t, w) })
}

func testServerAnswersFirst(t *testing.T, w *breakGlassWorld) {
	for _, args := range [][]string{
		{"-n", "shop", "delete", "deployment", "web"},
		{"-n", "shop", "delete", "configmap", "--all"},
	} {
		got := w.kubectl(t, args...)
		if got.ExitCode == 0 || !strings.Contains(got.Stderr, "is production (label env=production") || !strings.Contains(got.Stderr, ": delete refused\n") || !strings.Contains(got.Stderr, "  decision ") ||
			strings.Contains(got.Stderr, "ValidatingAdmissionPolicy") {
			t.Errorf("kubectl %s: %s%s, want the server's own refusal", strings.Join(args, " "), got.Stdout, got.Stderr)
		}
	}
}

func testGrantOpensBoth(t *testing.T, w *breakGlassWorld) {
	handle := w.request(t, "delete", "-n", "shop", "configmap", "settings")
	w.approve(t, handle)
	// The server waits with its answer until the floor knows of it.
	if got := w.kubectl(t, "-n", "shop", "delete", "configmap", "settings"); got.ExitCode != 0 {
		t.Errorf("kubectl says %s", got.Stderr)
	}
	w.eventually(t, "the floor to forget it", func() error {
		// The use is repeated for a minute, so that is how long it stays.
		got := w.kubectlAdmin(t, "get", "floor", "mollyguard", "-o", "jsonpath={.spec.grants[*].grant} {.spec.grants[*].expires}")
		fields := strings.Fields(got)
		if len(fields) == 0 {
			return nil
		}
		expires, err := time.Parse(time.RFC3339, fields[len(fields)-1])
		if err != nil || time.Until(expires) > 2*time.Minute || len(fields) != 2 || fields[0] != handle {
			return fmt.Errorf("it has %q", got)
		}
		return nil
	})
}

func testFloorHeals(t *testing.T, w *breakGlassWorld) {
	for _, object := range [][]string{
		{"validatingwebhookconfiguration", "mollyguard"},
		{"mutatingwebhookconfiguration", "mollyguard"},
		{"validatingadmissionpolicy", "mollyguard-floor"},
		{"validatingadmissionpolicybinding", "mollyguard-floor"},
		{"validatingadmissionpolicy", "mollyguard-floor-parents"},
		{"validatingadmissionpolicybinding", "mollyguard-floor-parents"},
	} {
		w.kubectlAdmin(t, append([]string{"delete"}, object...)...)
		w.eventually(t, strings.Join(object, " ")+" to come back", func() error {
			got := w.as(t, w.admin, append([]string{"get"}, object...)...)
			if got.ExitCode != 0 {
				return fmt.Errorf("kubectl says %s", got.Stderr)
			}
			return nil
		})
	}
	w.kubectlAdmin(t, "patch", "validatingadmissionpolicybinding", "mollyguard-floor", "--type=merge", "-p", `{"spec":{"validationActions":["Audit"]}}`)
	w.eventually(t, "the binding to deny again", func() error {
		if got := w.kubectlAdmin(t, "get", "validatingadmissionpolicybinding", "mollyguard-floor", "-o", "jsonpath={.spec.validationActions}"); got != `["Deny"]` {
			return fmt.Errorf("it does %s", got)
		}
		return nil
	})
	const group = "k8s://prod-eu/admissionregistration.k8s.io/"
	w.eventually(t, "it to be in the decision log, with the tool", func() error {
		decisions, err := w.server.Decisions()
		if err != nil {
			return err
		}
		told := map[string][]string{}
		for _, d := range decisions {
			if d.Phase == operation.Finished && d.Outcome == operation.OutcomeAlert && len(d.Violations) > 0 && d.Violations[0].Policy == "guard-weakened" {
				told[d.Target.Ref] = append(told[d.Target.Ref], d.Changes...)
			}
		}
		want := map[string][]string{
			group + "validatingwebhookconfigurations/mollyguard":                 {"deleted, and put right by mollyguard"},
			group + "mutatingwebhookconfigurations/mollyguard":                   {"deleted, and put right by mollyguard"},
			group + "validatingadmissionpolicies/mollyguard-floor":               {"deleted, and put right by mollyguard"},
			group + "validatingadmissionpolicybindings/mollyguard-floor":         {"deleted, and put right by mollyguard", "changed with kubectl-patch, and put right by mollyguard"},
			group + "validatingadmissionpolicies/mollyguard-floor-parents":       {"deleted, and put right by mollyguard"},
			group + "validatingadmissionpolicybindings/mollyguard-floor-parents": {"deleted, and put right by mollyguard"},
		}
		if diff := cmp.Diff(want, told); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

func testFloorAlone(t *testing.T, w *breakGlassWorld) {
	w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain, namespace: shop}\n")
	w.server.Kill()
	w.kubectlAdmin(t, "-n", "shop", "delete", "configmap", "plain")
	if _, err := w.WaitForAudit(t.Context(), func(e *auditv1.Event) bool {
		for key, hook := range e.Annotations {
			if strings.HasPrefix(key, "failed-open.mutation.webhook.admission.k8s.io/") && strings.HasSuffix(hook, ".delete.mollyguard.dev") {
				return e.ObjectRef.Name == "plain"
			}
		}
		return false
	}); err != nil {
		t.Errorf("the API server does not say that it went on without an answer: %v", err)
	}
	// Where the webhook fails open, nothing but the floor is left.
	for _, kind := range []string{"validatingwebhookconfiguration", "mutatingwebhookconfiguration"} {
		w.kubectlAdmin(t, "delete", kind, "mollyguard")
	}
	w.eventually(t, "the API server to stop asking", func() error {
		got := w.kubectl(t, "-n", "shop", "delete", "deployment", "web", "--dry-run=server")
		if got.ExitCode == 0 || !strings.Contains(got.Stderr, "ValidatingAdmissionPolicy 'mollyguard-floor'") {
			return fmt.Errorf("kubectl says %s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-n", "shop", "delete", "deployment", "web"}, "Deployment shop/web is production (label env=production): delete refused. Ask for a grant"},
		{[]string{"-n", "shop", "label", "deployment", "web", "env-"}, "unprotect refused"},
	} {
		if got := w.kubectl(t, tt.args...); got.ExitCode == 0 || !strings.Contains(got.Stderr, tt.want) {
			t.Errorf("kubectl %s: %s%s, want %q", strings.Join(tt.args, " "), got.Stdout, got.Stderr, tt.want)
		}
	}
	for _, args := range [][]string{{"-n", "shop", "delete", "deployment", "web-dev"}, {"delete", "namespace", "sandbox", "--timeout=45s"}} {
		if got := w.kubectl(t, args...); got.ExitCode != 0 {
			t.Errorf("kubectl %s: %s", strings.Join(args, " "), got.Stderr)
		}
	}
}

func testFloorSwitchedOff(t *testing.T, w *breakGlassWorld) {
	w.opts.Kubernetes = "  floor: {manage: false}\n"
	w.start(t)
	w.eventually(t, "the floor to be gone", func() error {
		admission := w.clients.AdmissionregistrationV1()
		policies, err1 := admission.ValidatingAdmissionPolicies().List(t.Context(), metav1.ListOptions{})
		bindings, err2 := admission.ValidatingAdmissionPolicyBindings().List(t.Context(), metav1.ListOptions{})
		configurations, err3 := admission.MutatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
		for _, err := range []error{err1, err2, err3} {
			if err != nil {
				return err
			}
		}
		if n := len(policies.Items) + len(bindings.Items) + len(configurations.Items); n > 0 {
			return fmt.Errorf("%d objects are left", n)
		}
		return nil
	})
	hooks, err := w.clients.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "mollyguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, hook := range hooks.Webhooks {
		names = append(names, hook.Name)
	}
	if !slices.Contains(names, "object.delete.mollyguard.dev") {
		t.Errorf("nobody is asked about deletions: %q", names)
	}
}
