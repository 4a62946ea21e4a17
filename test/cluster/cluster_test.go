package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const operator = "operator@example.com"

func TestCluster(t *testing.T) {
	began := time.Now()
	c := ForTest(t, Options{})
	t.Logf("started in %s", time.Since(began).Round(10*time.Millisecond))

	user, err := c.User(operator, "engineers")
	if err != nil {
		t.Fatal(err)
	}
	if got := kubectl(t, c, user, 1, "get", "pods"); !strings.Contains(got.Stderr, `User "operator@example.com" cannot list resource "pods"`) {
		t.Errorf("before anything is granted, kubectl says %q", got.Stderr)
	}
	if err := c.Grant(t.Context(), operator, OperatorRole); err != nil {
		t.Fatal(err)
	}

	// The subtests are independent and mostly wait for controllers.
	t.Run("the controller manager holds its lease under its own name", func(t *testing.T) {
		t.Parallel()
		waitForAudit(t, c, "system:kube-controller-manager", "update", "leases", "kube-system", "kube-controller-manager")
	})
	t.Run("an operator may run production and nothing else", func(t *testing.T) {
		t.Parallel()
		testOperatorRole(t, c, user)
	})
	t.Run("a namespace is emptied by the namespace controller and goes", func(t *testing.T) {
		t.Parallel()
		testNamespaceDeletion(t, c, user)
	})
	t.Run("what a deployment owns is deleted by the garbage collector", func(t *testing.T) {
		t.Parallel()
		testGarbageCollection(t, c, user)
	})
	t.Run("what webhooks annotate is in the audit log", func(t *testing.T) {
		t.Parallel()
		testWebhookAnnotations(t, c, user)
	})
	t.Run("a service account is who its token says", func(t *testing.T) {
		t.Parallel()
		testServiceAccount(t, c)
	})
	t.Run("an aggregated role can be granted", func(t *testing.T) {
		t.Parallel()
		testAggregatedRole(t, c)
	})
	t.Run("kubectl gets its options", func(t *testing.T) {
		t.Parallel()
		testKubectlOptions(t, c, user)
	})
}

func testOperatorRole(t *testing.T, c *Cluster, user *rest.Config) {
	clients, err := kubernetes.NewForConfig(user)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		verb, group, resource, subresource string
		want                               bool
	}{
		{"delete", "", "namespaces", "", true},
		{"delete", "", "nodes", "", true},
		{"deletecollection", "", "pods", "", true},
		{"create", "", "pods", "eviction", true},
		{"patch", "", "persistentvolumes", "", true},
		{"update", "", "replicationcontrollers", "scale", true},
		{"update", "apps", "deployments", "scale", true},
		{"delete", "apiextensions.k8s.io", "customresourcedefinitions", "", true},
		{"delete", "policy", "poddisruptionbudgets", "", true},
		{"update", "example.com", "widgets", "", true},
		{"impersonate", "", "users", "", false},
		{"create", "", "serviceaccounts", "token", false},
		{"create", "rbac.authorization.k8s.io", "clusterrolebindings", "", false},
		{"delete", "admissionregistration.k8s.io", "validatingwebhookconfigurations", "", false},
		{"*", "*", "*", "", false},
	} {
		review, err := clients.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: test.verb, Group: test.group, Resource: test.resource, Subresource: test.subresource,
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := review.Status.Allowed; got != test.want {
			t.Errorf("may %s %s/%s %s: got %t, want %t", test.verb, test.group, test.resource, test.subresource, got, test.want)
		}
	}

	got := kubectl(t, c, user, 1, "delete", "clusterrole", "view")
	if !strings.Contains(got.Stderr, `User "operator@example.com" cannot delete resource "clusterroles"`) {
		t.Errorf("kubectl says %q", got.Stderr)
	}
}

func testNamespaceDeletion(t *testing.T, c *Cluster, user *rest.Config) {
	const controller = "system:serviceaccount:kube-system:namespace-controller"
	kubectl(t, c, user, 0, "create", "namespace", "short-lived")
	kubectl(t, c, user, 0, "create", "configmap", "settings", "--namespace=short-lived")
	// kubectl waits until it is gone.
	kubectl(t, c, user, 0, "delete", "namespace", "short-lived")

	_, err := c.clients.CoreV1().Namespaces().Get(t.Context(), "short-lived", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("get the namespace: got %v, want not found", err)
	}
	waitForAudit(t, c, operator, "delete", "namespaces", "short-lived", "short-lived")
	waitForAudit(t, c, controller, "deletecollection", "configmaps", "short-lived", "")
	waitForAudit(t, c, controller, "update", "namespaces/finalize", "short-lived", "short-lived")
}

