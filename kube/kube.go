// Package kube connects to a cluster: how to reach it, and how replicas agree on
// which of them does what only one may do.
package kube

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/mollyguard/mollyguard/pause"
)

// The client's own limits. The webhook asks for one object in a scale or an
// eviction, and up to ten times where a grant may be used; 40 of those a second is
// a large drain under a grant, and the API server has limits of its own (API
// Priority and Fairness).
const (
	clientQPS   = 400
	clientBurst = 800
)

// Connect returns how to reach a cluster: by a kubeconfig file if one is named,
// else from inside a pod. Neither gives nil: there is no cluster.
func Connect(kubeconfig, userAgent string) (config *rest.Config, inCluster bool, err error) {
	switch {
	case kubeconfig != "":
		config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, false, fmt.Errorf("read kubeconfig: %w", err)
		}
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "":
		config, err = rest.InClusterConfig()
		if err != nil {
			return nil, false, fmt.Errorf("find the cluster from inside the pod: %w", err)
		}
		inCluster = true
	default:
		return nil, false, nil
	}
	config.UserAgent = userAgent
	config.QPS, config.Burst = clientQPS, clientBurst
	return config, inCluster, nil
}

// The lease's times are client-go's recommended ones
// (k8s.io/component-base/config/v1alpha1 RecommendedDefaultLeaderElectionConfiguration).
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// Lease names the Lease that replicas agree by. Clients, Namespace, Name and
// Identity are required.
type Lease struct {
	Clients         kubernetes.Interface
	Namespace, Name string
	// Identity tells this replica from the others.
	Identity string
	// Holder is told who holds it, whenever that changes; nil is nobody.
	Holder func(identity string)
	// Log is told who leads; nil discards.
	Log *slog.Logger
}

// Lead runs fn while this replica holds the lease, with a context that ends when
// it is lost, and contests it again after that. Losing the lease stops fn, not
// the process: the replica still has admission calls to answer. An fn that
// returns gives the lease up, so that another replica may do better. fn never
// runs twice at once in this process. Lead returns nil when ctx ends.
//
// A lease that says that it lasts longer than ours do is waited for as if it were ours.
func (l Lease) Lead(ctx context.Context, fn func(ctx context.Context) error) error {
	log := l.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var running sync.Mutex // the elector does not wait for what it started
	term := func(ctx context.Context, giveUp context.CancelFunc) {
		defer giveUp()
		running.Lock()
		defer running.Unlock()
		if ctx.Err() != nil {
			return
		}
		log.Info("leading", "lease", l.Name)
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			log.Error("leader's work ended, giving the lease up", "lease", l.Name, "error", err)
		}
	}
	for ctx.Err() == nil {
		held, giveUp := context.WithCancel(ctx)
		elector, err := l.elector(log, leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { term(ctx, giveUp) },
			OnStoppedLeading: func() { log.Info("not leading", "lease", l.Name) },
			OnNewLeader:      l.Holder,
		})
		if err != nil {
			giveUp()
			return fmt.Errorf("contest lease %s/%s: %w", l.Namespace, l.Name, err)
		}
		elector.Run(held)
		giveUp()
		_ = pause.For(ctx, retryPeriod) // the loop looks whether ctx ended
	}
	running.Lock() // wait for the last term to end
	defer running.Unlock()
	return nil
}

func (l Lease) elector(log *slog.Logger, callbacks leaderelection.LeaderCallbacks) (*leaderelection.LeaderElector, error) {
	return leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &boundedLock{log: log, Interface: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: l.Namespace, Name: l.Name},
			Client:     l.Clients.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: l.Identity},
		}},
		LeaseDuration:   leaseDuration,
		RenewDeadline:   renewDeadline,
		RetryPeriod:     retryPeriod,
		ReleaseOnCancel: true,
		Name:            l.Name,
		Callbacks:       callbacks,
	})
}
