package deploy

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pace"
)

// testPace has two replicas tell each other what they counted, with the rights of the
// service account.
func (s *site) testPace(t *testing.T) {
	clients, err := kubernetes.NewForConfig(s.robot)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := s.admin.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "replica-a", Namespace: namespace}, Spec: restrictedPod(),
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	books := map[string]*pace.Book{}
	ended := make(chan error, 2)
	for pod, uid := range map[string]types.UID{"replica-a": owner.UID, "replica-b": ""} {
		book, err := pace.New(pace.Options{Limit: 20, Window: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		books[pod] = book
		go func() {
			ended <- kube.PaceSharing{Clients: clients, Namespace: namespace, Pod: pod, PodUID: uid, Counts: book}.Run(ctx)
		}()
	}
	alice := func(name string) *operation.Operation {
		return &operation.Operation{
			Verb: operation.Delete, Time: time.Now(), Actor: operation.Actor{Identity: operation.Identity{Name: "alice@example.com"}},
			Target: operation.Target{Reference: operation.Reference{Ref: "k8s://prod/apps/deployments/shop/" + name, Namespace: shop, Name: name}},
		}
	}
	books["replica-a"].Count(alice("web"))
	books["replica-b"].Count(alice("db"))
	books["replica-b"].Count(alice("cache"))
	for pod, book := range books {
		await(t, pod+" to know what both have counted", func(context.Context) (bool, error) {
			got := book.Look(alice("another")).Count
			return got == 4, fmt.Errorf("it knows of %d", got)
		})
	}
	stop()
	for range books {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}

	if err := s.admin.CoreV1().Pods(namespace).Delete(t.Context(), owner.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
		t.Fatal(err)
	}
	leases := s.admin.CoordinationV1().Leases(namespace)
	await(t, "the Lease to go with its pod", func(ctx context.Context) (bool, error) {
		_, err := leases.Get(ctx, "mollyguard-pace-replica-a", metav1.GetOptions{})
		return apierrors.IsNotFound(err), err
	})
	if _, err := leases.Get(t.Context(), "mollyguard-pace-replica-b", metav1.GetOptions{}); err != nil {
		t.Errorf("the Lease of who has no pod: %v", err)
	}
	// What the documentation says of who may see whom Leases are about.
	view, err := s.admin.RbacV1().ClusterRoles().Get(t.Context(), "view", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(view.Rules) == 0 || slices.ContainsFunc(view.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "leases") }) {
		t.Errorf("ClusterRole view shows Leases, or has no rules yet: %v", view.Rules)
	}
}

// restrictedPod is a pod that is let into the namespace.
func restrictedPod() corev1.PodSpec {
	return corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "replica", Image: "example.com/replica",
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}},
	}
}

func TestAReplicaIsToldItsPodsUID(t *testing.T) {
	deployment := one[appsv1.Deployment](t, render(t, base), "Deployment")
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		if variable.Name == "POD_UID" && variable.ValueFrom.FieldRef.FieldPath == "metadata.uid" {
			return
		}
	}
	t.Error("the container has no variable POD_UID")
}
