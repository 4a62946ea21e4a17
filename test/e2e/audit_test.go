package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheAuditLogTellsWhatWentPastTheWebhook(t *testing.T) {
	t.Parallel()
	w := newAuditWorld(t)
	for _, shop := range []string{"mediated", "refused", "open", "past"} {
		w.shop(t, shop, "")
		for i := range 2 {
			w.apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: batch-%d, namespace: %s, labels: {app: batch, env: production}}\n", i, shop))
		}
	}
	began := w.during(t, func() {
		w.start(t)
		t.Cleanup(func() { w.server.Kill() })
	})
	pod := func(shop string) string { return w.waitForPods(t, shop, "app=web", 2)[0] }

	t.Run("that the server puts its configuration up is nothing", func(t *testing.T) {
		w.tells(t, began)
	})
	t.Run("what the webhook let through is nothing", func(t *testing.T) {
		name := pod("mediated")
		w.tells(t, w.during(t, func() { w.destroy(t, w.carol, "mediated", name) }))
		w.isAnnotated(t, "mediated", "object.delete.mollyguard.dev/decision", "object.delete.mollyguard.dev/verb")
	})
	t.Run("what the webhook refused is no violation", func(t *testing.T) {
		w.tells(t, w.during(t, func() {
			for _, args := range [][]string{
				{"delete", "configmap", "settings"}, {"scale", "deployment", "web", "--replicas=0"}, {"label", "deployment", "web", "env-"},
			} {
				if got := w.kubectl(t, append([]string{"-n", "refused"}, args...)...); got.ExitCode == 0 {
					t.Errorf("kubectl %s: done", strings.Join(args, " "))
				}
			}
		}))
		w.isAnnotated(t, "refused", "object.delete.mollyguard.dev/decision")
	})
	t.Run("what RBAC refused is an attempt", func(t *testing.T) {
		w.tells(t, w.during(t, func() {
			if got := w.as(t, w.nobody, "-n", "refused", "delete", "configmap", "settings"); got.ExitCode == 0 {
				t.Error("done")
			}
		}), "nobody@example.com refused delete ConfigMap refused/settings  production-delete")
	})
	t.Run("what went on without an answer is told as that", func(t *testing.T) {
		w.openTheDoor(t)
		name := pod("open")
		w.server.Kill()
		w.unguarded(t) // the API server may still have the hooks that fail closed
		const past = " failed-open "
		w.tells(t, w.during(t, func() { w.destroy(t, w.alice, "open", name) }),
			alice+" finished evict Pod open/"+name+past+"production-evict+production-unmediated",
			alice+" finished delete ConfigMap open/settings"+past+"production-delete+production-unmediated",
			alice+" finished scale-to-zero Deployment open/web"+past+"production-scale-to-zero+production-unmediated",
			alice+" finished unknown Deployment open/web"+past+"production-unknown+production-unmediated", // the label
			alice+" finished delete ConfigMap open/"+past+"production-delete+production-unmediated",
			alice+" finished delete Namespace /open"+past+"production-delete+production-unmediated",
		)
		w.isAnnotated(t, "open", "failed-open.validating.webhook.admission.k8s.io/round_0_index_0")
	})
	t.Run("what was done after the webhook was taken away is told, and who took it", func(t *testing.T) {
		name := pod("past")
		const past = " unmediated "
		w.tells(t, w.during(t, func() {
			w.kubectlAdmin(t, "delete", "validatingwebhookconfiguration", "mollyguard")
			w.forgotten(t)
			w.destroy(t, w.alice, "past", name)
		}),
			"kubernetes-admin finished delete ValidatingWebhookConfiguration /mollyguard  guard-weakened",
			alice+" finished evict Pod past/"+name+past+"production-evict+production-unmediated",
			alice+" finished delete ConfigMap past/settings"+past+"production-delete+production-unmediated",
			alice+" finished scale-to-zero Deployment past/web"+past+"production-scale-to-zero+production-unmediated",
			alice+" finished delete ConfigMap past/"+past+"production-delete+production-unmediated",
			alice+" finished delete Namespace /past"+past+"production-delete+production-unmediated",
		)
	})
}
