package conformance

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pools are what pods choose nodes by.
const (
	poolProduction = "production"
	poolDev        = "dev"
	poolSpare      = "spare" // is drained
	poolFrail      = "frail" // loses a node
	poolTight      = "tight" // has room for one pod
)

// roster is how many nodes each pool has.
var roster = map[string]int{poolProduction: 3, poolDev: 2, poolSpare: 2, poolFrail: 2, poolTight: 1}

func nodeName(pool string, i int) string { return fmt.Sprintf("%s-%d", pool, i) }

// nodes runs all nodes, of which one can be silenced.
type nodes struct {
	ctx   context.Context
	group *errgroup.Group

	mu    sync.Mutex
	known map[string]*running
}

type running struct {
	node    *node
	silence context.CancelFunc
	silent  chan struct{}
}

// startNodes starts the nodes and returns when all are ready. They run until ctx
// ends; the group has their errors.
func (l *life) startNodes(ctx context.Context, group *errgroup.Group) error {
	l.nodes = &nodes{ctx: ctx, group: group, known: map[string]*running{}}
	for pool, count := range roster {
		for i := range count {
			n, err := newNode(l.Cluster, nodeName(pool, i+1), pool)
			if err != nil {
				return err
			}
			l.nodes.start(n)
		}
	}
	return l.until(ctx, "the nodes to be ready", func() error {
		for name := range l.nodes.known {
			if err := l.nodeReady(ctx, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *nodes) start(one *node) {
	ctx, cancel := context.WithCancel(n.ctx)
	r := &running{node: one, silence: cancel, silent: make(chan struct{})}
	n.mu.Lock()
	n.known[one.name] = r
	n.mu.Unlock()
	n.group.Go(func() error {
		defer close(r.silent)
		return one.run(ctx)
	})
}

// silence stops a node, as a power cut does, and returns when it is silent.
func (n *nodes) silence(name string) {
	n.mu.Lock()
	r := n.known[name]
	n.mu.Unlock()
	r.silence()
	<-r.silent
}

// wake starts a silenced node again.
func (n *nodes) wake(name string) {
	n.mu.Lock()
	one := n.known[name].node
	n.mu.Unlock()
	n.start(one)
}

// nodeReady returns an error unless a node is ready and takes pods.
func (l *life) nodeReady(ctx context.Context, name string) error {
	n, err := l.admin.clients.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(n.Spec.Taints) > 0 {
		return fmt.Errorf("node %s has taints %v", name, n.Spec.Taints)
	}
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("node %s is not ready", name)
}
