package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/test/cluster"
)

// says fails unless what a program said has a text.
func says(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
		t.Errorf("said\n%s\nwant …%s…", got, want)
	}
}

func TestASecondPersonOpensExactlyOneThingOnce(t *testing.T) {
	t.Parallel()
	w := newBreakGlassWorld(t)
	w.shop(t, "shop", "")

	refused := w.kubectl(t, "-n", "shop", "delete", "deployment", "web")
	says(t, refused.Stderr, "kubectl mollyguard request delete k8s://prod-eu/apps/deployments/shop/web --reason 'why'")

	// The command that the refusal has, as it stands.
	handle := w.request(t, "delete", "k8s://prod-eu/apps/deployments/shop/web")
	says(t, w.kubectl(t, "-n", "shop", "delete", "deployment", "web").Stderr, handle+": pending: 0 of 1 approvals")

	self := w.mollyguard(t, w.alice, "approve", handle)
	says(t, self.Stderr, "nobody approves their own request")
	if self.ExitCode != 3 {
		t.Errorf("approving one's own request ends with %d", self.ExitCode)
	}
	w.approve(t, handle)

	// Not another verb, not another object, and nothing for Bob.
	says(t, w.kubectl(t, "-n", "shop", "scale", "deployment", "web", "--replicas=0").Stderr, handle+": it is for delete, not for scale-to-zero")
	if got := w.kubectl(t, "-n", "shop", "delete", "configmap", "settings"); got.ExitCode == 0 {
		t.Error("the grant opened another object")
	}

	// The preflight uses nothing up.
	for range 2 {
		dry := w.kubectl(t, "-n", "shop", "delete", "deployment", "web", "--dry-run=server")
		if dry.ExitCode != 0 {
			t.Fatalf("preflight: %s", dry.Stderr)
		}
		says(t, dry.Stderr, "grant "+handle+" would allow this")
	}
	deleted := w.kubectl(t, "-n", "shop", "delete", "deployment", "web", "--wait=false")
	if deleted.ExitCode != 0 {
		t.Fatalf("with a grant: %s", deleted.Stderr)
	}
	says(t, deleted.Stderr, "allowed by grant "+handle)
	w.eventually(t, "the Deployment to be gone", func() error {
		_, err := w.clients.AppsV1().Deployments("shop").Get(t.Context(), "web", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there, or %w", err)
		}
		return nil
	})

	// Made anew under the same name it is another object, and the grant is used up.
	w.shop(t, "shop", "")
	again := w.kubectl(t, "-n", "shop", "delete", "deployment", "web")
	if again.ExitCode == 0 {
		t.Error("a second delete went through")
	}
	says(t, again.Stderr, "it is for the Deployment of that name with uid")
	w.eventually(t, "the state to be shown", func() error {
		if got := w.mollyguard(t, w.alice, "show", handle); !strings.Contains(got.Stdout, "used up: delete of") {
			return fmt.Errorf("%s%s", got.Stdout, got.Stderr)
		}
		return nil
	})
}

func TestARefusalIsAskedForByItsDecision(t *testing.T) {
	t.Parallel()
	w := newBreakGlassWorld(t)
	w.shop(t, "shop", "")
	refused := w.kubectl(t, "-n", "shop", "delete", "configmap", "settings").Stderr
	decision := regexp.MustCompile(`decision +(01[0-9A-Z]{24})`).FindStringSubmatch(refused)
	if decision == nil {
		t.Fatalf("no decision in %s", refused)
	}
	var handle string
	w.eventually(t, "the refusal's Event", func() error { // Events are written behind the answer
		got := w.mollyguard(t, w.alice, "request", "--for", decision[1], "--reason", "moved", "-o", "json")
		if got.ExitCode != 0 {
			return errors.New(got.Stderr)
		}
		handle = handleIn(t, got.Stdout)
		return nil
	})
	w.approve(t, handle)
	if got := w.kubectl(t, "-n", "shop", "delete", "configmap", "settings"); got.ExitCode != 0 {
		t.Errorf("%s", got.Stderr)
	}
	says(t, w.mollyguard(t, w.alice, "request", "--for", "01M7YXXACSAD0W17DQYQ0Q5AW5", "--reason", "moved").Stderr, "no Event tells of decision 01M7YXXACSAD0W17DQYQ0Q5AW5")
}

