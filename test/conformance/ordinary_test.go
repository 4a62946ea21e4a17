package conformance

import (
	"context"
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ordinaryWork is done every day in namespaces of production, by what is not
// Kubernetes' own, and refused all the same: it cannot be told from harm unless somebody
// says by what. That is why it is not part of the life. Whoever has it exempts who does
// it, and the names that it is done to; docs/conformance.md says how.
//
// One that is not refused any more belongs into the life.
var ordinaryWork = []struct {
	name, manifest string
	do             func(context.Context, *life, string) error
}{
	{"GitOps prunes a ConfigMap of an earlier generation, which nothing uses", `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings-7c9f8d6b5k, labels: {app.kubernetes.io/instance: shop}}
data: {level: info}
`, pruned},
	{"Flagger scales the Deployment that it takes the next version from to zero", `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: example.com/app:1}]}
`, scaledToZero},
}

var dryRun = []string{metav1.DryRunAll}

func pruned(ctx context.Context, l *life, manifest string) error {
	return l.remove(ctx, l.gitops, "ordinary", manifest, metav1.DeleteOptions{DryRun: dryRun})
}

func scaledToZero(ctx context.Context, l *life, _ string) error {
	_, err := l.operator.clients.AppsV1().Deployments("ordinary").UpdateScale(ctx, "web",
		&autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "ordinary"}}, metav1.UpdateOptions{DryRun: dryRun})
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
			err := work.do(t.Context(), l, work.manifest)
			if err == nil || !strings.Contains(err.Error(), "mollyguard") {
				t.Errorf("got %v: it is not refused by Mollyguard any more, so make it part of the life", err)
			}
		})
	}
}
