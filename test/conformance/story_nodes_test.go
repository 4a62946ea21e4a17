package conformance

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podsOn returns the pods of a namespace that are on a node, or all if it is "".
func (l *life) podsOn(ctx context.Context, namespace, node string) ([]corev1.Pod, error) {
	list, err := l.admin.clients.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var found []corev1.Pod
	for _, pod := range list.Items {
		if node == "" || pod.Spec.NodeName == node {
			found = append(found, pod)
		}
	}
	return found, nil
}

func drain(ctx context.Context, l *life) error {
	_, dev, err := l.places(ctx, "drain")
	if err != nil {
		return err
	}
	if err := l.apply(ctx, l.gitops, dev, service("web", poolSpare, 4)+`
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
`); err != nil {
		return err
	}
	if err := l.ready(ctx, dev, "web"); err != nil {
		return err
	}
	const options = " --ignore-daemonsets --delete-emptydir-data --force --timeout=90s"
	first, second := nodeName(poolSpare, 1), nodeName(poolSpare, 2)
	if err := l.kubectls(ctx, "drain "+first+options, "uncordon "+first, "drain "+second+options); err != nil {
		return err
	}
	if err := l.ready(ctx, dev, "web"); err != nil {
		return err
	}
	// The node is switched off, and whoever did that takes it out of the cluster.
	l.nodes.silence(second)
	return l.kubectl(ctx, "delete", "node", second)
}

// loss cuts a node's power. Pods of production are evicted by the taint, others are
// made elsewhere, and when the node is back it finishes what was to go.
func loss(ctx context.Context, l *life) error {
	production, _, err := l.places(ctx, "loss")
	if err != nil {
		return err
	}
	if err := l.apply(ctx, l.gitops, production, service("web", poolFrail, 4)); err != nil {
		return err
	}
	if err := l.ready(ctx, production, "web"); err != nil {
		return err
	}
	lost := nodeName(poolFrail, 1)
	l.nodes.silence(lost)
	if err := l.until(ctx, "pods of a lost node to be told to go", func() error {
		pods, err := l.podsOn(ctx, production, lost)
		for _, pod := range pods {
			if pod.DeletionTimestamp == nil {
				err = fmt.Errorf("pod %s stays", pod.Name)
			}
		}
		return err
	}); err != nil {
		return err
	}
	if err := l.ready(ctx, production, "web"); err != nil {
		return err
	}
	l.nodes.wake(lost)
	return l.until(ctx, "the node to be back", func() error {
		if err := l.nodeReady(ctx, lost); err != nil {
			return err
		}
		pods, err := l.podsOn(ctx, production, "")
		if err == nil && len(pods) != 4 {
			err = fmt.Errorf("there are %d pods", len(pods))
		}
		return err
	})
}

// preemption takes a pod of production away for another.
func preemption(ctx context.Context, l *life) error {
	production, _, err := l.places(ctx, "preemption")
	if err != nil {
		return err
	}
	if err := l.apply(ctx, l.gitops, production, service("web", poolTight, 1)); err != nil {
		return err
	}
	if err := l.ready(ctx, production, "web"); err != nil {
		return err
	}
	pods, err := l.podsOn(ctx, production, nodeName(poolTight, 1))
	if err != nil || len(pods) != 1 {
		return fmt.Errorf("there are %d pods, want 1: %w", len(pods), err)
	}
	// Its own Deployment makes another, which finds no room.
	if err := l.kubectls(ctx, "-n "+production+" scale deployment web --replicas=2"); err != nil {
		return err
	}
	if err := l.apply(ctx, l.gitops, production, `
apiVersion: v1
kind: Pod
metadata: {name: important, labels: {env: production}}
spec:
  priorityClassName: important
  nodeName: `+nodeName(poolTight, 1)+`
  containers: [{name: main, image: example.com/app:1}]
`); err != nil {
		return err
	}
	if err := l.preempt(ctx, &pods[0]); err != nil {
		return err
	}
	return l.until(ctx, "the important pod to have the node for itself", func() error {
		pods, err := l.podsOn(ctx, production, nodeName(poolTight, 1))
		if err == nil && (len(pods) != 1 || pods[0].Name != "important" || pods[0].Status.Phase != corev1.PodRunning) {
			err = fmt.Errorf("there are %d pods", len(pods))
		}
		return err
	})
}
