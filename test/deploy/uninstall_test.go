package deploy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// testUninstall does what deploy/README.md says. There is no kubelet to do its
// part, so the server is stopped and started here where its pods would be.
func (s *site) testUninstall(t *testing.T, objects []*unstructured.Unstructured, enforcing *server) {
	commands := commandsIn(t, root+"/deploy/README.md", "## Uninstall")
	const (
		plan, release, rest = 0, 1, 2
		count               = 3
	)
	if len(commands) != count {
		t.Fatalf("%d commands, want %d: %q", len(commands), count, commands)
	}

	// One that only warns fails open.
	enforcing.stop(t)
	warning := startServer(t, render(t, overlays+"/dry-run"), s.kubeconfig(t))
	await(t, "every webhook to fail open", func(ctx context.Context) (bool, error) {
		policies, err := s.failurePolicies(ctx)
		for name, policy := range policies {
			// What guards the records of break glass stays closed: nothing of the
			// cluster's own waits for it.
			if policy != admissionregistrationv1.Ignore && name != "cases.mollyguard.dev" {
				return false, fmt.Errorf("%s does not", name)
			}
		}
		return err == nil, err
	})
	// The API server notices the new address a moment after that.
	await(t, "the server to be asked and to warn", func(context.Context) (bool, error) {
		got := s.kubectl(t, s.operator, 0, "scale", "deployment", "web", "--replicas=0", "--namespace="+shop, "--dry-run=server")
		want := "Warning: mollyguard production-scale-to-zero: Deployment shop/web is production (label env=production): scale-to-zero would be refused"
		return strings.Contains(got.Stderr, want), fmt.Errorf("kubectl says %q", got.Stderr)
	})

	s.shell(t, commands[plan])
	if policies, err := s.failurePolicies(t.Context()); err != nil || len(policies) == 0 {
		t.Errorf("asking what would be done changed something: %v, %v", policies, err)
	}
	stopped := s.stopWithDeployment(t, warning)
	s.shell(t, commands[release])
	stopped()
	if _, err := s.failurePolicies(t.Context()); !apierrors.IsNotFound(err) {
		t.Errorf("the webhook configuration is left: %v", err)
	}
	s.testUse(t, objects)
	s.shell(t, commands[rest])

	for _, object := range objects {
		_, err := s.resource(t, object).Get(t.Context(), object.GetName(), metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("%s %s is left: %v", object.GetKind(), object.GetName(), err)
		}
	}
	s.kubectl(t, s.operator, 0, "delete", "deployment", "web", "--namespace="+shop)
}

// stopWithDeployment stops a server when its Deployment is scaled to zero, as a kubelet
// would. The returned function waits until it has.
func (s *site) stopWithDeployment(t *testing.T, running *server) (stopped func()) {
	ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		for {
			deployment, err := s.admin.AppsV1().Deployments(namespace).Get(ctx, "mollyguard", metav1.GetOptions{})
			if err == nil && *deployment.Spec.Replicas == 0 {
				running.stop(t)
				done <- nil
				return
			}
			select {
			case <-ctx.Done():
				done <- fmt.Errorf("the Deployment was not scaled to zero: %w", ctx.Err())
				return
			case <-time.After(awaitInterval):
			}
		}
	}()
	return func() {
		t.Helper()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// shell runs a command as a reader of the README would, as administrator.
func (s *site) shell(t *testing.T, command string) {
	t.Helper()
	assets, err := cluster.Assets("")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := s.Kubeconfig(s.Admin())
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(mollyguard(t), filepath.Join(folder, "kubectl-mollyguard")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = root
	cmd.Env = []string{
		"PATH=" + strings.Join([]string{folder, assets, os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig, "KUBERC=off",
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
}

// commandsIn returns the commands of the first code block below a heading.
func commandsIn(t *testing.T, path, heading string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "\n"+heading+"\n")
	_, text, _ = strings.Cut(text, "\n```sh\n")
	text, _, found := strings.Cut(text, "\n```\n")
	if !found {
		t.Fatalf("%s: no commands below %q", path, heading)
	}
	commands := strings.Split(strings.ReplaceAll(text, "\\\n", ""), "\n")
	return slices.DeleteFunc(commands, func(line string) bool { return line == "" || strings.HasPrefix(line, "#") })
}
