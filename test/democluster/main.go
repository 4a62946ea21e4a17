// Command democluster tells the story with real kubectl against a real API
// server, with its garbage collector and namespace controller running, and the
// mollyguard binary that is named as argument. It needs the control plane that
// make controlplane builds, in KUBEBUILDER_ASSETS.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

// timeout is ample: the story takes about ten seconds.
const timeout = 3 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "democluster: error: %v\n", err)
		os.Exit(1)
	}
}

const manifest = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: payments, labels: {env: production}}
---
apiVersion: v1
kind: Namespace
metadata: {name: sandbox}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop, labels: {app: checkout, env: production}}
spec:
  replicas: 2
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout, env: production}}
    spec: {containers: [{name: app, image: example.com/checkout}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout-dev, namespace: shop, labels: {app: checkout-dev, env: dev}}
spec:
  selector: {matchLabels: {app: checkout-dev}}
  template:
    metadata: {labels: {app: checkout-dev}}
    spec: {containers: [{name: app, image: example.com/checkout}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ledger, namespace: payments}
data: {currency: EUR}
`

var scenes = []struct{ told, typed string }{
	{"The wrong tab.", "-n shop delete deployment checkout"},
	{"Asking first costs nothing: a dry run answers as the real call would.", "-n shop delete deployment checkout --dry-run=server"},
	{"What is not production goes through as ever.", "-n shop delete deployment checkout-dev"},
	{"Scaled to zero is as gone as deleted.", "-n shop scale deployment checkout --replicas=0"},
	{"Scaling up is nobody's business.", "-n shop scale deployment checkout --replicas=3"},
	{"Taking the label off first is the oldest way round a guard.", "-n shop label deployment checkout env-"},
	{"An object without labels, in a namespace that has them.", "-n payments delete configmap ledger"},
	{"Emptied is as good as deleted.", `-n payments patch configmap ledger --type=json -p [{"op":"remove","path":"/data"}]`},
	{"The namespace itself.", "delete namespace payments"},
	{"And one that is not production.", "delete namespace sandbox --wait=false"},
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) != 1 {
		return errors.New("usage: democluster MOLLYGUARD")
	}
	fmt.Fprintln(out, "starting etcd, kube-apiserver and kube-controller-manager …")
	c, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()

	admin := c.Admin()
	alice, err := c.User("alice@example.com", "dev")
	if err != nil {
		return err
	}
	if err := c.Grant(ctx, "alice@example.com", cluster.OperatorRole); err != nil {
		return err
	}
	applied, err := c.KubectlWith(ctx, cluster.KubectlOptions{Stdin: strings.NewReader(manifest)}, admin, "apply", "-f", "-")
	if err != nil || applied.ExitCode != 0 {
		return fmt.Errorf("apply the demo's objects: %w %s", err, applied.Stderr)
	}
	kubeconfig, err := c.Kubeconfig(admin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mollyguard-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintln(out, "starting mollyguard, which tells the API server to ask it …")
	guard, err := server.Start(ctx, server.Options{Binary: args[0], Kubeconfig: kubeconfig, Dir: dir})
	if err != nil {
		return err
	}
	defer guard.Kill()
	if err := waitForCalls(ctx, c); err != nil {
		return err
	}
	for i, scene := range scenes {
		fmt.Fprintf(out, "\n%d. %s\n\n$ kubectl %s\n", i+1, scene.told, scene.typed)
		result, err := c.Kubectl(ctx, alice, strings.Fields(scene.typed)...)
		if err != nil {
			return err
		}
		fmt.Fprint(out, result.Stdout, result.Stderr)
	}
	decisions, err := guard.Decisions()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d decisions, each one in the decision log and, by its id, in the API server's audit log.\n", len(decisions))
	return guard.Stop()
}

// waitForCalls waits until the API server calls the webhook, which it learns to
// do by watching.
func waitForCalls(ctx context.Context, c *cluster.Cluster) error {
	for {
		probe, err := c.Kubectl(ctx, c.Admin(), "delete", "namespace", "payments", "--dry-run=server")
		if err != nil {
			return err
		}
		if probe.ExitCode != 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server does not call the webhook: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
