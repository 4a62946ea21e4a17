package conformance

import (
	"context"
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ordinaryWork is done every day in namespaces of production, by what is not
// Kubernetes' own, and refused all the same: with the policies that Mollyguard comes
// with, it cannot be told from harm. That is why it is not part of the life. Whoever
// has it exempts who does it; docs/conformance.md says how.
//
// One that is not refused any more belongs into the life.
var ordinaryWork = []struct {
	name, manifest string
	do             func(context.Context, *life, *actor, string) error
}{
	{"Helm deletes a revision that is older than the history it keeps", `
apiVersion: v1
kind: Secret
metadata: {name: sh.helm.release.v1.shop.v1, labels: {owner: helm, name: shop, version: "1", status: superseded}}
type: helm.sh/release.v1
data: {release: eA==}
`, deleted},
	{"GitOps prunes a ConfigMap of an earlier generation, which nothing uses", `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings-7c9f8d6b5, labels: {app.kubernetes.io/instance: shop}}
data: {level: info}
`, deleted},
	{"a hook's finished Job is deleted before the next one is made", `
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade, argocd.argoproj.io/hook: PreSync}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/app:1}]}
`, deleted},
	{"cert-manager removes the Ingress that solved a challenge", `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: cm-acme-http-solver-abcde, labels: {acme.cert-manager.io/http01-solver: "true"}}
spec: {defaultBackend: {service: {name: cm-acme-http-solver, port: {number: 8089}}}}
`, deleted},
	{"an autoscaler that is not in kube-system evicts a pod to empty a node", podManifest, evicted},
	{"an operator deletes a pod to have it made anew", podManifest, deleted},
	{"progressive delivery scales the version before to zero", `
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-before}
spec:
  replicas: 1
  selector: {matchLabels: {app: before}}
  template:
    metadata: {labels: {app: before}}
    spec: {containers: [{name: main, image: example.com/app:1}]}
`, scaledToZero},
}

const podManifest = `
apiVersion: v1
kind: Pod
metadata: {name: one}
spec: {containers: [{name: main, image: example.com/app:1}]}
`

var dryRun = []string{metav1.DryRunAll}

func deleted(ctx context.Context, l *life, as *actor, manifest string) error {
	return l.remove(ctx, as, "ordinary", manifest, metav1.DeleteOptions{DryRun: dryRun})
}

func evicted(ctx context.Context, _ *life, as *actor, _ string) error {
	return as.clients.CoreV1().Pods("ordinary").EvictV1(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Name: "one"},
		DeleteOptions: &metav1.DeleteOptions{DryRun: dryRun},
	})
}

func scaledToZero(ctx context.Context, _ *life, as *actor, _ string) error {
	_, err := as.clients.AppsV1().ReplicaSets("ordinary").UpdateScale(ctx, "web-before",
		&autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "web-before", Namespace: "ordinary"}}, metav1.UpdateOptions{DryRun: dryRun})
	return err
}

// refuseOrdinaryWork tries all ordinary work, as a dry run.
func refuseOrdinaryWork(t *testing.T, l *life) {
	t.Helper()
	if err := l.apply(t.Context(), l.admin, "", namespaceManifest("ordinary", poolProduction)); err != nil {
		t.Fatal(err)
	}
	for _, work := range ordinaryWork {
		t.Run(work.name, func(t *testing.T) {
			if err := l.apply(t.Context(), l.admin, "ordinary", work.manifest); err != nil {
				t.Fatal(err)
			}
			err := work.do(t.Context(), l, l.operator, work.manifest)
			if err == nil || !strings.Contains(err.Error(), "mollyguard") {
				t.Errorf("got %v: it is not refused by Mollyguard any more, so make it part of the life", err)
			}
		})
	}
}