func TestAGrantIsForTheObjectAndNotForTheWayToIt(t *testing.T) {
	t.Parallel()
	w := newBreakGlassWorld(t)
	w.shop(t, "shop", "")
	w.apply(t, `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop, labels: {env: production}}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
`)
	// By an older version of the API it is the same object: guarded, and opened once.
	const old = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers/web"
	if got := w.kubectl(t, "delete", "--raw", old); got.ExitCode == 0 {
		t.Error("an older version of the API is a way round")
	}
	handle := w.request(t, "delete", "hpa/web", "--namespace", "shop")
	w.approve(t, handle)
	if got := w.kubectl(t, "delete", "--raw", old); got.ExitCode != 0 {
		t.Errorf("by an older version of the API: %s", got.Stderr)
	}

	// A grant to delete a pod is none to evict it: a sub-resource is another verb.
	pod := w.waitForPods(t, "shop", "app=web", 1)[0]
	handle = w.request(t, "delete", "pod", pod, "--namespace", "shop")
	w.approve(t, handle)
	eviction := writeText(t, t.TempDir(), "eviction.json", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"`+pod+`","namespace":"shop"}}`)
	evicted := w.kubectl(t, "create", "--raw", "/api/v1/namespaces/shop/pods/"+pod+"/eviction", "-f", eviction)
	if evicted.ExitCode == 0 {
		t.Error("a grant to delete evicted")
	}
	says(t, evicted.Stderr, handle+": it is for delete, not for evict")
}

func TestWhatIsAskedForIsWhatIsShownAndOpened(t *testing.T) {
	t.Parallel()
	w := newBreakGlassWorld(t)
	w.shop(t, "shop", "env: production")

	// An approver would read ConfigMap, and open the namespace.
	masked := breakglass.Request{
		ID: "bg-0000-0007", Requester: operation.Actor{Identity: operation.Identity{Name: alice, Kind: operation.Human}}, Subject: alice,
		Reason: "tidying up", Duration: time.Minute,
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Objects: 1,
			Targets: []operation.Reference{{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "ConfigMap", Name: "shop"}},
		},
	}
	review, err := kubernetes.NewForConfigOrDie(w.alice).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	masked.Requester.Groups = review.Status.UserInfo.Groups
	masked.Requester.Credential = review.Status.UserInfo.Extra["authentication.kubernetes.io/credential-id"][0]
	httpClient, err := rest.HTTPClientFor(w.alice)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := kube.NewClient(w.alice, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	err = kube.NewStore(kube.StoreOptions{Client: objects, Cluster: "prod-eu"}).CreateRequest(t.Context(), masked)
	if err == nil || !strings.Contains(err.Error(), "k8s://prod-eu/core/namespaces/shop is a Namespace, not a ConfigMap") {
		t.Errorf("a namespace under another kind's name: %v", err)
	}

	// A grant to take the label off is none to scale to zero in the same breath.
	handle := w.request(t, "unprotect", "k8s://prod-eu/apps/deployments/shop/web")
	w.approve(t, handle)
	var both cluster.KubectlResult
	w.eventually(t, "the floor to know of the grant, and leave the answer to the webhook", func() error {
		both = w.kubectl(t, "-n", "shop", "patch", "deployment", "web", "-p", `{"metadata":{"labels":{"env":null}},"spec":{"replicas":0}}`)
		if both.ExitCode == 0 {
			t.Fatal("the label went, and the replicas with it")
		}
		if strings.Contains(both.Stderr, "ValidatingAdmissionPolicy") {
			return errors.New(both.Stderr)
		}
		return nil
	})
	says(t, both.Stderr, handle+": it is for unprotect, not for scale-to-zero")
	says(t, both.Stderr, "kubectl mollyguard request scale-to-zero,unprotect k8s://prod-eu/apps/deployments/shop/web")

	// What records uses is not deleted to use a grant again.
	crd := w.kubectl(t, "delete", "customresourcedefinition", "breakglassuses.mollyguard.dev")
	if crd.ExitCode == 0 {
		t.Error("the definition of uses was deleted")
	}
	says(t, crd.Stderr, "is production (name breakglassuses.mollyguard.dev is production by name; mollyguard itself guards or sees with it): delete refused")
}

func TestAPodIsDeletedByForceWithASingleUse(t *testing.T) {
	t.Parallel()
	w := newBreakGlassWorld(t)
	w.shop(t, "shop", "")
	pod := w.waitForPods(t, "shop", "app=web", 2)[0]
	handle := w.request(t, "--for", "kubectl -n shop delete pod "+pod+" --force --grace-period=0")
	w.approve(t, handle)
	w.eventually(t, "the grant", func() error {
		got := w.kubectl(t, "-n", "shop", "delete", "pod", pod, "--force", "--grace-period=0", "--dry-run=server")
		if got.ExitCode != 0 {
			return fmt.Errorf("%s", got.Stderr)
		}
		return nil
	})
	got := w.kubectl(t, "-n", "shop", "delete", "pod", pod, "--force", "--grace-period=0")
	if got.ExitCode != 0 {
		t.Errorf("kubectl delete --force: %s", got.Stderr)
	}
	uses := strings.Fields(w.kubectlAdmin(t, "get", "breakglassuses", "-o", "name"))
	if len(uses) != 1 {
		t.Errorf("uses: %v", uses)
	}
}

func TestNobodyWritesBreakGlassObjectsForOthers(t *testing.T) {
	t.Parallel()
	w := newBreakGlassWorld(t)
	w.shop(t, "shop", "")
	handle := w.request(t, "delete", "k8s://prod-eu/apps/deployments/shop/web")
	w.approve(t, handle)
	w.eventually(t, "the grant", func() error {
		if names := w.kubectlAdmin(t, "get", "grants", "-o", "name"); !strings.Contains(names, handle) {
			return fmt.Errorf("there is %q", names)
		}
		return nil
	})
	// Mallory may do everything with these objects that RBAC can allow.
	const mallory = "mallory@example.com"
	config, err := w.User(mallory, "dev")
	if err != nil {
		t.Fatal(err)
	}
	w.apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everything-of-break-glass}
rules: [{apiGroups: [mollyguard.dev], resources: ["*"], verbs: [get, list, create, update, patch, delete, deletecollection]}]
`)
	if err := w.Grant(t.Context(), mallory, "everything-of-break-glass"); err != nil {
		t.Fatal(err)
	}
	exported := func(kind, name string, edits ...string) string {
		return strings.NewReplacer(edits...).Replace(w.kubectlAdmin(t, "get", kind, name, "-o", "yaml"))
	}
	verdict := strings.TrimSpace(strings.TrimPrefix(w.kubectlAdmin(t, "get", "breakglassverdicts", "-o", "name"), "breakglassverdict.mollyguard.dev/"))
	dir := t.TempDir()
	for _, tt := range []struct {
		name, manifest string
		args           []string
		want           string
	}{
		{"a request in Alice's name", exported("breakglassrequest", handle, handle, "bg-0000-0000"), nil, "everybody speaks for themselves"},
		{"an approval in Bob's name", exported("breakglassverdict", verdict, handle, "bg-0000-0000"), nil, "everybody speaks for themselves"},
		{"a grant without a token", exported("grant", handle, handle, "bg-0000-0000"), nil, "only mollyguard issues grants"},
		{"a label on a grant", "", []string{"label", "grant", handle, "a=b"}, "break-glass objects are written once"},
		{"a longer time", "", []string{"patch", "grant", handle, "--type=merge", "-p", `{"spec":{"expires":"2099-01-01T00:00:00Z"}}`}, "a grant is not changed"},
		{"a state", "", []string{"patch", "breakglassrequest", handle, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"Active"}}`}, "break-glass objects are written once"},
		{"a verdict gone", "", []string{"delete", "breakglassverdict", verdict}, "break-glass objects are written once"},
		{"all uses gone", "", []string{"delete", "breakglassrequests", "--all"}, "break-glass objects are written once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if tt.manifest != "" {
				args = []string{"create", "-f", writeFile(t, dir, tt.manifest)}
			}
			got := w.as(t, config, args...)
			if got.ExitCode == 0 {
				t.Errorf("done: %s", got.Stdout)
			}
			says(t, got.Stderr, tt.want)
		})
	}
}

func TestARequestCountsWhatGoesWithItsTarget(t *testing.T) {
	t.Parallel()
	in := prepareWorld(t) // for Alice may do everything in it
	if err := install(t.Context(), in.Cluster); err != nil {
		t.Fatal(err)
	}
	w := newBreakGlassWorldIn(t, in)
	carol, err := w.User("carol@example.com", "sre")
	if err != nil {
		t.Fatal(err)
	}
	for user, role := range map[string]string{"carol@example.com": "mollyguard-approver", alice: "cluster-admin"} {
		if err := w.Grant(t.Context(), user, role); err != nil {
			t.Fatal(err)
		}
	}
	w.apply(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`)
	w.served(t)
	w.apply(t, "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one, namespace: default, labels: {env: production}}\n")
	remove := func(args ...string) string {
		t.Helper()
		got := w.kubectl(t, append([]string{"delete", "crd", "widgets.example.com"}, args...)...)
		return got.Stdout + got.Stderr
	}
	w.eventually(t, "the index to have the instance", func() error {
		if got := remove("--dry-run=server"); !strings.Contains(got, "objects of production vanish with it, and nobody is asked about them: 1 Widget") {
			return errors.New(got)
		}
		return nil
	})

	handle := w.request(t, "delete", "crd/widgets.example.com")
	w.approve(t, handle)
	w.eventually(t, "one of two approvals to be shown", func() error {
		if got := w.mollyguard(t, w.alice, "show", handle).Stdout; !strings.Contains(got, "1 of 2 approvals") {
			return errors.New(got)
		}
		return nil
	})
	says(t, remove(), handle+": pending: 1 of 2 approvals")
	if got := w.mollyguard(t, carol, "approve", handle); got.ExitCode != 0 {
		t.Fatalf("approve: %s", got.Stderr)
	}
	w.eventually(t, "the grant to open the definition", func() error {
		if got := remove("--dry-run=server"); !strings.Contains(got, "grant "+handle+" would allow this") {
			return errors.New(got)
		}
		return nil
	})
	says(t, remove("--wait=false"), "allowed by grant "+handle)
}
