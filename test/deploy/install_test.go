package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/test/cluster"
)

const (
	account  = "system:serviceaccount:mollyguard:mollyguard"
	operator = "operator@example.com"
	shop     = "shop" // a namespace that says nothing about production
)

// As on GKE, pods of the critical priority classes need a quota that speaks of
// them.
const admissionConfiguration = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ResourceQuota
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ResourceQuotaConfiguration
    limitedResources:
    - resource: pods
      matchScopes:
      - scopeName: PriorityClass
        operator: In
        values: [system-node-critical, system-cluster-critical]
`

// site is a cluster that Mollyguard is installed in, step by step.
type site struct {
	*cluster.Cluster
	admin    kubernetes.Interface
	dynamic  dynamic.Interface
	mapper   meta.RESTMapper
	warnings *warnings
	robot    *rest.Config // the server's own
	operator *rest.Config
}

// warnings keeps what the API server warns of.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
}

func newSite(t *testing.T) *site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "admission.yaml")
	if err := os.WriteFile(file, []byte(admissionConfiguration), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{warnings: &warnings{}}
	s.Cluster = cluster.ForTest(t, cluster.Options{APIServerArgs: map[string]string{"admission-control-config-file": file}})
	admin := s.Admin()
	admin.WarningHandler = s.warnings
	var err error
	if s.admin, err = kubernetes.NewForConfig(admin); err != nil {
		t.Fatal(err)
	}
	if s.dynamic, err = dynamic.NewForConfig(admin); err != nil {
		t.Fatal(err)
	}
	s.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(s.admin.Discovery()))
	if s.operator, err = s.User(operator, "engineers"); err != nil {
		t.Fatal(err)
	}
	if err := s.Grant(t.Context(), operator, cluster.OperatorRole); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestInstall goes through the life of an installation. Each step builds on those
// before.
func TestInstall(t *testing.T) {
	s := newSite(t)
	plain := render(t, base)
	step := func(name string, run func(t *testing.T)) {
		t.Helper()
		if !t.Run(name, run) {
			t.FailNow()
		}
	}

	step("the API server takes every object as it is", func(t *testing.T) { s.testApply(t, plain) })
	step("controllers make pods, past the restricted level and the quota", func(t *testing.T) { s.testPods(t, plain) })
	step("the service account may do what it should and nothing else", func(t *testing.T) { s.testRights(t, plain) })
	step("a role of the user's own adds to what the server may read", s.testAggregation)
	step("replicas can agree by the Lease", s.testLease)
	step("replicas can tell each other what they counted", s.testPace)
	step("cases and keys can be kept, callers be recognized, rights be asked for", s.testBreakGlass)
	step("people may do what their role says and no more", s.testPeople)
	step("nobody speaks for another, though no webhook is called", s.testNoWebhook)
	// Some of them change what is Mollyguard's own.
	step("the API server takes the overlays", s.testOverlays)

	enforcing := startServer(t, plain, s.kubeconfig(t))
	step("the server fills the Secret and makes its webhook configuration", func(t *testing.T) { s.testConfiguration(t, enforcing) })
	step("what is production by its own labels is neither scaled to zero nor evicted", s.testRefusals)
	step("the server guards itself if told to", s.testItself)
	step("refusals become Events, and repeats are counted", s.testEvents)
	step("a namespace that the cache does not have is asked for", func(t *testing.T) { s.testNewNamespace(t, enforcing) })
	step("the webhook configuration is put right", s.testRepair)
	step("so is the floor", s.testFloor)
	step("applying again leaves the keys and the rights that were filled in", func(t *testing.T) { s.testApplyAgain(t, plain) })
	enforcing.stop(t)
	without := startServer(t, withoutFloor(t, render(t, base)), s.kubeconfig(t))
	step("where no floor is wanted it is taken away", s.testFloorOff)
	step("uninstalling leaves nothing that refuses", func(t *testing.T) { s.testUninstall(t, plain, without) })
}

// apply applies objects server-side and strictly: a field that the API server does
// not know is an error.
func (s *site) apply(t *testing.T, objects []*unstructured.Unstructured, dryRun ...string) {
	t.Helper()
	for _, object := range objects {
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.resource(t, object).Patch(t.Context(), object.GetName(), types.ApplyPatchType, data,
			metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun}); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// resource is where an object is, as kubectl finds it: kustomize gives a namespace
// to kinds that it does not know for cluster-scoped.
func (s *site) resource(t *testing.T, object *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	mapping, err := s.mapper.RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
	if err != nil {
		t.Fatal(err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return s.dynamic.Resource(mapping.Resource)
	}
	return s.dynamic.Resource(mapping.Resource).Namespace(object.GetNamespace())
}

func (s *site) testApply(t *testing.T, objects []*unstructured.Unstructured) {
	s.apply(t, objects)
	if len(s.warnings.list) > 0 {
		t.Errorf("the API server warns: %q", s.warnings.list)
	}
	if err := s.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *site) testPods(t *testing.T, objects []*unstructured.Unstructured) {
	deployment := one[appsv1.Deployment](t, objects, "Deployment")
	selector := metav1.FormatLabelSelector(deployment.Spec.Selector)
	await(t, "pods that are covered by quota and budget", func(ctx context.Context) (bool, error) {
		pods, err := s.admin.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return false, err
		}
		quota, err := s.admin.CoreV1().ResourceQuotas(namespace).Get(ctx, "mollyguard-critical-pods", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		budget, err := s.admin.PolicyV1().PodDisruptionBudgets(namespace).Get(ctx, "mollyguard", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		counts := []int{len(pods.Items), int(quota.Status.Used.Pods().Value()), int(budget.Status.ExpectedPods)}
		return slices.Equal(counts, []int{3, 3, 3}), fmt.Errorf("pods, counted by the quota, by the budget: %v", counts)
	})

	// The same pod, as it is and with one thing changed, to see that the API server
	// would say so.
	if _, err := s.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*corev1.Pod)
		want   string
	}{
		{"as it is", func(*corev1.Pod) {}, ""},
		{"as root", func(p *corev1.Pod) { p.Spec.SecurityContext.RunAsNonRoot = nil }, `violates PodSecurity "restricted:latest"`},
		{"where no quota speaks of it", func(p *corev1.Pod) { p.Namespace, p.Spec.ServiceAccountName = shop, "" }, "insufficient quota to match these scopes"},
	} {
		pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: *deployment.Spec.Template.Spec.DeepCopy()}
		pod.GenerateName, pod.Namespace = "try-", namespace
		test.change(pod)
		await(t, "the namespace's default service account", func(ctx context.Context) (bool, error) {
			_, err := s.admin.CoreV1().ServiceAccounts(pod.Namespace).Get(ctx, "default", metav1.GetOptions{})
			return err == nil, err
		})
		_, err := s.admin.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("the pod %s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// kubeconfig is the service account's, whose token the API server issues.
func (s *site) kubeconfig(t *testing.T) string {
	t.Helper()
	file, err := s.Kubeconfig(s.robot)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func (s *site) testLease(t *testing.T) {
	clients, err := kubernetes.NewForConfig(s.robot)
	if err != nil {
		t.Fatal(err)
	}
	for _, identity := range []string{"mollyguard-a", "mollyguard-b"} { // the first makes it, the second takes it over
		ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
		led := false
		err := kube.Lease{Clients: clients, Namespace: namespace, Name: "mollyguard", Identity: identity}.Lead(ctx, func(context.Context) error {
			led = true
			cancel()
			return nil
		})
		cancel()
		if err != nil || !led {
			t.Errorf("%s leads: %t, %v", identity, led, err)
		}
	}
}

func (s *site) webhookConfiguration(ctx context.Context) (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	return s.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, "mollyguard", metav1.GetOptions{})
}

// failurePolicies are those that the webhook configuration has, by webhook.
func (s *site) failurePolicies(ctx context.Context) (map[string]admissionregistrationv1.FailurePolicyType, error) {
	configuration, err := s.webhookConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	policies := map[string]admissionregistrationv1.FailurePolicyType{}
	for _, hook := range configuration.Webhooks {
		policies[hook.Name] = *hook.FailurePolicy
	}
	return policies, nil
}

func (s *site) testConfiguration(t *testing.T, server *server) {
	var configuration *admissionregistrationv1.ValidatingWebhookConfiguration
	await(t, "the webhook configuration", func(ctx context.Context) (ok bool, err error) {
		configuration, err = s.webhookConfiguration(ctx)
		return err == nil, err
	})
	secret := s.secret(t)
	if len(secret.Data["tls.key"]) == 0 || secret.Type != corev1.SecretTypeOpaque {
		t.Errorf("the Secret of type %s has %v", secret.Type, slices.Sorted(maps.Keys(secret.Data)))
	}
	for _, hook := range configuration.Webhooks {
		if hook.ClientConfig.URL == nil || !strings.HasPrefix(*hook.ClientConfig.URL, server.url) || !bytes.Equal(hook.ClientConfig.CABundle, secret.Data["ca.crt"]) {
			t.Errorf("webhook %s does not lead to the server", hook.Name)
		}
	}
	if len(configuration.Webhooks) == 0 {
		t.Error("no webhooks")
	}
}

func (s *site) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret, err := s.admin.CoreV1().Secrets(namespace).Get(t.Context(), "mollyguard-certificates", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// production is what marks an object of the tests.
var production = map[string]string{"env": "production"}

func (s *site) testRefusals(t *testing.T) {
	name := metav1.ObjectMeta{Name: "web", Namespace: shop, Labels: production}
	pods := map[string]string{"app": "web"}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: pods},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "example.com/web"}}},
	}
	selector := &metav1.LabelSelector{MatchLabels: pods}
	create := metav1.CreateOptions{}
	_, err1 := s.admin.AppsV1().Deployments(shop).Create(t.Context(), &appsv1.Deployment{ObjectMeta: name, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}, create)
	_, err2 := s.admin.AppsV1().StatefulSets(shop).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: name, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}, create)
	_, err3 := s.admin.AppsV1().ReplicaSets(shop).Create(t.Context(), &appsv1.ReplicaSet{ObjectMeta: name, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}}, create)
	_, err4 := s.admin.CoreV1().ReplicationControllers(shop).Create(t.Context(), &corev1.ReplicationController{ObjectMeta: name, Spec: corev1.ReplicationControllerSpec{Selector: pods, Template: &template}}, create)
	_, err5 := s.admin.CoreV1().Pods(shop).Create(t.Context(), &corev1.Pod{ObjectMeta: name, Spec: template.Spec}, create)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}

	await(t, "the API server to notice the webhook configuration", func(ctx context.Context) (bool, error) {
		return apierrors.IsForbidden(s.scaleDown(ctx, t, metav1.DryRunAll)), nil
	})
	for _, kind := range []string{"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"} {
		got := s.kubectl(t, s.operator, 1, "scale", strings.ToLower(kind), "web", "--replicas=0", "--namespace="+shop)
		want := `denied the request: ` + kind + ` shop/web is production (label env=production): scale-to-zero refused`
		if !strings.Contains(got.Stderr, want) {
			t.Errorf("kubectl says %q, want %q in it", got.Stderr, want)
		}
	}
	err := s.clients(t, s.operator).CoreV1().Pods(shop).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "web"}})
	if want := "Pod shop/web is production (label env=production): evict refused"; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("the eviction: got %v, want %q in it", err, want)
	}
}

func (s *site) testItself(t *testing.T) {
	for what, args := range map[string][]string{
		"Namespace mollyguard":             {"delete", "namespace", "mollyguard"},
		"Deployment mollyguard/mollyguard": {"scale", "deployment", "mollyguard", "--replicas=0", "--namespace=mollyguard"},
	} {
		want := what + " is production (name mollyguard is production by name" // what it holds may be named behind it
		await(t, "the API server to ask about "+what, func(ctx context.Context) (bool, error) {
			got, err := s.Kubectl(ctx, s.operator, append(args, "--dry-run=server")...)
			return err == nil && strings.Contains(got.Stderr, want), fmt.Errorf("kubectl says %s%s, %v", got.Stdout, got.Stderr, err)
		})
		if got := s.kubectl(t, s.operator, 1, args...); !strings.Contains(got.Stderr, want) {
			t.Errorf("kubectl says %q, want %q in it", got.Stderr, want)
		}
	}
}

// scaleDown tries to scale the Deployment to zero as the operator.
func (s *site) scaleDown(ctx context.Context, t *testing.T, dryRun ...string) error {
	t.Helper()
	_, err := s.clients(t, s.operator).AppsV1().Deployments(shop).UpdateScale(ctx, "web",
		&autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: shop}}, metav1.UpdateOptions{DryRun: dryRun})
	return err
}

func (s *site) clients(t *testing.T, user *rest.Config) kubernetes.Interface {
	t.Helper()
	clients, err := kubernetes.NewForConfig(user)
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

func (s *site) kubectl(t *testing.T, user *rest.Config, code int, args ...string) cluster.KubectlResult {
	t.Helper()
	got, err := s.Kubectl(t.Context(), user, args...)
	if err != nil {
		t.Fatal(err)
	}
	if got.ExitCode != code {
		t.Fatalf("kubectl %q: exit code %d, want %d\nstdout: %s\nstderr: %s", args, got.ExitCode, code, got.Stdout, got.Stderr)
	}
	return got
}

func (s *site) testEvents(t *testing.T) {
	// From the eleventh of a kind on, client-go counts.
	for range 12 {
		if err := s.scaleDown(t.Context(), t); !apierrors.IsForbidden(err) {
			t.Fatalf("scale to zero: got %v", err)
		}
	}
	kinds, counted := map[string]bool{}, false
	await(t, "the Events", func(ctx context.Context) (bool, error) {
		events, err := s.admin.CoreV1().Events(shop).List(ctx, metav1.ListOptions{FieldSelector: "reason=OperationRefused"})
		if err != nil {
			return false, err
		}
		for _, event := range events.Items {
			kinds[event.InvolvedObject.Kind] = true
			counted = counted || event.Count > 1
		}
		return len(kinds) == 5 && counted, fmt.Errorf("there are some about %v, counted: %t", slices.Sorted(maps.Keys(kinds)), counted)
	})
}

// testNewNamespace asks the server itself: in the cluster it would be a race
// between the cache and a request.
func (s *site) testNewNamespace(t *testing.T, server *server) {
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Operation: admissionv1.Delete, Namespace: "nowhere", Name: "settings",
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.secret(t).Data["ca.crt"])
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	answer, err := client.Post(server.url+"/v1/admit", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if want := "the labels of namespace nowhere (not found)"; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the server answers %s, %v; want %q in it", text, err, want)
	}
}

func (s *site) testRepair(t *testing.T) {
	want, err := s.failurePolicies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	configurations := s.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	for name, damage := range map[string]func() error{
		"weakened": func() error {
			_, err := configurations.Patch(t.Context(), "mollyguard", types.JSONPatchType,
				[]byte(`[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`), metav1.PatchOptions{})
			return err
		},
		"deleted": func() error { return configurations.Delete(t.Context(), "mollyguard", metav1.DeleteOptions{}) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		await(t, "the configuration that was "+name+" to come back", func(ctx context.Context) (bool, error) {
			got, err := s.failurePolicies(ctx)
			if err != nil {
				return false, err
			}
			diff := cmp.Diff(want, got)
			return diff == "", fmt.Errorf("(-want +got):\n%s", diff)
		})
	}
}

func (s *site) testApplyAgain(t *testing.T, objects []*unstructured.Unstructured) {
	folder, err := filepath.Abs(base)
	if err != nil {
		t.Fatal(err)
	}
	secret, reader := s.secret(t).Data, s.readerRules(t)
	s.apply(t, objects)
	s.kubectl(t, s.Admin(), 0, "apply", "--kustomize", folder) // client-side, as most people do
	if diff := cmp.Diff(reader, s.readerRules(t)); diff != "" {
		t.Errorf("ClusterRole mollyguard-reader (-before +after):\n%s", diff)
	}
	for field, before := range secret {
		if !bytes.Equal(before, s.secret(t).Data[field]) {
			t.Errorf("field %s of the Secret is not what it was", field)
		}
	}
}

func (s *site) readerRules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	role, err := s.admin.RbacV1().ClusterRoles().Get(t.Context(), "mollyguard-reader", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

func (s *site) testOverlays(t *testing.T) {
	folders, err := filepath.Glob(overlays + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range append(folders, audit) {
		// What cert-manager would have to know is for cert-manager to check.
		objects := slices.DeleteFunc(render(t, folder), func(o *unstructured.Unstructured) bool {
			return strings.HasPrefix(o.GetAPIVersion(), certManagerAPIs)
		})
		// Nothing can be tried in a namespace that is not there.
		s.apply(t, slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetKind() != "Namespace" }))
		s.apply(t, objects, metav1.DryRunAll)
	}
}
