package conformance

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ready waits until a Deployment is rolled out, as kubectl rollout status does.
func (l *life) ready(ctx context.Context, namespace, name string) error {
	return l.until(ctx, "Deployment "+namespace+"/"+name, func() error {
		d, err := l.admin.clients.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return rolledOut(d)
	})
}

func rolledOut(d *appsv1.Deployment) error {
	want, s := *d.Spec.Replicas, d.Status
	if s.ObservedGeneration < d.Generation || s.Replicas != want || s.UpdatedReplicas != want || s.AvailableReplicas != want {
		return fmt.Errorf("%d of %d replicas of %s are up to date, %d are available", s.UpdatedReplicas, want, d.Name, s.AvailableReplicas)
	}
	return nil
}

// allReady waits until all Deployments and StatefulSets of a namespace are rolled out.
func (l *life) allReady(ctx context.Context, namespace string) error {
	apps := l.admin.clients.AppsV1()
	return l.until(ctx, "the workloads of "+namespace, func() error {
		deployments, err := apps.Deployments(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range deployments.Items {
			if err := rolledOut(&deployments.Items[i]); err != nil {
				return err
			}
		}
		sets, err := apps.StatefulSets(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, set := range sets.Items {
			want, s := *set.Spec.Replicas, set.Status
			if s.ObservedGeneration < set.Generation || s.Replicas != want || s.UpdatedReplicas != want || s.AvailableReplicas != want || s.CurrentRevision != s.UpdateRevision {
				return fmt.Errorf("%d of %d replicas of %s are up to date, %d are available", s.UpdatedReplicas, want, set.Name, s.AvailableReplicas)
			}
		}
		return nil
	})
}
