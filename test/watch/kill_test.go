package watch_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// number is a setting of make kill, or what is enough for every day.
func number(t *testing.T, name string, everyDay int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return everyDay
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func TestNoAlertIsLostAndNoneIsMadeUpWhenTheWatcherIsKilledOverAndOver(t *testing.T) {
	kills, entries := number(t, "MOLLYGUARD_KILLS", 8), number(t, "MOLLYGUARD_ENTRIES", 1600)
	w := newWorld(t, "")
	w.receiver.fail(15)
	random := rand.New(rand.NewPCG(uint64(kills), uint64(entries)))
	flow := newFlow(random, entries)

	for round := range kills {
		p := w.start()
		// Some are killed while they start, most while they work.
		life := time.Duration(random.IntN(2000)) * time.Millisecond
		w.spread(flow.take(len(flow.entries)/kills), life)
		p.kill()
		if round%5 == 4 {
			w.expire()
		}
		if round%3 == 2 { // what Pub/Sub hands out twice
			for _, entry := range flow.again(random, 20) {
				w.publish(entry)
			}
		}
	}
	w.spread(flow.take(len(flow.entries)), 0)
	w.receiver.fail(0)
	p := w.start()
	defer p.kill()
	for range 6 {
		w.expire()
		if w.patience(20*time.Second, func() bool { return cmp.Equal(flow.expected, w.told()) }) {
			break
		}
	}
	newest, sends := w.receiver.alerts()
	if diff := cmp.Diff(flow.expected, w.told()); diff != "" {
		p.kill()
		t.Errorf("what people were told (-want +got):\n%s\nthe watcher says:\n%s", diff, p.talk.String())
	}
	w.sameIDs()
	t.Logf("%d entries, %d kills: %d operations that people were told of, in %d incidents, by %d messages", entries, kills, len(flow.expected), len(newest), sends)
}

// spread publishes entries over some time.
func (w *world) spread(entries []map[string]any, over time.Duration) {
	ends := time.After(over)
	for i, entry := range entries {
		w.publish(entry)
		if i%50 == 49 && over > 0 {
			time.Sleep(over / time.Duration(len(entries)/50+1)) // entries flow; nothing is waited for
		}
	}
	if over > 0 {
		<-ends
	}
}

// told is what people know: of each target how far it has come.
func (w *world) told() map[string]operation.Phase {
	told := map[string]operation.Phase{}
	newest, _ := w.receiver.alerts()
	for _, a := range newest {
		if a.Kind != alert.Violation && a.Kind != alert.Attempt {
			continue
		}
		for _, o := range a.Operations {
			told[o.Target.Ref] = o.Phase
		}
	}
	return told
}

// sameIDs checks that whatever is told of a target is told under one id. Only an end
// that came long before its start is told by itself, as nobody's.
func (w *world) sameIDs() {
	w.Helper()
	ids := map[string]map[string]bool{}
	for _, a := range w.receiver.all() {
		if a.Actor.Name == "" {
			continue
		}
		for _, o := range a.Operations {
			if ids[o.Target.Ref] == nil {
				ids[o.Target.Ref] = map[string]bool{}
			}
			ids[o.Target.Ref][a.ID] = true
		}
	}
	for ref, of := range ids {
		if len(of) != 1 {
			w.Errorf("%s was told under %v", ref, slices.Sorted(maps.Keys(of)))
		}
	}
}

// flow is what happens in a cloud.
type flow struct {
	entries []map[string]any
	taken   int
	// expected is what people are to be told: of each target how far it has come.
	expected map[string]operation.Phase
}

func newFlow(random *rand.Rand, n int) *flow {
	begin := time.Now().UTC()
	f := &flow{expected: map[string]operation.Phase{}}
	for i := 0; len(f.entries) < n; i++ {
		at := begin.Add(time.Duration(i) * time.Millisecond)
		switch kind := random.IntN(100); {
		case kind < 3: // a production disk, by somebody who does nothing else that minute
			path := fmt.Sprintf("projects/prod-1/zones/europe-west1-b/disks/disk-%d", i)
			f.add(entry(i, at, fmt.Sprintf("user-%d@example.com", i), "compute.googleapis.com", "v1.compute.disks.delete", path, nil))
			f.expected["gcp://compute.googleapis.com/"+path] = operation.Finished
		case kind < 5: // one of a burst
			path := fmt.Sprintf("projects/prod-1/zones/europe-west1-b/instances/vm-%d", i)
			f.add(entry(i, at, fmt.Sprintf("burst-%d@example.com", i/200), "compute.googleapis.com", "v1.compute.instances.delete", path, nil))
			f.expected["gcp://compute.googleapis.com/"+path] = operation.Finished
		case kind < 7: // a cluster, which takes a while
			f.cluster(random, i, at)
		case kind < 10: // what is not production
			f.add(entry(i, at, "alice@example.com", "compute.googleapis.com", "v1.compute.disks.delete", fmt.Sprintf("projects/dev-1/zones/europe-west1-b/disks/disk-%d", i), nil))
		default: // what no policy can care about
			f.add(entry(i, at, "alice@example.com", "compute.googleapis.com", "v1.compute.instances.get", fmt.Sprintf("projects/prod-1/zones/europe-west1-b/instances/vm-%d", i), nil))
		}
	}
	return f
}

func (f *flow) add(entry map[string]any) { f.entries = append(f.entries, entry) }

func (f *flow) cluster(random *rand.Rand, i int, at time.Time) {
	path := fmt.Sprintf("projects/prod-1/locations/europe-west1/clusters/cluster-%d", i)
	run := map[string]any{"id": fmt.Sprintf("operation-%d", i), "producer": "container.googleapis.com"}
	start := entry(i, at, fmt.Sprintf("user-%d@example.com", i), "container.googleapis.com", "google.container.v1.ClusterManager.DeleteCluster", path, nil)
	start["operation"] = map[string]any{"id": run["id"], "producer": run["producer"], "first": true}
	f.add(start)
	ref := "gcp://container.googleapis.com/" + path
	f.expected[ref] = operation.Started
	var status map[string]any
	switch random.IntN(3) {
	case 0: // it goes on
		return
	case 1:
		f.expected[ref] = operation.Finished
	default:
		f.expected[ref] = operation.Failed
		status = map[string]any{"code": 13, "message": "internal error"}
	}
	end := entry(i, at.Add(4*time.Second), "", "container.googleapis.com", "google.container.v1.ClusterManager.DeleteCluster", path, status)
	end["insertId"] = fmt.Sprintf("end-%d", i)
	end["operation"] = map[string]any{"id": run["id"], "producer": run["producer"], "last": true}
	f.add(end)
}

// take is the next n entries, or what is left.
func (f *flow) take(n int) []map[string]any {
	from := f.taken
	f.taken = min(f.taken+n, len(f.entries))
	return f.entries[from:f.taken]
}

// again is some of what was taken already.
func (f *flow) again(random *rand.Rand, n int) []map[string]any {
	var list []map[string]any
	for range n {
		list = append(list, f.entries[random.IntN(f.taken)])
	}
	return list
}

// entry is a log entry, as synthetic as its names.
func entry(i int, at time.Time, actor, service, method, resource string, status map[string]any) map[string]any {
	payload := map[string]any{
		"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": service, "methodName": method, "resourceName": resource,
		"status": map[string]any{},
	}
	if status != nil {
		payload["status"] = status
	}
	if actor != "" {
		payload["authenticationInfo"] = map[string]any{"principalEmail": actor}
		payload["authorizationInfo"] = []any{map[string]any{"granted": true, "permission": "x", "resource": resource}}
		payload["requestMetadata"] = map[string]any{"callerIp": "192.0.2.7", "callerSuppliedUserAgent": "google-cloud-sdk gcloud/547.0.0 command/gcloud"}
	}
	return map[string]any{
		"insertId": fmt.Sprintf("entry-%d", i), "logName": "projects/prod-1/logs/cloudaudit.googleapis.com%2Factivity",
		"timestamp": at.Format(time.RFC3339Nano), "receiveTimestamp": at.Add(time.Second).Format(time.RFC3339Nano),
		"severity": "NOTICE", "resource": map[string]any{"type": "x", "labels": map[string]any{"project_id": "prod-1"}}, "protoPayload": payload,
	}
}
