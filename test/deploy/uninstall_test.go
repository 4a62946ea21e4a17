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
		onlyWarn, rolledOut, toZero, gone, release, rest = 0, 1, 2, 3, 4, 5
		count                                            = 6
	)
	if len(commands) != count {
		t.Fatalf("%d commands, want %d: %q", len(commands), count, commands)
	}

	s.shell(t, commands[onlyWarn])
	deployment, err := s.admin.AppsV1().Deployments(namespace).Get(t.Context(), "mollyguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if args := deployment.Spec.Template.Spec.Containers[0].Args; args[len(args)-1] != dryRunFlag {
		t.Errorf("the server's arguments are %q", args)
	}
	if !strings.HasPrefix(commands[rolledOut], "kubectl --namespace mollyguard rollout status ") {
		t.Errorf("want to wait for the rollout, found %q", commands[rolledOut])
	}
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

	s.shell(t, commands[toZero])
	s.shell(t, commands[gone])
	warning.stop(t)
	s.testUse(t, objects)
	s.shell(t, commands[release])
	s.shell(t, commands[rest])

	for _, object := range objects {
		_, err := s.resource(t, object).Get(t.Context(), object.GetName(), metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("%s %s is left: %v", object.GetKind(), object.GetName(), err)
		}
	}
	s.kubectl(t, s.operator, 0, "delete", "deployment", "web", "--namespace="+shop)
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
	ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = root
	cmd.Env = []string{
		"PATH=" + assets + string(filepath.ListSeparator) + os.Getenv("PATH"),
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
