package conformance

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// solverManifest is what answers a challenge (cert-manager pkg/issuer/acme/http), and
// the key of the attempt.
const solverManifest = `
apiVersion: v1
kind: Pod
metadata: {name: cm-acme-http-solver-abcde, labels: {acme.cert-manager.io/http01-solver: "true"}}
spec:
  nodeSelector: {pool: POOL}
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: example.com/app:1}]
---
apiVersion: v1
kind: Service
metadata: {name: cm-acme-http-solver-abcde, labels: {acme.cert-manager.io/http01-solver: "true"}}
spec: {selector: {acme.cert-manager.io/http01-solver: "true"}, ports: [{port: 8089}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: cm-acme-http-solver-abcde, labels: {acme.cert-manager.io/http01-solver: "true"}}
spec: {defaultBackend: {service: {name: cm-acme-http-solver-abcde, port: {number: 8089}}}}
---
apiVersion: v1
kind: Secret
metadata: {name: tls-x7k2p, labels: {cert-manager.io/next-private-key: "true"}}
stringData: {tls.key: x}
`

// challenges are solved, and what solved them is removed.
func challenges(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "challenges")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		manifest := replace(solverManifest, "POOL", pool)
		if err := l.apply(ctx, l.certificates, namespace, manifest); err != nil {
			return err
		}
		if err := l.remove(ctx, l.certificates, namespace, manifest, metav1.DeleteOptions{}); err != nil {
			return err
		}
		if err := l.gone(ctx, namespace, manifest); err != nil {
			return err
		}
	}
	return nil
}

// restarts are pods that an operator deletes, and an autoscaler evicts, to have them
// made anew.
func restarts(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "restarts")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		if err := l.apply(ctx, l.gitops, namespace, service("web", pool, 3)); err != nil {
			return err
		}
		pods := l.operator.clients.CoreV1().Pods(namespace)
		for _, end := range []func(name string) error{
			func(name string) error { return pods.Delete(ctx, name, metav1.DeleteOptions{}) },
			func(name string) error {
				return pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: name}})
			},
		} {
			if err := l.ready(ctx, namespace, "web"); err != nil {
				return err
			}
			pod, err := l.running(ctx, namespace)
			if err != nil {
				return err
			}
			if err := end(pod.Name); err != nil {
				return err
			}
			if err := l.until(ctx, "the pod to go", func() error {
				found, err := l.admin.clients.CoreV1().Pods(namespace).Get(ctx, pod.Name, metav1.GetOptions{})
				if err == nil && found.UID != pod.UID {
					return nil
				}
				return wantGone(err)
			}); err != nil {
				return err
			}
		}
		if err := l.ready(ctx, namespace, "web"); err != nil {
			return err
		}
	}
	return nil
}

// running is some pod of a namespace that is not on its way out.
func (l *life) running(ctx context.Context, namespace string) (*corev1.Pod, error) {
	list, err := l.admin.clients.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			return &list.Items[i], nil
		}
	}
	return nil, fmt.Errorf("no pod in %s", namespace)
}

const versionManifest = `
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-NUMBER
  ownerReferences: [{apiVersion: example.com/v1, kind: Widget, name: one, uid: UID, controller: true, blockOwnerDeletion: true}]
spec:
  replicas: 2
  selector: {matchLabels: {version: "NUMBER"}}
  template:
    metadata: {labels: {version: "NUMBER"}}
    spec:
      nodeSelector: {pool: POOL}
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "example.com/app:NUMBER"}]
`

// progressiveDelivery is what Argo Rollouts does: it keeps a ReplicaSet of each
// version, takes the one before to zero when the next one serves, and later deletes it.
func progressiveDelivery(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "progressive")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		if err := l.apply(ctx, l.gitops, namespace, replace(widgetManifest, "SIZE", "1")); err != nil {
			return err
		}
		rollout, err := l.operator.dynamic.Resource(widgets).Namespace(namespace).Get(ctx, "one", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for version := 1; version <= 3; version++ {
			if err := l.apply(ctx, l.operator, namespace, replace(versionManifest, "NUMBER", fmt.Sprint(version), "UID", string(rollout.GetUID()), "POOL", pool)); err != nil {
				return err
			}
			if err := l.serves(ctx, namespace, version, 2); err != nil {
				return err
			}
			if version == 1 {
				continue
			}
			if err := l.retire(ctx, namespace, version-1); err != nil {
				return err
			}
		}
		if err := l.operator.clients.AppsV1().ReplicaSets(namespace).Delete(ctx, "web-1", metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// retire takes a version to zero, once with the ReplicaSet itself and then by its scale.
func (l *life) retire(ctx context.Context, namespace string, version int) error {
	sets := l.operator.clients.AppsV1().ReplicaSets(namespace)
	name := fmt.Sprint("web-", version)
	if version == 1 {
		if err := l.until(ctx, "the update of "+name, func() error { // which others write the status of
			set, err := sets.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			set.Spec.Replicas = new(int32(0))
			_, err = sets.Update(ctx, set, metav1.UpdateOptions{})
			return err
		}); err != nil {
			return err
		}
	} else if _, err := sets.UpdateScale(ctx, name, &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}, metav1.UpdateOptions{}); err != nil {
		return err
	}
	return l.serves(ctx, namespace, version, 0)
}

// serves waits until so many pods of a version are ready, and no more are there.
func (l *life) serves(ctx context.Context, namespace string, version int, pods int32) error {
	return l.until(ctx, fmt.Sprintf("%d pods of version %d in %s", pods, version, namespace), func() error {
		set, err := l.admin.clients.AppsV1().ReplicaSets(namespace).Get(ctx, fmt.Sprint("web-", version), metav1.GetOptions{})
		if err == nil && (set.Status.Replicas != pods || set.Status.ReadyReplicas != pods) {
			err = fmt.Errorf("%d of %d are ready", set.Status.ReadyReplicas, set.Status.Replicas)
		}
		return err
	})
}
