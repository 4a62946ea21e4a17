package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/core/v1"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// look is how often a node and the scheduler look at their pods.
const look = 50 * time.Millisecond

// heartbeats is how often a node renews its lease; see nodeGrace.
const heartbeats = 1500 * time.Millisecond

// Pods say by this label what they do; without it a pod of a Job succeeds at once,
// and others run.
const (
	behaviour = "behaviour"
	fails     = "fails"
	runs      = "runs"
)

// node does what a kubelet does, as far as the API server sees: it registers
// itself, renews its lease, says that its pods run or have ended, and finishes their
// deletion. Nothing runs.
type node struct {
	name, pool string
	as         *actor
	acted      map[types.UID]string // resource version that was last acted on
}

func newNode(c *cluster.Cluster, name, pool string) (*node, error) {
	config, err := c.User("system:node:"+name, "system:nodes")
	if err != nil {
		return nil, err
	}
	n := &node{name: name, pool: pool, acted: map[types.UID]string{}}
	n.as, err = newActor(config)
	return n, err
}

// run is the node's life until ctx ends: a node that falls silent.
func (n *node) run(ctx context.Context) error {
	if err := n.register(ctx); err != nil {
		return fmt.Errorf("register node %s: %w", n.name, err)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(n.as.clients, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", n.name).String()
	}))
	pods := factory.Core().V1().Pods().Lister()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	// What is not in the cache yet is tended later; the heartbeat does not wait.

	var renewed time.Time
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := n.tend(ctx, pods)
		if time.Since(renewed) > heartbeats {
			err = errors.Join(err, n.heartbeat(ctx))
			renewed = time.Now()
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("node %s: %w", n.name, err)
		}
	}
}

func (n *node) register(ctx context.Context) error {
	_, err := n.as.clients.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: map[string]string{"pool": n.pool}},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = n.as.clients.CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: n.name},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new(n.name), LeaseDurationSeconds: new(int32(40))},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// heartbeat renews the lease, and the status of a node that is not called ready.
// A node that somebody has deleted has nothing to say any more.
func (n *node) heartbeat(ctx context.Context) error {
	nodes, leases := n.as.clients.CoreV1().Nodes(), n.as.clients.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	self, err := nodes.Get(ctx, n.name, metav1.GetOptions{})
	if err != nil {
		return expected(err)
	}
	lease, err := leases.Get(ctx, n.name, metav1.GetOptions{})
	if err != nil {
		return expected(err)
	}
	lease.Spec.RenewTime = new(metav1.NowMicro())
	if _, err := leases.Update(ctx, lease, metav1.UpdateOptions{}); err != nil {
		return expected(err)
	}
	for _, condition := range self.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	const ready = `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}]}}`
	_, err = nodes.PatchStatus(ctx, n.name, []byte(ready))
	return expected(err)
}

// tend does for each pod what is next.
func (n *node) tend(ctx context.Context, lister listers.PodLister) error {
	pods, err := lister.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if n.acted[pod.UID] == pod.ResourceVersion {
			continue // the cache will show what became of it
		}
		if err := n.tendPod(ctx, pod); err != nil {
			return err
		}
		n.acted[pod.UID] = pod.ResourceVersion
	}
	return nil
}

func (n *node) tendPod(ctx context.Context, pod *corev1.Pod) error {
	pods := n.as.clients.CoreV1().Pods(pod.Namespace)
	switch {
	case pod.DeletionTimestamp != nil:
		return expected(pods.Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64(0)), Preconditions: &metav1.Preconditions{UID: &pod.UID},
		}))
	case pod.Status.Phase == corev1.PodPending:
		pod = pod.DeepCopy()
		pod.Status = statusOf(pod)
		_, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return expected(err)
	}
	return nil
}

// expected drops errors that a race explains: the cache shows what is next.
func expected(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// statusOf is the status of a pod that runs, or of a Job's that has ended.
func statusOf(pod *corev1.Pod) corev1.PodStatus {
	status, now := pod.Status, metav1.Now()
	ready, state := corev1.ConditionTrue, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	status.Phase, status.StartTime = corev1.PodRunning, &now
	owner := metav1.GetControllerOf(pod)
	if ofJob := owner != nil && owner.Kind == "Job"; ofJob && pod.Labels[behaviour] != runs {
		ready = corev1.ConditionFalse
		code := int32(0)
		status.Phase = corev1.PodSucceeded
		if pod.Labels[behaviour] == fails {
			code, status.Phase = 1, corev1.PodFailed
		}
		state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, StartedAt: now, FinishedAt: now}}
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: ready, LastTransitionTime: now})
	}
	status.ContainerStatuses = nil
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: ready == corev1.ConditionTrue, State: state,
		})
	}
	return status
}
