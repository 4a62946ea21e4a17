package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/mollyguard/mollyguard/webhook/index"
)

// What happens in ten minutes in a cluster of 100,000 objects in which some apps are
// rolled out and the others run: about 100 events a second.
const (
	// rolled is how many pods are replaced, each in nine events: the new one appears, is
	// scheduled, starts and becomes ready, the old one is told to end, ends and is gone.
	rolled = 4_000
	// counted is how many times a ReplicaSet, a Deployment, an autoscaler, a node and a
	// custom resource each say something new in their status.
	counted = 5_000
	// churnRate is how many of them are told in a second: twenty times as many as there
	// would be, and few enough that they do not pile up in the buffers of a connection.
	churnRate = 2_000
	// churnStep is how many are told at once.
	churnStep = 20
)

// churn tells the watchers of a share of what happens, and returns how many events that
// were, and how many more objects there are in the end: one of each kind that it tells of,
// told last.
func (f *fakeCluster) churn(ctx context.Context, share float64) (events, more int, err error) {
	t := &teller{ctx: ctx, cluster: f, pace: time.NewTicker(time.Second * churnStep / churnRate)}
	defer t.pace.Stop()
	t.roll(f.collections[pods.path()], int(rolled*share))
	for _, k := range []kind{replicaSets, deployments, autoscalers, nodes, customKind(1)} {
		t.update(f.collections[k.path()], int(counted*share))
	}
	for _, k := range []kind{pods, replicaSets, deployments, autoscalers, nodes, customKind(1)} {
		if one := f.collections[k.path()]; len(one.objects) > 0 {
			last := one.objects[0]
			last.Name, last.UID, last.Owners = "last", "00000000-0000-4000-8000-"+fmt.Sprintf("%012d", more), nil
			t.tell(one, "ADDED", last)
			more++
		}
	}
	return t.events, more, t.err
}

// teller tells of events until one can't be told.
type teller struct {
	ctx     context.Context
	cluster *fakeCluster
	pace    *time.Ticker
	events  int
	err     error
}

func (t *teller) tell(c *collection, event string, o index.Object) {
	if t.err != nil {
		return
	}
	if t.events%churnStep == 0 {
		select {
		case <-t.pace.C:
		case <-t.ctx.Done():
			t.err = context.Cause(t.ctx)
			return
		}
	}
	var data []byte
	if data, t.err = t.cluster.writer.write(o, t.cluster.version.Add(1)); t.err == nil {
		c.tell(eventOf(event, data))
		t.events++
	}
}

// roll replaces pods by others, first this one and then that.
func (t *teller) roll(c *collection, n int) {
	for i := range min(n, len(c.objects)) {
		old := c.objects[i*len(c.objects)/n]
		pod, ok := old.Facts.(*index.Pod)
		if !ok {
			t.err = fmt.Errorf("the pod %s has no facts", old.Name)
			return
		}
		t.tell(c, "MODIFIED", old) // told to end
		t.tell(c, "MODIFIED", old) // not ready
		t.tell(c, "MODIFIED", old) // ended
		t.tell(c, "DELETED", old)
		young, pending := old, *pod
		young.Name, young.UID = fmt.Sprintf("%s-%d", old.Name, i), fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)
		young.Labels = maps.Clone(old.Labels)
		pending.Node = ""
		young.Facts = &pending
		t.tell(c, "ADDED", young)
		young.Facts = pod
		t.tell(c, "MODIFIED", young) // scheduled
		t.tell(c, "MODIFIED", young) // starting
		t.tell(c, "MODIFIED", young) // running
		t.tell(c, "MODIFIED", young) // ready
	}
}

// update tells of new statuses.
func (t *teller) update(c *collection, n int) {
	for i := range n {
		if len(c.objects) > 0 {
			t.tell(c, "MODIFIED", c.objects[i%len(c.objects)])
		}
	}
}
