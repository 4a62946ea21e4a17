package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

// patience bounds every wait: a namespace takes six seconds, a lost node as long as
// nodeGrace, and the machine may be busy with other things.
const patience = 2 * time.Minute

// nodeGrace is how long a node may be silent until it counts as lost.
const nodeGrace = "6s"

// life is a cluster with nodes and those who work in it.
type life struct {
	*cluster.Cluster
	// server is nil in the life without Mollyguard.
	server *server.Server
	mapper meta.RESTMapper
	nodes  *nodes

	// admin sets up and looks; it does nothing that is part of the life.
	admin *actor
	// alice is a person, with kubectl.
	alice *actor
	// gitops applies what is in Git, as Argo CD and Flux do; deployer is what runs
	// Helm; certificates is like cert-manager; operator is any other operator.
	gitops, deployer, certificates, operator *actor
	scheduler                                *actor
	provisioner                              *actor
}

// actor is somebody who asks the API server for something.
type actor struct {
	config  *rest.Config
	clients kubernetes.Interface
	dynamic dynamic.Interface
}

func newActor(config *rest.Config) (*actor, error) {
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{} // of what is deprecated, and used all the same
	a := &actor{config: config}
	var err error
	if a.clients, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	a.dynamic, err = dynamic.NewForConfig(config)
	return a, err
}

// newLife starts a control plane. Nodes and Mollyguard are not there yet.
func newLife(t *testing.T) *life {
	t.Helper()
	l := &life{Cluster: cluster.ForTest(t, cluster.Options{
		APIServerArgs: map[string]string{
			"default-not-ready-toleration-seconds":   "1",
			"default-unreachable-toleration-seconds": "1",
		},
		ControllerManagerArgs: map[string]string{
			"node-monitor-period":                               "1s",
			"node-monitor-grace-period":                         nodeGrace,
			"horizontal-pod-autoscaler-sync-period":             "1s",
			"horizontal-pod-autoscaler-initial-readiness-delay": "0s",
		},
	})}
	if err := l.people(t.Context()); err != nil {
		t.Fatal(err)
	}
	httpClient, err := rest.HTTPClientFor(l.admin.config)
	if err != nil {
		t.Fatal(err)
	}
	if l.mapper, err = apiutil.NewDynamicRESTMapper(l.admin.config, httpClient); err != nil {
		t.Fatal(err)
	}
	return l
}

// people makes who works in the cluster, with the rights that they have elsewhere.
func (l *life) people(ctx context.Context) error {
	var err error
	if l.admin, err = newActor(l.Admin()); err != nil {
		return err
	}
	for _, user := range []struct {
		name, role string
		groups     []string
		actor      **actor
	}{
		{name: "alice@example.com", role: cluster.OperatorRole, groups: []string{"dev"}, actor: &l.alice},
		{name: "system:kube-scheduler", role: "system:kube-scheduler", actor: &l.scheduler},
	} {
		config, err := l.User(user.name, user.groups...)
		if err != nil {
			return err
		}
		if err := l.Grant(ctx, user.name, user.role); err != nil {
			return err
		}
		if *user.actor, err = newActor(config); err != nil {
			return err
		}
	}
	for _, account := range []struct {
		namespace, name, role string
		actor                 **actor
	}{
		{"argocd", "argocd-application-controller", "cluster-admin", &l.gitops},
		{"ci", "deployer", cluster.OperatorRole, &l.deployer},
		{"cert-manager", "cert-manager", "cluster-admin", &l.certificates},
		{"operators", "operator", "cluster-admin", &l.operator},
		{"csi", "provisioner", "cluster-admin", &l.provisioner},
	} {
		if *account.actor, err = l.account(ctx, account.namespace, account.name, account.role); err != nil {
			return err
		}
	}
	return nil
}

// account makes a service account in a namespace that says nothing of production.
func (l *life) account(ctx context.Context, namespace, name, role string) (*actor, error) {
	_, err := l.admin.clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	config, err := l.ServiceAccount(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if err := l.Grant(ctx, "system:serviceaccount:"+namespace+":"+name, role); err != nil {
		return nil, err
	}
	return newActor(config)
}

// guard starts Mollyguard, as its own service account, and returns when the API
// server calls it.
func (l *life) guard(t *testing.T) {
	t.Helper()
	robot, err := l.account(t.Context(), "mollyguard", "mollyguard", "cluster-admin")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := l.Kubeconfig(robot.config)
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := filepath.Glob("../../deploy/base/crds/*.yaml")
	if err != nil || len(definitions) == 0 {
		t.Fatalf("the CRDs of deploy/base: %v, %d of them", err, len(definitions))
	}
	for _, path := range definitions {
		manifest, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.apply(t.Context(), l.admin, "", string(manifest)); err != nil {
			t.Fatal(err)
		}
	}
	// A server that finds no kind Floor lays none.
	if err := l.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	opts := server.Options{Binary: binary(t), Kubeconfig: kubeconfig, Dir: dir}
	opts.Config = "api: {address: 127.0.0.1:0}\nbreakGlass:\n  keys: {file: " + filepath.Join(dir, "keys.json") + "}\n"
	if l.server, err = server.Start(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.server.Kill() })

	if err := l.until(t.Context(), "the floor", func() error {
		for _, name := range []string{"mollyguard-floor", "mollyguard-floor-parents"} {
			if _, err := l.admin.clients.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Get(t.Context(), name, metav1.GetOptions{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatalf("%v\n%s", err, l.server.Log())
	}

	if err := l.server.Guards(t.Context(), l.Admin()); err != nil {
		t.Fatal(err)
	}
	if err := l.until(t.Context(), "Mollyguard to know the cluster", func() error {
		// What is not production goes only when the index is there.
		return l.alice.clients.CoreV1().Namespaces().Delete(t.Context(), "ci", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	}); err != nil {
		t.Fatalf("%v\n%s", err, l.server.Log())
	}
}

// kubectl runs kubectl as Alice.
func (l *life) kubectl(ctx context.Context, args ...string) error {
	result, err := l.KubectlWith(ctx, cluster.KubectlOptions{Timeout: patience}, l.alice.config, args...)
	if err == nil && result.ExitCode != 0 {
		err = fmt.Errorf("kubectl %s: %s", strings.Join(args, " "), result.Stderr)
	}
	return err
}

// kubectls runs one kubectl after the other; each is its arguments with a space
// between.
func (l *life) kubectls(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		if err := l.kubectl(ctx, strings.Fields(command)...); err != nil {
			return err
		}
	}
	return nil
}

// until polls until fn has no error.
func (l *life) until(ctx context.Context, what string, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := fn()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, err)
		case <-time.After(250 * time.Millisecond):
		}
	}
}
