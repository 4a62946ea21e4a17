package watch_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

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
			f.add(f.disk(i, at))
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

// disk is the deletion of a disk of production, of which people are to be told.
func (f *flow) disk(i int, at time.Time) map[string]any {
	path := fmt.Sprintf("projects/prod-1/zones/europe-west1-b/disks/disk-%d", i)
	f.expected["gcp://compute.googleapis.com/"+path] = operation.Finished
	return entry(i, at, fmt.Sprintf("user-%d@example.com", i), "compute.googleapis.com", "v1.compute.disks.delete", path, nil)
}

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
