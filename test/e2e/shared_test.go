package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/test/cluster"
)

// The control planes that tests have one after the other: those of plain have nothing of
// ours, those of installed the definitions and the roles of people. Each test has a server
// of its own, and tidies up behind it. TestMain stops them.
var (
	plain     cluster.Pool
	installed = cluster.Pool{Prepare: install}
)

// install installs what `kubectl apply -k` would, but for the server.
func install(ctx context.Context, c *cluster.Cluster) error {
	for _, manifest := range []string{"crds", "people.yaml"} {
		path, err := filepath.Abs(filepath.Join("../../deploy/base", manifest))
		if err != nil {
			return err
		}
		result, err := c.Kubectl(ctx, c.Admin(), "apply", "-f", path)
		if err != nil {
			return err
		}
		if result.ExitCode != 0 {
			return fmt.Errorf("kubectl apply: %s", result.Stderr)
		}
	}
	return c.WaitForDefinitions(ctx)
}

// What tidy removes: what guards, by what it would refuse, and then the rest.
var (
	guards = []schema.GroupVersionResource{
		admission("mutatingwebhookconfigurations"), admission("validatingwebhookconfigurations"),
		admission("validatingadmissionpolicybindings"), admission("validatingadmissionpolicies"),
	}
	records = []schema.GroupVersionResource{
		record("floors"), record("breakglassrequests"), record("breakglassverdicts"), record("grants"), record("breakglassuses"),
	}
	contents = []schema.GroupVersionResource{
		{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "replicasets"},
		{Version: "v1", Resource: "pods"}, {Version: "v1", Resource: "configmaps"},
	}
)

func admission(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: resource}
}

func record(resource string) schema.GroupVersionResource {
	return v1alpha1.GroupVersion().WithResource(resource)
}

// tidy leaves a control plane as the next test wants it: nothing is guarded, asked for or
// in a namespace, and no namespace says that it is production. Namespaces stay, since it
// takes seconds until one is gone.
func (w *world) tidy(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	defer cancel()
	objects, err := dynamic.NewForConfig(w.admin)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if err = w.tidied(ctx, objects); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the control plane cannot be tidied up: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tidied removes what is left, and says what still is.
func (w *world) tidied(ctx context.Context, objects dynamic.Interface) error {
	var errs []error
	empty := func(resource schema.GroupVersionResource, namespace string) {
		all := objects.Resource(resource).Namespace(namespace)
		err := all.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: new(int64), PropagationPolicy: new(metav1.DeletePropagationBackground)}, metav1.ListOptions{})
		switch {
		case apierrors.IsNotFound(err): // it is not defined here
			return
		case err != nil:
			errs = append(errs, err)
			return
		}
		left, err := all.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name!=kube-root-ca.crt"})
		if err != nil {
			errs = append(errs, err)
		} else if n := len(left.Items); n > 0 {
			errs = append(errs, fmt.Errorf("%d %s are left in %s", n, resource.Resource, namespace))
		}
	}
	for _, resource := range guards {
		empty(resource, "")
	}
	if err := w.unguardedFor(ctx); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, resource := range records {
		empty(resource, "")
	}
	list, err := w.clients.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, namespace := range list.Items {
		switch {
		case strings.HasPrefix(namespace.Name, "kube-"):
			continue
		case namespace.DeletionTimestamp != nil:
			errs = append(errs, fmt.Errorf("namespace %s is on its way", namespace.Name))
			continue
		case namespace.Labels["env"] != "":
			if _, err := w.clients.CoreV1().Namespaces().Patch(ctx, namespace.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"env":null}}}`), metav1.PatchOptions{}); err != nil {
				errs = append(errs, err)
			}
		}
		for _, resource := range contents {
			empty(resource, namespace.Name)
		}
	}
	return errors.Join(errs...)
}

// unguardedFor says what an API server refuses that has not yet seen that its guards are
// gone.
func (w *world) unguardedFor(ctx context.Context) error {
	const name = "tidy"
	labels, dryRun := map[string]string{"env": "production"}, []string{metav1.DryRunAll}
	namespaces, maps := w.clients.CoreV1().Namespaces(), w.clients.CoreV1().ConfigMaps(metav1.NamespaceDefault)
	_, errNamespace := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	_, errMap := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: labels}, metav1.CreateOptions{})
	for _, err := range []error{errNamespace, errMap} {
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	_, errChange := maps.Patch(ctx, name, types.MergePatchType, []byte(`{"data":null,"metadata":{"labels":null}}`), metav1.PatchOptions{DryRun: dryRun})
	return errors.Join(errChange,
		maps.Delete(ctx, name, metav1.DeleteOptions{DryRun: dryRun}),
		namespaces.Delete(ctx, name, metav1.DeleteOptions{DryRun: dryRun}))
}
