package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

func TestAServiceAccountAsksByTheServersAPIAndNeverApproves(t *testing.T) {
	t.Parallel()
	address := reserve(t, t.TempDir())
	w := newBreakGlassWorld(t, func(o *server.Options) {
		o.Config = strings.Replace(o.Config, "address: 127.0.0.1:0", "address: "+address, 1)
	})
	w.apply(t, `
apiVersion: v1
kind: Namespace
metadata: {name: ci}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: old, namespace: ci, labels: {env: production}}
`)
	const robot = "system:serviceaccount:ci:robot"
	robotConfig, err := w.ServiceAccount(t.Context(), "ci", "robot")
	if err != nil {
		t.Fatal(err)
	}
	// It may do everything that RBAC can allow a machine here.
	w.kubectlAdmin(t, "create", "clusterrolebinding", "robot-operates", "--clusterrole="+cluster.OperatorRole, "--serviceaccount=ci:robot")
	w.kubectlAdmin(t, "create", "clusterrolebinding", "robot-approves", "--clusterrole=mollyguard-approver", "--serviceaccount=ci:robot")

	dir := t.TempDir()
	tokenFor := func(name string, audiences ...string) string {
		token, err := w.clients.CoreV1().ServiceAccounts("ci").CreateToken(t.Context(), "robot", &authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{Audiences: audiences},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return writeText(t, dir, name, token.Status.Token)
	}
	api := func(token string, args ...string) cluster.KubectlResult {
		return run(t.Context(), t, w.opts.Binary, append(append([]string{"break-glass"}, args...),
			"--server", "https://"+address, "--ca", filepath.Join(w.opts.Dir, "certificates", "ca.crt"), "--api-token-file", token)...)
	}

	// A token for the API server itself is not one for us.
	wrong := api(tokenFor("wrong"), "list")
	if wrong.ExitCode == 0 {
		t.Errorf("a token for another audience was taken: %s", wrong.Stdout)
	}
	token := tokenFor("right", "mollyguard")
	asked := api(token, "request", "delete", "k8s://prod-eu/core/configmaps/ci/old", "--reason", "replaced", "-o", "json")
	if asked.ExitCode != 0 {
		t.Fatalf("request: %s", asked.Stderr)
	}
	handle := handleIn(t, asked.Stdout)

	theirs := w.request(t, "delete", "k8s://prod-eu/core/configmaps/ci/old")
	approved := api(token, "approve", theirs)
	if approved.ExitCode != 3 {
		t.Errorf("a machine approved, or the answer is %d: %s", approved.ExitCode, approved.Stderr)
	}
	says(t, approved.Stderr, robot+` is of kind "service": only people approve`)

	w.approve(t, handle)
	says(t, w.kubectl(t, "-n", "ci", "delete", "configmap", "old").Stderr, "pending: 0 of 1 approvals") // not Alice's
	if got := w.as(t, robotConfig, "-n", "ci", "delete", "configmap", "old"); got.ExitCode != 0 {
		t.Errorf("the robot, with its grant: %s", got.Stderr)
	}
}
