package watch_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mollyguard/mollyguard/operation"
)

// replica is a world of its own at the Pub/Sub of another.
func (w *world) replica() *world {
	w.Helper()
	r := newWorld(w.T)
	r.pubsub, r.receiver = w.pubsub, w.receiver
	r.configure(w.source, "", noGrants)
	return r
}

func TestTwoReplicasTellEverythingUnderTheSameIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	r := w.replica()
	w.ready(w.start())
	r.ready(r.start())

	at, n := now(), 0
	var refs []string
	publish := func(actor, path string) {
		n++
		refs = append(refs, gcpRef+gce+"/"+path)
		w.publish(entry(n, at, actor, gce, deleteDisk, path, nil))
	}
	const disks = "projects/prod-1/zones/europe-west1-b/disks/"
	for i := range 16 { // as many as one alert lists
		publish("burst@example.com", fmt.Sprintf("%sburst-%d", disks, i))
	}
	for i := range 40 {
		publish(fmt.Sprintf("user-%d@example.com", i), fmt.Sprintf("%sdisk-%d", disks, i))
	}
	told := func(ref string) bool {
		for _, a := range w.receiver.all() {
			for _, o := range a.Operations {
				if o.Target.Ref == ref {
					return true
				}
			}
		}
		return false
	}
	for _, ref := range refs {
		w.until("told of "+ref, func() bool { return told(ref) })
	}
	w.sameIDs()
	ids := map[string]bool{}
	for _, a := range w.receiver.all() {
		if a.Actor.Name == "burst@example.com" {
			ids[a.ID] = true
		}
	}
	if len(ids) != 1 {
		t.Errorf("a burst has the ids %v", ids)
	}
	a, b := len(w.decisions()), len(r.decisions())
	if a == 0 || b == 0 || a+b != len(refs) {
		t.Errorf("one replica has decided %d times, the other %d: they have not shared %d entries", a, b, len(refs))
	}
}

func TestTheEndOfAnOperationFindsTheReplicaThatKnowsItsStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	r := w.replica()
	w.ready(w.start())
	r.ready(r.start())
	knows := func(ref string, phase operation.Phase) bool {
		return slices.ContainsFunc(append(w.decisions(), r.decisions()...), func(d operation.Decision) bool { return d.Target.Ref == ref && d.Phase == phase })
	}
	const clusters = 12
	path := func(i int) string {
		return fmt.Sprintf("projects/prod-1/locations/europe-west1/clusters/cluster-%d", i)
	}
	ref := func(i int) string { return gcpRef + gke + "/" + path(i) }
	id := func(i int) string { return fmt.Sprintf("operation-%d", i) }
	for i := range clusters {
		w.publish(first(entry(i, now(), fmt.Sprintf("user-%d@example.com", i), gke, deleteCluster, path(i), nil), id(i)))
	}
	for i := range clusters {
		w.until("its start is known: "+ref(i), func() bool { return knows(ref(i), operation.Started) })
	}
	// One after the other: the fake hands a message that is given back to another
	// stream only if that waits for one.
	for i := range clusters {
		end := entry(i, now(), "", gke, deleteCluster, path(i), nil)
		end["insertId"] = fmt.Sprintf("end-%d", i)
		w.publish(last(end, id(i)))
		w.until("its end is known: "+ref(i), func() bool { return knows(ref(i), operation.Finished) })
	}
	if len(w.decisions()) == 0 || len(r.decisions()) == 0 {
		t.Error("one replica has done it all: this test proves nothing")
	}
	w.until("told of all ends", func() bool {
		gone := 0
		newest, _ := w.receiver.alerts()
		for _, a := range newest {
			if a.Operations[0].Phase == operation.Finished {
				gone++
			}
		}
		return gone == clusters
	})
	for _, a := range w.receiver.all() {
		if a.Actor.Name == "" {
			t.Errorf("an end that has a start is told as nobody's: %s", a.Title)
		}
	}
	w.sameIDs()
}
