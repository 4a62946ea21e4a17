package conformance

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/core/v1"
)

// schedule binds pods to nodes, as kube-scheduler, until ctx ends. It knows of a
// pod's pool, of the one node that a DaemonSet names, of nodes that take no pods, and
// that a node of the tight pool has room for one.
func (l *life) schedule(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(l.scheduler.clients, 0)
	pods, nodes := factory.Core().V1().Pods().Lister(), factory.Core().V1().Nodes().Lister()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	factory.WaitForCacheSync(ctx.Done())

	bound := map[types.UID]string{} // ahead of the cache
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := l.bind(ctx, pods, nodes, bound); err != nil && ctx.Err() == nil {
			return fmt.Errorf("scheduler: %w", err)
		}
	}
}

func (l *life) bind(ctx context.Context, pods listers.PodLister, nodes listers.NodeLister, bound map[types.UID]string) error {
	all, err := pods.List(labels.Everything())
	if err != nil {
		return err
	}
	candidates, err := nodes.List(labels.Everything())
	if err != nil {
		return err
	}
	load := map[string]int{}
	for _, pod := range all {
		node := pod.Spec.NodeName
		if node == "" {
			node = bound[pod.UID]
		}
		load[node]++
	}
	for _, pod := range all {
		if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil || bound[pod.UID] != "" {
			continue
		}
		name := choose(pod, candidates, load)
		if name == "" {
			continue
		}
		if err := l.scheduler.clients.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: name},
		}, metav1.CreateOptions{}); expected(err) != nil {
			return err
		}
		bound[pod.UID] = name
		load[name]++
	}
	return nil
}

// choose returns the node with the fewest pods that a pod fits on, or "".
func choose(pod *corev1.Pod, candidates []*corev1.Node, load map[string]int) string {
	only, chosen := namedNode(pod), ""
	for _, node := range candidates {
		fits := node.Labels["pool"] == pod.Spec.NodeSelector["pool"] && (only == "" || only == node.Name) &&
			(only != "" || !node.Spec.Unschedulable && len(node.Spec.Taints) == 0) &&
			(node.Labels["pool"] != poolTight || load[node.Name] == 0)
		if fits && (chosen == "" || load[node.Name] < load[chosen]) {
			chosen = node.Name
		}
	}
	return chosen
}

// namedNode is the node that the DaemonSet controller made a pod for.
func namedNode(pod *corev1.Pod) string {
	affinity := pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == "metadata.name" && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}

// preempt makes room as kube-scheduler does: it marks the pod, then deletes it.
func (l *life) preempt(ctx context.Context, victim *corev1.Pod) error {
	pods := l.scheduler.clients.CoreV1().Pods(victim.Namespace)
	const disrupted = `{"status":{"conditions":[{"type":"DisruptionTarget","status":"True","reason":"PreemptionByScheduler"}]}}`
	if _, err := pods.Patch(ctx, victim.Name, types.StrategicMergePatchType, []byte(disrupted), metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	return pods.Delete(ctx, victim.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &victim.UID}})
}