func testGarbageCollection(t *testing.T, c *Cluster, user *rest.Config) {
	const collector = "system:serviceaccount:kube-system:generic-garbage-collector"
	kubectl(t, c, user, 0, "create", "namespace", "owners")
	kubectl(t, c, user, 0, "create", "deployment", "web", "--image=example.com/web", "--replicas=2", "--namespace=owners")
	list := metav1.ListOptions{LabelSelector: "app=web"}
	var replicaSet string
	if err := c.poll(t.Context(), "two pods", func(context.Context) (bool, error) {
		sets, err := c.clients.AppsV1().ReplicaSets("owners").List(t.Context(), list)
		if err != nil || len(sets.Items) != 1 {
			return false, err
		}
		replicaSet = sets.Items[0].Name
		pods, err := c.clients.CoreV1().Pods("owners").List(t.Context(), list)
		return err == nil && len(pods.Items) == 2, err
	}); err != nil {
		t.Fatal(err)
	}
	kubectl(t, c, user, 0, "delete", "deployment", "web", "--namespace=owners")

	waitForAudit(t, c, operator, "delete", "deployments", "owners", "web")
	waitForAudit(t, c, collector, "delete", "replicasets", "owners", replicaSet)
	if err := c.poll(t.Context(), "the pods to go", func(context.Context) (bool, error) {
		pods, err := c.clients.CoreV1().Pods("owners").List(t.Context(), list)
		return err == nil && len(pods.Items) == 0, err
	}); err != nil {
		t.Error(err)
	}
}

func testServiceAccount(t *testing.T, c *Cluster) {
	robot, err := c.ServiceAccount(t.Context(), "default", "robot")
	if err != nil {
		t.Fatal(err)
	}
	if got := kubectl(t, c, robot, 0, "auth", "whoami", "--output=jsonpath={.status.userInfo.username}"); got.Stdout != "system:serviceaccount:default:robot" {
		t.Errorf("whoami: got %q", got.Stdout)
	}
	if again, err := c.ServiceAccount(t.Context(), "default", "robot"); err != nil || again.BearerToken == "" {
		t.Errorf("asked again: %v", err)
	}
}

func testAggregatedRole(t *testing.T, c *Cluster) {
	const name = "viewer@example.com"
	viewer, err := c.User(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Grant(t.Context(), name, "view"); err != nil {
		t.Fatal(err)
	}
	kubectl(t, c, viewer, 0, "get", "pods", "--all-namespaces")
	if got := kubectl(t, c, viewer, 1, "delete", "namespace", "default"); !strings.Contains(got.Stderr, "cannot delete resource") {
		t.Errorf("a viewer's deletion: kubectl says %q", got.Stderr)
	}
}

func testKubectlOptions(t *testing.T, c *Cluster, user *rest.Config) {
	const manifest = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"piped"}}`
	got, err := c.KubectlWith(t.Context(), KubectlOptions{Stdin: strings.NewReader(manifest)}, user, "create", "-f", "-")
	if err != nil || got.Stdout != "configmap/piped created\n" {
		t.Errorf("from standard input: got %+v, %v", got, err)
	}

	_, err = c.KubectlWith(t.Context(), KubectlOptions{Timeout: 300 * time.Millisecond}, user, "get", "pods", "--watch")
	if err == nil || !strings.Contains(err.Error(), "it did not end within 300ms") {
		t.Errorf("with a timeout: got error %v", err)
	}

	created := waitForAudit(t, c, operator, "create", "configmaps", "default", "piped")
	if got, want := created.UserAgent, "kubectl/v"; !strings.HasPrefix(got, want) {
		t.Errorf("user agent: got %q, want %q first", got, want)
	}
	if got := created.User.Groups; len(got) != 2 || got[0] != "engineers" {
		t.Errorf("groups: got %q, want engineers first", got)
	}
}

// kubectl runs kubectl and fails the test unless it ends with code.
func kubectl(t *testing.T, c *Cluster, user *rest.Config, code int, args ...string) KubectlResult {
	t.Helper()
	got, err := c.Kubectl(t.Context(), user, args...)
	if err != nil {
		t.Fatal(err)
	}
	if got.ExitCode != code {
		t.Fatalf("kubectl %q: exit code %d, want %d\nstdout: %s\nstderr: %s", args, got.ExitCode, code, got.Stdout, got.Stderr)
	}
	return got
}

// waitForAudit waits for an answered request; resource may be resource/subresource.
func waitForAudit(t *testing.T, c *Cluster, user, verb, resource, namespace, name string) *auditv1.Event {
	t.Helper()
	event, err := c.WaitForAudit(t.Context(), func(e *auditv1.Event) bool {
		if e.Stage != auditv1.StageResponseComplete || e.User.Username != user || e.Verb != verb || e.ObjectRef == nil {
			return false
		}
		got := *e.ObjectRef
		if got.Subresource != "" {
			got.Resource += "/" + got.Subresource
		}
		return got.Resource == resource && got.Namespace == namespace && got.Name == name
	})
	if err != nil {
		t.Fatalf("%s %s %s %s/%s: %v", user, verb, resource, namespace, name, err)
	}
	return event
}
