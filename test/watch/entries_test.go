package watch_test

import (
	"encoding/json"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	_ "google.golang.org/genproto/googleapis/cloud/audit" // the type of the payload
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	alice = "alice@example.com"
	bob   = "bob@example.com"

	gcpRef = "gcp://"
	gke    = "container.googleapis.com"
	gce    = "compute.googleapis.com"

	deleteCluster = "google.container.v1.ClusterManager.DeleteCluster"
	deleteDisk    = "v1.compute.disks.delete"

	// browser is what the console sends along.
	browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36,gzip(gfe)"
)

// now is the time, no finer than people's clocks.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// with sets a field of an entry's payload.
func with(entry map[string]any, value any, path ...string) map[string]any {
	at := entry["protoPayload"].(map[string]any)
	for _, name := range path[:len(path)-1] {
		below, ok := at[name].(map[string]any)
		if !ok {
			below = map[string]any{}
			at[name] = below
		}
		at = below
	}
	at[path[len(path)-1]] = value
	return entry
}

// first makes an entry the first of a long-running operation, last the last, in which
// nobody is named.
func first(entry map[string]any, id string) map[string]any {
	entry["operation"] = map[string]any{"id": id, "producer": "test", "first": true}
	return entry
}

func last(entry map[string]any, id string) map[string]any {
	entry["operation"] = map[string]any{"id": id, "producer": "test", "last": true}
	return entry
}

// logged is an entry as Cloud Logging's gRPC API has it.
func logged(t *testing.T, entry map[string]any) *loggingpb.LogEntry {
	t.Helper()
	text, err := json.Marshal(entry)
	if err != nil {
		t.Fatal(err)
	}
	e := &loggingpb.LogEntry{}
	if err := protojson.Unmarshal(text, e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e
}
