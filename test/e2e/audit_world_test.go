package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

const carol = "carol@example.com"

// auditWorld is a world of which the API server's audit log is judged afterwards. The
// server acts by its own name, as in a real cluster.
type auditWorld struct {
	*world
	carol *rest.Config
	// nobody may do nothing.
	nobody *rest.Config
	// config is what the log is judged by: that the cluster is guarded, and nothing else
	// that could let anything through.
	config string
}

func newAuditWorld(t *testing.T) *auditWorld {
	t.Helper()
	w := &auditWorld{world: prepareWorld(t, func(o *cluster.Options) { o.AuditPolicy = bodies })}
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: mollyguard}\n")
	ourselves, err := w.ServiceAccount(t.Context(), "mollyguard", "mollyguard")
	if err != nil {
		t.Fatal(err)
	}
	if w.carol, err = w.User(carol, "sre"); err != nil {
		t.Fatal(err)
	}
	if w.nobody, err = w.User("nobody@example.com"); err != nil {
		t.Fatal(err)
	}
	for user, role := range map[string]string{"system:serviceaccount:mollyguard:mollyguard": "cluster-admin", carol: cluster.OperatorRole} {
		if err := w.Grant(t.Context(), user, role); err != nil {
			t.Fatal(err)
		}
	}
	if w.opts.Kubeconfig, err = w.Kubeconfig(ourselves); err != nil {
		t.Fatal(err)
	}
	w.opts.Config = "exempt: [{name: runbook, actors: [" + carol + "], reason: she runs production}]\n"
	w.config = writeText(t, t.TempDir(), "replay.yaml", `apiVersion: config.mollyguard.dev/v1alpha1
kind: Configuration
cluster: prod-eu
audit:
  clusters:
  - {project: prod-1, location: europe-west1, name: prod-eu, guarded: true}
`)
	return w
}

