package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// gitOps applies the same again and again, corrects what somebody changed, and in dev
// prunes what is not in Git any more.
func gitOps(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "git")
	if err != nil {
		return err
	}
	for _, t := range []town{newTown(production, poolProduction), newTown(dev, poolDev)} {
		for round := range 3 {
			if _, _, err := l.places(ctx, "git"); err != nil {
				return err
			}
			for _, manifest := range t.workloads[:len(kinds)] {
				if err := l.apply(ctx, l.gitops, t.name, manifest); err != nil {
					return err
				}
			}
			if round == 1 { // somebody changes what is not theirs
				if err := l.kubectls(ctx, "-n "+t.name+" scale deployment w1 --replicas=5", "-n "+t.name+" label configmap w1 team=other"); err != nil {
					return err
				}
			}
		}
	}
	policies := []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationBackground}
	for i, manifest := range newTown(dev, poolDev).workloads[:len(kinds)] {
		if err := l.remove(ctx, l.gitops, dev, manifest, metav1.DeleteOptions{PropagationPolicy: &policies[i%2]}); err != nil {
			return err
		}
	}
	return l.deleteApplication(ctx, dev)
}

// deleteApplication is what Argo CD does with its own record of an application: it
// keeps a finalizer on it, and drops that when all is pruned.
func (l *life) deleteApplication(ctx context.Context, namespace string) error {
	application := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "application", Finalizers: []string{"resources-finalizer.argocd.argoproj.io/background"}}}
	records := l.gitops.clients.CoreV1().ConfigMaps(namespace)
	if _, err := records.Create(ctx, application, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := records.Delete(ctx, application.Name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	_, err := records.Patch(ctx, application.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	return err
}

// historyMax is Helm's --history-max.
const historyMax = 10

// charts does what Helm does: each revision is a Secret, the one before is marked, and
// what the chart holds is patched. There are more revisions than are kept.
func charts(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "charts")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		if err := l.apply(ctx, l.deployer, namespace, service("web", pool, 2)+"---"+workload(kinds[2], "api", pool, true)); err != nil {
			return err
		}
		for revision := 1; revision <= historyMax+2; revision++ {
			image := 1 + revision/3%2 // upgrades, ways back, and what changes no pod
			if err := l.release(ctx, namespace, revision, image); err != nil {
				return err
			}
			if err := l.ready(ctx, namespace, "web"); err != nil { // helm --wait
				return err
			}
		}
	}
	return nil
}

func revisionName(revision int) string { return "sh.helm.release.v1.shop.v" + strconv.Itoa(revision) }

// release is one upgrade or rollback.
func (l *life) release(ctx context.Context, namespace string, revision, image int) error {
	secrets := l.deployer.clients.CoreV1().Secrets(namespace)
	labels := map[string]string{"owner": "helm", "name": "shop", "version": strconv.Itoa(revision), "status": "pending-upgrade"}
	secret, err := secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: revisionName(revision), Labels: labels},
		Type:       "helm.sh/release.v1",
		Data:       map[string][]byte{"release": fmt.Append(nil, "manifest of ", revision)},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"containers": []any{map[string]any{"name": "main", "image": "example.com/app:" + strconv.Itoa(image)}},
	}}}})
	if err != nil {
		return err
	}
	for _, name := range []string{"web", "api"} {
		if _, err := l.deployer.clients.AppsV1().Deployments(namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "helm"}); err != nil {
			return err
		}
	}
	secret.Labels["status"] = "deployed"
	if _, err := secrets.Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if revision == 1 {
		return nil
	}
	previous, err := secrets.Get(ctx, revisionName(revision-1), metav1.GetOptions{})
	if err != nil {
		return err
	}
	previous.Labels["status"] = "superseded"
	if _, err := secrets.Update(ctx, previous, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if revision > historyMax {
		return secrets.Delete(ctx, revisionName(revision-historyMax), metav1.DeleteOptions{})
	}
	return nil
}

const gadgetDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  names: {kind: Gadget, listKind: GadgetList, plural: gadgets, singular: gadget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

func gadget(i int) string {
	return fmt.Sprintf("apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: gadget-%d}\nspec: {size: %d}\n", i, i)
}

// definitions come and go with their instances, none of which is production.
func definitions(ctx context.Context, l *life) error {
	_, dev, err := l.places(ctx, "definitions")
	if err != nil {
		return err
	}
	if err := l.apply(ctx, l.gitops, "", gadgetDefinition); err != nil {
		return err
	}
	if err := l.until(ctx, "the kind Gadget", func() error {
		_, err := l.gitops.dynamic.Resource(gadgets).List(ctx, metav1.ListOptions{})
		return err
	}); err != nil {
		return err
	}
	for i := range 5 {
		if err := l.apply(ctx, l.gitops, dev, gadget(i)); err != nil {
			return err
		}
	}
	if err := l.kubectls(ctx, "-n "+dev+" delete gadget gadget-0", "delete crd gadgets.example.com --timeout=60s"); err != nil {
		return err
	}
	return l.gone(ctx, "", gadgetDefinition)
}
