package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// TestUninstallingLeavesNothingThatRefuses goes through it on a real API server; test/e2e does with a server that
// puts things back.
func TestUninstallingLeavesNothingThatRefuses(t *testing.T) {
	c := cluster.ForTest(t, cluster.Options{})
	clients, err := kubernetes.NewForConfig(c.Admin())
	if err != nil {
		t.Fatal(err)
	}
	objects, err := dynamic.NewForConfig(c.Admin())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fresh := func() *uninstaller {
		out.Reset()
		return &uninstaller{
			objects: objects, clients: clients, out: &out, name: "mollyguard", namespace: "mollyguard", deployment: "mollyguard",
			every: 10 * time.Millisecond, quiet: 200 * time.Millisecond,
		}
	}
	printed := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(strings.Join(want, "\n")+"\n", out.String()); diff != "" {
			t.Errorf("printed (-want +got):\n%s", diff)
		}
	}
	apply := func(manifest string) {
		t.Helper()
		result, err := c.KubectlWith(t.Context(), cluster.KubectlOptions{Stdin: strings.NewReader(manifest)}, c.Admin(), "apply", "--filename=-")
		if err != nil || result.ExitCode != 0 {
			t.Fatalf("%v: %s", err, result.Stderr)
		}
	}

	// Where there is nothing there is nothing to do, not even a kind of ours.
	if err := fresh().plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	printed("nothing to do: there is neither a hook nor a server")
	if err := fresh().run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}

	apply(installed)
	if err := fresh().plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	printed("would delete validatingwebhookconfiguration/mollyguard",
		"would delete validatingadmissionpolicybinding/mollyguard-floor",
		"would delete validatingadmissionpolicybinding/mollyguard-break-glass",
		"would delete validatingadmissionpolicy/mollyguard-floor",
		"would delete validatingadmissionpolicy/mollyguard-break-glass",
		"would scale deployment/mollyguard in namespace mollyguard from 2 to 0")

	if err := fresh().run(t.Context()); err != nil {
		t.Fatal(err)
	}
	printed("deleted validatingwebhookconfiguration/mollyguard",
		"deleted validatingadmissionpolicybinding/mollyguard-floor",
		"deleted validatingadmissionpolicybinding/mollyguard-break-glass",
		"deleted validatingadmissionpolicy/mollyguard-floor",
		"deleted validatingadmissionpolicy/mollyguard-break-glass",
		"scaled deployment/mollyguard in namespace mollyguard to 0")
	pods, err := clients.CoreV1().Pods("mollyguard").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) > 0 {
		t.Errorf("%d pods are left", len(pods.Items))
	}
	if err := fresh().plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	printed("nothing to do: there is neither a hook nor a server")

	// Another's are left alone, and who may not do it is told so at once.
	if _, err := clients.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "mollyguard-of-another", metav1.GetOptions{}); err != nil {
		t.Errorf("another's configuration: %v", err)
	}
	nobody, err := c.User("nobody@example.com")
	if err != nil {
		t.Fatal(err)
	}
	u := fresh()
	if u.objects, err = dynamic.NewForConfig(nobody); err != nil {
		t.Fatal(err)
	}
	if err := u.run(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("somebody without rights: %v", err)
	}

	// A server that nobody stops.
	stop := keepPutting(t, clients)
	var exit *exitError
	if err := fresh().run(t.Context()); !errors.As(err, &exit) || exit.code != exitUndecided ||
		exit.Error() != "what was deleted comes back: a server still runs somewhere" || exit.hint == "" {
		t.Errorf("while a server runs: %v", err)
	}
	stop()
	if err := fresh().run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// keepPutting puts a webhook configuration back as a server does, until it is stopped.
func keepPutting(t *testing.T, clients kubernetes.Interface) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	configurations := clients.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	go func() {
		defer close(done)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			_, err := configurations.Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "mollyguard"}}, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) && ctx.Err() == nil {
				t.Error(err)
			}
			<-ticker.C
		}
	}()
	return func() { cancel(); <-done }
}

const installed = `
apiVersion: v1
kind: Namespace
metadata: {name: mollyguard}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: mollyguard, namespace: mollyguard}
spec:
  replicas: 2
  selector: {matchLabels: {app: mollyguard}}
  template:
    metadata: {labels: {app: mollyguard}}
    spec: {containers: [{name: mollyguard, image: example.com/mollyguard}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: mollyguard}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: mollyguard-of-another}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: mollyguard-floor}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [example.com], apiVersions: ["*"], operations: [DELETE], resources: [things]}]}
  validations: [{expression: "false"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: mollyguard-floor}
spec: {policyName: mollyguard-floor, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: mollyguard-break-glass}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [example.com], apiVersions: ["*"], operations: [DELETE], resources: [things]}]}
  validations: [{expression: "false"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: mollyguard-break-glass}
spec: {policyName: mollyguard-break-glass, validationActions: [Deny]}
`