// bodies is an audit policy that logs what was asked for, as GKE does for what changes
// something.
const bodies = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, verbs: [get, list, watch]}
- {level: Metadata, resources: [{group: "", resources: [secrets, serviceaccounts/token]}]}
- {level: RequestResponse, verbs: [deletecollection]}
- {level: Request}
`

// openTheDoor starts the server with a configuration that fails open.
func (w *auditWorld) openTheDoor(t *testing.T) {
	t.Helper()
	if err := w.server.Stop(); err != nil {
		t.Fatal(err)
	}
	w.opts.Args = append(w.opts.Args, "--dry-run-enforcement")
	var err error
	if w.server, err = server.Start(t.Context(), w.opts); err != nil {
		t.Fatal(err)
	}
}

// logged is how long the audit log is when it has all that has happened so far.
func (w *auditWorld) logged(t *testing.T) int64 {
	t.Helper()
	// The last that happens before: a name that nothing else has.
	mark := fmt.Sprintf("mark-%d", len(w.events(t)))
	result, err := w.Kubectl(t.Context(), w.admin, "get", "configmap", mark)
	if err != nil || result.ExitCode == 0 {
		t.Fatalf("%v: %s", err, result.Stdout)
	}
	if _, err := w.WaitForAudit(t.Context(), func(e *auditv1.Event) bool { return e.ObjectRef != nil && e.ObjectRef.Name == mark }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(w.log())
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func (w *auditWorld) log() string { return filepath.Join(w.Dir(), "audit.log") }

func (w *auditWorld) events(t *testing.T) []auditv1.Event {
	t.Helper()
	events, err := w.Audit()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// during is the part of the audit log that some work makes.
func (w *auditWorld) during(t *testing.T, work func()) (file string) {
	t.Helper()
	from := w.logged(t)
	work()
	to := w.logged(t)
	data, err := os.ReadFile(w.log())
	if err != nil {
		t.Fatal(err)
	}
	return writeText(t, t.TempDir(), "audit.log", string(data[from:to]))
}

// replay judges an audit log, and returns what people would have been told of, in
// words: who, phase, verb, target, mediation, policies; and all of it as people read it.
func (w *auditWorld) replay(t *testing.T, file string) (told []string, text string) {
	t.Helper()
	result := run(t.Context(), t, w.opts.Binary, "audit", "replay", "--config", w.config, "-o", "json", file)
	if result.ExitCode != 0 && result.ExitCode != 3 {
		t.Fatalf("exit %d: %s", result.ExitCode, result.Stderr)
	}
	for line := range strings.Lines(result.Stdout) {
		var d operation.Decision
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if d.Outcome == operation.OutcomeAllow {
			continue
		}
		var policies []string
		for _, v := range d.Violations {
			policies = append(policies, v.Policy)
		}
		told = append(told, strings.Join([]string{
			d.Actor.Name, string(d.Phase), string(d.Verb), d.Target.Kind, d.Target.Namespace + "/" + d.Target.Name, string(d.Mediation), strings.Join(policies, "+"),
		}, " "))
	}
	human := run(t.Context(), t, w.opts.Binary, "audit", "replay", "--config", w.config, file)
	if human.ExitCode != result.ExitCode {
		t.Errorf("replay ends with %d, with -o json it is %d", human.ExitCode, result.ExitCode)
	}
	if told == nil && human.ExitCode != 0 || told != nil && human.ExitCode != 3 {
		t.Errorf("exit %d for %q", human.ExitCode, told)
	}
	return told, human.Stdout
}

// destroy does to a shop what a webhook is there for, in every way that an API server
// logs differently.
func (w *auditWorld) destroy(t *testing.T, user *rest.Config, shop, pod string) {
	t.Helper()
	clients, err := kubernetes.NewForConfig(user)
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.PolicyV1().Evictions(shop).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: pod}}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"delete", "configmap", "settings"},
		{"scale", "deployment", "web", "--replicas=0"},
		{"label", "deployment", "web", "env-"},
	} {
		if got := w.as(t, user, append([]string{"-n", shop}, args...)...); got.ExitCode != 0 {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), got.Stderr)
		}
	}
	for _, selector := range []string{"app=batch", "app=nobody"} {
		if err := clients.CoreV1().ConfigMaps(shop).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector}); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.as(t, user, "delete", "namespace", shop, "--wait=false"); got.ExitCode != 0 {
		t.Fatal(got.Stderr)
	}
}

// annotated are the annotations of the event of a delete of a ConfigMap, by key.
func (w *auditWorld) annotated(t *testing.T, namespace string) map[string]string {
	t.Helper()
	event, err := w.WaitForAudit(t.Context(), func(e *auditv1.Event) bool {
		return e.Verb == "delete" && e.ObjectRef != nil && e.ObjectRef.Resource == "configmaps" && e.ObjectRef.Namespace == namespace && e.Stage == auditv1.StageResponseComplete
	})
	if err != nil {
		t.Fatal(err)
	}
	return event.Annotations
}

// isAnnotated checks that the event of a delete has annotations that are looked for
// (package mapping): they are the API server's own.
func (w *auditWorld) isAnnotated(t *testing.T, namespace string, keys ...string) {
	t.Helper()
	annotations := w.annotated(t, namespace)
	for _, key := range keys {
		if annotations[key] == "" {
			t.Errorf("the event has no annotation %s, but %v", key, annotations)
		}
	}
}

// forgotten waits until the API server does not call the webhook any more, whose
// configuration is gone.
func (w *auditWorld) forgotten(t *testing.T) {
	t.Helper()
	w.eventually(t, "the API server to call no webhook", func() error {
		before := len(w.events(t))
		w.kubectl(t, "-n", "default", "delete", "configmap", "canary", "--dry-run=server")
		event, err := w.WaitForAudit(t.Context(), func(e *auditv1.Event) bool {
			before--
			return before < 0 && e.ObjectRef != nil && e.ObjectRef.Name == "canary" && e.Verb == "delete"
		})
		if err != nil {
			return err
		}
		for key := range event.Annotations {
			if strings.HasPrefix(key, "failed-open.") {
				return fmt.Errorf("it still has %s", key)
			}
		}
		return nil
	})
}

// tells checks what an audit log tells.
func (w *auditWorld) tells(t *testing.T, file string, want ...string) {
	t.Helper()
	told, text := w.replay(t, file)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s\n%s", diff, text)
	}
}
