// Package e2e tests what users do: real kubectl, a real API server with its real
// controllers, and the real mollyguard binary.
package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/operation"
)

func volume(name, labels string) string {
	return strings.NewReplacer("NAME", name, "LABELS", labels).Replace(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAME, labels: {LABELS}}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /nowhere}}
`)
}

func TestAProductionDeleteIsRefusedByARealAPIServer(t *testing.T) {
	t.Parallel()
	w := prepareWorld(t) // for all that is in its audit log is looked at
	w.start(t)
	t.Cleanup(func() { w.server.Kill() })
	w.shop(t, "shop", "")
	w.shop(t, "live", "env: production")
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: sandbox}\n")
	w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: scratch, namespace: sandbox}\ndata: {a: '1'}\n")
	w.apply(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: password, namespace: live}\nstringData: {a: secret}\n")
	w.apply(t, volume("ledger", "env: production"))
	w.waitForPods(t, "shop", "app=web", 2)
	w.waitForPods(t, "shop", "app=web-dev", 1)

	t.Run("refused", func(t *testing.T) { testRefused(t, w) })
	t.Run("allowed", func(t *testing.T) { testAllowed(t, w) })
	t.Run("the message tells what, why and what to do", func(t *testing.T) { testMessage(t, w) })
	t.Run("a dry run is judged like the real thing", func(t *testing.T) { testDryRun(t, w) })
	t.Run("an eviction is refused by the pod's labels", func(t *testing.T) { testEviction(t, w) })
	t.Run("a collection delete is refused object by object", func(t *testing.T) { testCollection(t, w) })
	t.Run("a denial becomes an Event", func(t *testing.T) { testEvent(t, w) })
	t.Run("the webhook configuration heals", func(t *testing.T) { testHeals(t, w) })
	t.Run("the control plane never meets us", func(t *testing.T) { testControlPlane(t, w) })
	t.Run("with the server killed", func(t *testing.T) { testKilled(t, w) })
}

func testRefused(t *testing.T, w *world) {
	replacement := filepath.Join(t.TempDir(), "web.yaml")
	manifest := w.kubectl(t, "-n", "shop", "get", "deployment", "web", "-o", "yaml")
	if err := os.WriteFile(replacement, []byte(manifest.Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	const label, namespace = "(label env=production)", "(namespace live has label env=production)"
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"a labelled Deployment", []string{"-n", "shop", "delete", "deployment", "web"}, "Deployment shop/web is production " + label + ": delete refused"},
		{"its ReplicaSets by selector, through the label of their template", []string{"-n", "shop", "delete", "replicasets", "-l", "app=web"}, "is production " + label + ": delete refused"},
		{"an unlabelled one in a labelled namespace", []string{"-n", "live", "delete", "deployment", "web-dev"}, "Deployment live/web-dev is production " + namespace + ": delete refused"},
		{"all of a kind", []string{"-n", "shop", "delete", "configmap", "--all"}, "ConfigMap shop/settings is production " + label},
		{"by selector", []string{"-n", "shop", "delete", "deployments,configmaps", "-l", "app=web"}, "Deployment shop/web is production " + label},
		{"by force", []string{"-n", "shop", "delete", "deployment", "web", "--force", "--grace-period=0"}, "delete refused"},
		{"leaving its pods", []string{"-n", "shop", "delete", "deployment", "web", "--cascade=orphan"}, "delete refused"},
		{"replaced by force", []string{"replace", "--force", "-f", replacement}, "Deployment shop/web is production " + label + ": delete refused"},
		{"scaled to zero", []string{"-n", "shop", "scale", "deployment", "web", "--replicas=0"}, "Deployment shop/web is production " + label + ": scale-to-zero refused"},
		{"scaled to zero in a labelled namespace", []string{"-n", "live", "scale", "deployment", "web-dev", "--replicas=0"}, "Deployment live/web-dev is production " + namespace + ": scale-to-zero refused"},
		{"patched to zero", []string{"-n", "shop", "patch", "deployment", "web", "-p", `{"spec":{"replicas":0}}`}, "scale-to-zero refused"},
		{"patched to zero in a labelled namespace", []string{"-n", "live", "patch", "deployment", "web-dev", "-p", `{"spec":{"replicas":0}}`}, "scale-to-zero refused"},
		{"its label removed", []string{"-n", "shop", "label", "deployment", "web", "env-"}, "Deployment shop/web is production " + label + ": unprotect refused"},
		{"its label changed", []string{"-n", "shop", "label", "--overwrite", "deployment", "web", "env=dev"}, `label env=production changed to "dev"`},
		{"its label patched away", []string{"-n", "shop", "patch", "deployment", "web", "--type=json", "-p", `[{"op":"remove","path":"/metadata/labels"}]`}, "unprotect refused"},
		{"a namespace's label removed", []string{"label", "namespace", "live", "env-"}, "Namespace live is production " + label + ": unprotect refused"},
		{"a namespace's label changed", []string{"label", "--overwrite", "namespace", "live", "env=dev"}, "unprotect refused"},
		{"a labelled namespace", []string{"delete", "namespace", "live"}, "Namespace live is production " + label + ": delete refused"},
		{"a ConfigMap emptied", []string{"-n", "shop", "patch", "configmap", "settings", "--type=json", "-p", `[{"op":"remove","path":"/data"}]`}, "ConfigMap shop/settings is production " + label + ": empty refused"},
		{"a ConfigMap emptied in a labelled namespace", []string{"-n", "live", "patch", "configmap", "scratch", "-p", `{"data":{"a":""}}`}, "ConfigMap live/scratch is production " + namespace + ": empty refused"},
		{"a Secret emptied with null", []string{"-n", "live", "patch", "secret", "password", "--type=json", "-p", `[{"op":"replace","path":"/data/a","value":null}]`}, "Secret live/password is production " + namespace + ": empty refused"},
		{"a persistent volume", []string{"delete", "persistentvolume", "ledger"}, "PersistentVolume ledger is production " + label + ": delete refused"},
		{"through the raw API", []string{"delete", "--raw", "/apis/apps/v1/namespaces/shop/deployments/web"}, "delete refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := w.everything(t)
			got := w.kubectl(t, tt.args...)
			if got.ExitCode == 0 {
				t.Errorf("kubectl %s: done", strings.Join(tt.args, " "))
			}
			if !strings.Contains(goesAlong.ReplaceAllString(got.Stderr, ""), tt.want) {
				t.Errorf("kubectl %s says\n%s\nwant …%s…", strings.Join(tt.args, " "), got.Stderr, tt.want)
			}
			for _, name := range before {
				// An unlabelled neighbour may go, as with --all; nothing else.
				if after := w.everything(t); !slices.Contains(after, name) && !strings.HasSuffix(name, "configmap/shop/scratch") && !strings.HasSuffix(name, "configmap/shop/kube-root-ca.crt") {
					t.Errorf("%s is gone", name)
				}
			}
		})
	}
}

// goesAlong is what the first line of a refusal says of what would go with the target:
// it depends on how far the controllers are.
var goesAlong = regexp.MustCompile(`; (?:\d+ production \w+ would go with it|and \d+ more)`)

// everything lists what must survive: Deployments with their replicas and labels,
// ConfigMaps with their data, Namespaces with their labels.
func (w *world) everything(t *testing.T) []string {
	t.Helper()
	var list []string
	deployments, err := w.clients.AppsV1().Deployments("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deployments.Items {
		if d.DeletionTimestamp == nil {
			list = append(list, fmt.Sprintf("%v x%d deployment/%s/%s", d.Labels, *d.Spec.Replicas, d.Namespace, d.Name))
		}
	}
	maps, err := w.clients.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range maps.Items {
		list = append(list, fmt.Sprintf("%v %d configmap/%s/%s", c.Labels, len(c.Data), c.Namespace, c.Name))
	}
	namespaces, err := w.clients.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range namespaces.Items {
		if n.DeletionTimestamp == nil {
			list = append(list, fmt.Sprintf("%v namespace/%s", n.Labels, n.Name))
		}
	}
	return list
}

func testAllowed(t *testing.T, w *world) {
	w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: scratch, namespace: shop}\ndata: {a: '1'}\n")
	for _, tt := range []struct {
		name string
		args []string
		// judged says whether the request reaches mollyguard at all.
		judged bool
	}{
		{"production scaled up", []string{"-n", "shop", "scale", "deployment", "web", "--replicas=3"}, false},
		{"production rolled out", []string{"-n", "shop", "rollout", "restart", "deployment", "web"}, false},
		{"production given a new image", []string{"-n", "shop", "set", "image", "deployment/web", "web=example.com/web:2"}, false},
		{"production annotated", []string{"-n", "shop", "annotate", "deployment", "web", "note=x"}, false},
		{"another label removed", []string{"-n", "shop", "label", "deployment", "web", "app-"}, false},
		{"a production label set", []string{"-n", "shop", "label", "configmap", "scratch", "team=x"}, false},
		{"another production value", []string{"-n", "shop", "label", "--overwrite", "deployment", "web", "env=prod"}, false},
		{"and back", []string{"-n", "shop", "label", "--overwrite", "deployment", "web", "env=production"}, false},
		{"a value changed in a production ConfigMap", []string{"-n", "live", "patch", "configmap", "settings", "-p", `{"data":{"a":"2"}}`}, false},
		{"dev scaled to zero", []string{"-n", "shop", "scale", "deployment", "web-dev", "--replicas=0"}, true},
		{"dev deleted", []string{"-n", "shop", "delete", "deployment", "web-dev", "--wait=false"}, true},
		{"an unlabelled ConfigMap deleted", []string{"-n", "shop", "delete", "configmap", "scratch"}, true},
		{"an unlabelled namespace deleted", []string{"delete", "namespace", "sandbox", "--wait=false"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := w.calls(t)
			got := w.kubectl(t, tt.args...)
			if got.ExitCode != 0 || strings.Contains(got.Stderr, "mollyguard") {
				t.Errorf("kubectl %s: exit %d, %s", strings.Join(tt.args, " "), got.ExitCode, got.Stderr)
			}
			if judged := w.calls(t) > before; judged != tt.judged {
				t.Errorf("kubectl %s: reached mollyguard: %v, want %v", strings.Join(tt.args, " "), judged, tt.judged)
			}
		})
	}
}

func (w *world) calls(t *testing.T) float64 {
	t.Helper()
	count, err := w.server.Metric(t.Context(), "mollyguard_webhook_request_duration_seconds_count")
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func testMessage(t *testing.T, w *world) {
	w.shop(t, "told", "")
	pods := w.waitForPods(t, "told", "app=web", 2)
	slices.Sort(pods)
	set := pods[0][:strings.LastIndexByte(pods[0], '-')]
	w.eventually(t, "the index to know them", func() error {
		if got := w.kubectl(t, "-n", "told", "delete", "deployment", "web"); !strings.Contains(got.Stderr, "2 production Pods would go with it; 1 production ReplicaSet would go with it)") {
			return errors.New(got.Stderr)
		}
		return nil
	})
	got := w.kubectl(t, "-n", "told", "delete", "deployment", "web")
	decisions, err := w.server.Decisions()
	if err != nil {
		t.Fatal(err)
	}
	last := decisions[len(decisions)-1]
	want := `Error from server (Forbidden): admission webhook "object.delete.mollyguard.dev" denied the request: Deployment told/web is production (label env=production; 2 production Pods would go with it; 1 production ReplicaSet would go with it): delete refused

  policy    production-delete (high): production must not be deleted
  with it   KIND        VIA    COUNT  PRODUCTION  NAMES
            Pod         owned      2           2  ` + strings.Join(pods, ", ") + `
            ReplicaSet  owned      1           1  ` + set + `
  actor     alice@example.com
  decision  ` + last.ID + `
  next      check that this is the cluster and the object you mean (k8s://prod-eu/apps/deployments/told/web)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
`
	if strings.TrimSpace(got.Stderr) != strings.TrimSpace(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.Stderr, want)
	}
	event, err := w.WaitForAudit(t.Context(), func(e *auditv1.Event) bool {
		return e.Annotations["object.delete.mollyguard.dev/decision"] == last.ID
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"verb": "delete", "outcome": "deny", "policies": "production-delete=deny",
	} {
		if got := event.Annotations["object.delete.mollyguard.dev/"+key]; got != value {
			t.Errorf("audit annotation %s is %q, want %q", key, got, value)
		}
	}
}

func testDryRun(t *testing.T, w *world) {
	got := w.kubectl(t, "-n", "shop", "delete", "deployment", "web", "--dry-run=server")
	if got.ExitCode == 0 || !strings.Contains(got.Stderr, "delete refused") {
		t.Errorf("exit %d, %s", got.ExitCode, got.Stderr)
	}
	decisions, err := w.server.Decisions()
	if err != nil {
		t.Fatal(err)
	}
	if last := decisions[len(decisions)-1]; !last.DryRun {
		t.Errorf("the record does not say that it was a dry run: %+v", last)
	}
}

func testEviction(t *testing.T, w *world) {
	clients, err := kubernetes.NewForConfig(w.alice)
	if err != nil {
		t.Fatal(err)
	}
	pods := w.waitForPods(t, "shop", "app=web", 1)
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: pods[0]}}
	err = clients.PolicyV1().Evictions("shop").Evict(t.Context(), eviction)
	if want := "Pod shop/" + pods[0] + " is production (label env=production): evict refused"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want …%s…", err, want)
	}
	if _, err := w.clients.CoreV1().Pods("shop").Get(t.Context(), pods[0], metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	w.apply(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: idle, namespace: shop}\nspec: {containers: [{name: idle, image: example.com/idle}]}\n")
	eviction = &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "idle"}}
	if err := clients.PolicyV1().Evictions("shop").Evict(t.Context(), eviction); err != nil {
		t.Errorf("an unlabelled pod: %v", err)
	}
}

func testCollection(t *testing.T, w *world) {
	clients, err := kubernetes.NewForConfig(w.alice)
	if err != nil {
		t.Fatal(err)
	}
	err = clients.AppsV1().Deployments("shop").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
	if want := "Deployment shop/web is production"; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want …%s…", err, want)
	}
	if _, err := w.clients.AppsV1().Deployments("shop").Get(t.Context(), "web", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func testEvent(t *testing.T, w *world) {
	w.eventually(t, "an Event about a refusal", func() error {
		events, err := w.clients.CoreV1().Events("shop").List(t.Context(), metav1.ListOptions{FieldSelector: "reason=OperationRefused"})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.InvolvedObject.Kind == "Deployment" && e.InvolvedObject.Name == "web" && strings.Contains(e.Message, alice+": Deployment shop/web is production") {
				return nil
			}
		}
		return fmt.Errorf("%d events, none of them it", len(events.Items))
	})
}

func testHeals(t *testing.T, w *world) {
	configurations := w.clients.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	healthy, err := configurations.Get(t.Context(), "mollyguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole := func() error {
		now, err := configurations.Get(t.Context(), "mollyguard", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(now.Webhooks) != len(healthy.Webhooks) || !bytes.Equal(now.Webhooks[0].ClientConfig.CABundle, healthy.Webhooks[0].ClientConfig.CABundle) {
			return fmt.Errorf("still %d webhooks", len(now.Webhooks))
		}
		return nil
	}
	broken := healthy.DeepCopy()
	broken.Webhooks = broken.Webhooks[:1]
	broken.Webhooks[0].ClientConfig.CABundle = nil
	if _, err := configurations.Update(t.Context(), broken, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, "a changed webhook configuration to heal", whole)
	if err := configurations.Delete(t.Context(), "mollyguard", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, "a deleted webhook configuration to heal", whole)
}

// testControlPlane lives through a rollout, garbage collection and a namespace
// deletion, and then looks for traces of us on the control plane's requests.
func testControlPlane(t *testing.T, w *world) {
	w.shop(t, "busy", "")
	w.waitForPods(t, "busy", "app=web", 2)
	for _, args := range [][]string{
		{"-n", "busy", "set", "image", "deployment/web", "web=example.com/web:2"},
		{"-n", "busy", "scale", "deployment", "web", "--replicas=4"},
		{"-n", "busy", "scale", "deployment", "web", "--replicas=1"},
		{"-n", "busy", "delete", "deployment", "web-dev", "--wait=false"},
	} {
		if got := w.kubectl(t, args...); got.ExitCode != 0 {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), got.Stderr)
		}
	}
	w.waitForPods(t, "busy", "app=web-dev", 0)
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: brief}\n")
	w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: brief, labels: {env: production}}\n")
	// What a namespace holds keeps it from everybody but the control plane.
	w.eventually(t, "a namespace that holds production to be kept", func() error {
		if got := w.kubectl(t, "delete", "namespace", "brief", "--dry-run=server"); !strings.Contains(got.Stderr, "1 production ConfigMap would go with it") {
			return fmt.Errorf("exit %d, %s", got.ExitCode, got.Stderr)
		}
		return nil
	})
	w.kubectlAdmin(t, "delete", "namespace", "brief", "--as=system:serviceaccount:kube-system:addon-manager", "--as-group=system:masters")

	events, err := w.Audit()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range events {
		if !strings.HasPrefix(e.User.Username, "system:serviceaccount:kube-system:") && e.User.Username != "system:kube-controller-manager" {
			continue
		}
		seen[strings.TrimPrefix(e.User.Username, "system:serviceaccount:kube-system:")] = true
		if e.ResponseStatus != nil && strings.Contains(e.ResponseStatus.Message, "mollyguard") {
			t.Errorf("%s met us: %s", e.User.Username, e.ResponseStatus.Message)
		}
		for key := range e.Annotations {
			if strings.Contains(key, "mollyguard.dev/") {
				t.Errorf("%s was judged: %s %s", e.User.Username, e.Verb, e.RequestURI)
			}
		}
	}
	for _, user := range []string{"deployment-controller", "replicaset-controller", "generic-garbage-collector", "namespace-controller", "system:kube-controller-manager"} {
		if !seen[user] {
			t.Errorf("%s has done nothing: this test proves nothing about it", user)
		}
	}
	decisions, err := w.server.Decisions()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range decisions {
		if d.Actor.Kind == operation.Controller {
			t.Errorf("a call for the control plane: %+v", d)
		}
	}
}

// testKilled is last: it kills the server, and starts it again.
func testKilled(t *testing.T, w *world) {
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: going}\n")
	w.shop(t, "going-on", "")
	pods := w.waitForPods(t, "going-on", "app=web", 2)
	w.apply(t, volume("spare", ""))
	w.apply(t, "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: idle}\nvalue: 1\n")
	if got := w.kubectl(t, "delete", "namespace", "going", "--wait=false"); got.ExitCode != 0 {
		t.Fatal(got.Stderr)
	}
	w.server.Kill()

	t.Run("refused: an eviction", func(t *testing.T) {
		clients, err := kubernetes.NewForConfig(w.alice)
		if err != nil {
			t.Fatal(err)
		}
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: "going-on", Name: pods[0]}}
		if err := clients.PolicyV1().Evictions("going-on").Evict(t.Context(), eviction); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
			t.Errorf("got %v", err)
		}
	})

	for _, args := range [][]string{
		{"-n", "shop", "delete", "deployment", "web"},
		{"-n", "live", "delete", "deployment", "web-dev"},
		{"-n", "shop", "delete", "configmap", "-l", "app=web"},
		{"-n", "shop", "scale", "deployment", "web", "--replicas=0"},
		{"-n", "shop", "patch", "deployment", "web", "-p", `{"spec":{"replicas":0}}`},
		{"-n", "shop", "label", "deployment", "web", "env-"},
		{"label", "namespace", "live", "env-"},
		{"-n", "shop", "patch", "configmap", "settings", "--type=json", "-p", `[{"op":"remove","path":"/data"}]`},
		{"delete", "namespace", "live"},
		{"delete", "namespace", "shop"},
		{"delete", "persistentvolume", "spare"},
	} {
		t.Run("refused: kubectl "+strings.Join(args, " "), func(t *testing.T) {
			got := w.kubectl(t, args...)
			if got.ExitCode == 0 || !strings.Contains(got.Stderr, "failed calling webhook") {
				t.Errorf("exit %d, %s", got.ExitCode, got.Stderr)
			}
		})
	}
	for _, args := range [][]string{
		{"-n", "going-on", "set", "image", "deployment/web", "web=example.com/web:2"},
		{"-n", "going-on", "scale", "deployment", "web", "--replicas=3"},
		{"-n", "going-on", "annotate", "deployment", "web", "note=x"},
		{"-n", "going-on", "patch", "configmap", "settings", "-p", `{"data":{"a":"2"}}`},
		{"-n", "going-on", "delete", "deployment", "web-dev", "--wait=false"},
		{"-n", "going-on", "delete", "configmap", "scratch"},
		{"delete", "priorityclass", "idle"},
	} {
		t.Run("done: kubectl "+strings.Join(args, " "), func(t *testing.T) {
			if got := w.kubectl(t, args...); got.ExitCode != 0 {
				t.Errorf("exit %d, %s", got.ExitCode, got.Stderr)
			}
		})
	}
	t.Run("the garbage collector goes on", func(t *testing.T) { w.waitForPods(t, "going-on", "app=web-dev", 0) })
	t.Run("the deployment controller goes on", func(t *testing.T) { w.waitForPods(t, "going-on", "app=web", 3) })
	t.Run("the namespace controller goes on", func(t *testing.T) {
		w.eventually(t, "a namespace to go", func() error {
			_, err := w.clients.CoreV1().Namespaces().Get(t.Context(), "going", metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("it is there: %v", err)
		})
	})
	t.Run("a server that comes back judges again", func(t *testing.T) {
		w.start(t)
		if got := w.kubectl(t, "-n", "shop", "delete", "deployment", "web"); !strings.Contains(got.Stderr, "delete refused") {
			t.Errorf("exit %d, %s", got.ExitCode, got.Stderr)
		}
		if err := w.server.Stop(); err != nil {
			t.Errorf("a server that is asked to stop: %v", err)
		}
	})
}
