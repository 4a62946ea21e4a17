package kube_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/mollyguard/mollyguard/kube"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: prod
  cluster: {server: "https://10.0.0.1:6443"}
users:
- name: mollyguard
  user: {token: t}
contexts:
- name: prod
  context: {cluster: prod, user: mollyguard}
current-context: prod
`

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAKubeconfigSaysHowToReachTheCluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1") // the file goes first
	config, inCluster, err := kube.Connect(write(t, kubeconfig), "mollyguard/v1")
	if err != nil {
		t.Fatal(err)
	}
	type connection struct {
		Host, Token, UserAgent string
		QPS                    float32
		Burst                  int
		InCluster              bool
	}
	want := connection{Host: "https://10.0.0.1:6443", Token: "t", UserAgent: "mollyguard/v1", QPS: 400, Burst: 800}
	got := connection{config.Host, config.BearerToken, config.UserAgent, config.QPS, config.Burst, inCluster}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
}

func TestAKubeconfigThatIsNoGoodIsAnError(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for _, tt := range []struct{ name, path, want string }{
		{"not there", missing, "read kubeconfig: stat " + missing + ": no such file or directory"},
		{"no kubeconfig", write(t, "cluster: prod"), "read kubeconfig: invalid configuration: no configuration has been provided"},
		{"a context of no cluster", write(t, strings.Replace(kubeconfig, "cluster: prod,", "cluster: dev,", 1)), "read kubeconfig: invalid configuration: no configuration has been provided"},
		{"no YAML", write(t, "\x00"), "read kubeconfig: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, _, err := kube.Connect(tt.path, "mollyguard/v1")
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s…", err, tt.want)
			}
			if config != nil {
				t.Errorf("a configuration came with the error: %v", config)
			}
		})
	}
}

func TestWithoutAKubeconfigAndOutsideAPodThereIsNoCluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	config, inCluster, err := kube.Connect("", "mollyguard/v1")
	if config != nil || inCluster || err != nil {
		t.Errorf("got %v, %v, %v; want nothing", config, inCluster, err)
	}
}

func TestAPodWithoutItsServiceAccountIsAnError(t *testing.T) {
	const token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	if _, err := os.Stat(token); err == nil {
		t.Skip("this is a pod, and has one")
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	_, _, err := kube.Connect("", "mollyguard/v1")
	if want := "find the cluster from inside the pod: open " + token + ": no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func holder(t *testing.T, clients *fake.Clientset) string {
	t.Helper()
	lease, err := clients.CoordinationV1().Leases("guards").Get(t.Context(), "mollyguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return *lease.Spec.HolderIdentity
}

func TestTheLeaderWorksWhileItHoldsTheLeaseAndGivesItBack(t *testing.T) {
	clients := fake.NewClientset()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var held atomic.Value
	ended := make(chan struct{})
	lease := kube.Lease{Clients: clients, Namespace: "guards", Name: "mollyguard", Identity: "mollyguard-0"}
	err := lease.Lead(ctx, func(ctx context.Context) error {
		held.Store(holder(t, clients))
		stop() // the process is told to end
		<-ctx.Done()
		close(ended)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-ended
	if got := held.Load(); got != "mollyguard-0" {
		t.Errorf("the lease was held by %v at work", got)
	}
	if got := holder(t, clients); got != "" {
		t.Errorf("the lease is held by %q at the end", got)
	}
}

func TestWhoDoesNotHoldTheLeaseDoesNotWork(t *testing.T) {
	other := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "guards", Name: "mollyguard"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("mollyguard-1"), LeaseDurationSeconds: new(int32(15)),
			AcquireTime: new(metav1.NowMicro()), RenewTime: new(metav1.NowMicro()),
		},
	}
	clients := fake.NewClientset(other)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	asked := make(chan struct{}, 100)
	clients.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		asked <- struct{}{}
		return false, nil, nil // the fake goes on
	})
	holders := make(chan string, 10)
	ended := make(chan error, 1)
	go func() {
		lease := kube.Lease{
			Clients: clients, Namespace: "guards", Name: "mollyguard", Identity: "mollyguard-0",
			Holder: func(identity string) { holders <- identity },
		}
		ended <- lease.Lead(ctx, func(context.Context) error { t.Error("it worked"); return nil })
	}()
	<-asked
	if got := <-holders; got != "mollyguard-1" {
		t.Errorf("told that %q holds it", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := holder(t, clients); got != "mollyguard-1" {
		t.Errorf("the lease is held by %q", got)
	}
}

func TestALeaseThatIsHeldForEverIsToldOf(t *testing.T) {
	clients := fake.NewClientset(&coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "guards", Name: "mollyguard"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("mallory"), LeaseDurationSeconds: new(int32(math.MaxInt32)),
			AcquireTime: new(metav1.NowMicro()), RenewTime: new(metav1.NowMicro()),
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log bytes.Buffer
	lease := kube.Lease{
		Clients: clients, Namespace: "guards", Name: "mollyguard", Identity: "mollyguard-0", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Holder: func(string) { stop() },
	}
	if err := lease.Lead(ctx, func(context.Context) error { t.Error("it worked"); return nil }); err != nil {
		t.Error(err)
	}
	if want := "holder=mallory seconds=2147483647"; !strings.Contains(log.String(), want) {
		t.Errorf("the log lacks %q:\n%s", want, &log)
	}
}

func TestAReplicaWithoutAnIdentityCannotLead(t *testing.T) {
	lease := kube.Lease{Clients: fake.NewClientset(), Namespace: "guards", Name: "mollyguard"}
	err := lease.Lead(t.Context(), func(context.Context) error { t.Error("it worked"); return nil })
	if want := "contest lease guards/mollyguard: Lock identity is empty"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestALeaderWhoseWorkEndsGivesTheLeaseUpAndTriesAgain(t *testing.T) {
	clients := fake.NewClientset()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	terms := 0
	lease := kube.Lease{Clients: clients, Namespace: "guards", Name: "mollyguard", Identity: "mollyguard-0"}
	err := lease.Lead(ctx, func(context.Context) error {
		if terms++; terms == 2 {
			stop()
		}
		return errors.New("no watch")
	})
	if err != nil || terms != 2 {
		t.Errorf("%d terms, %v", terms, err)
	}
	if got := holder(t, clients); got != "" {
		t.Errorf("the lease is held by %q", got)
	}
}
