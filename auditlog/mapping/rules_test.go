package mapping

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// deletion is the deletion of a cluster; tests put in what they are about.
const deletion = `{
	"insertId": "i1", "logName": "projects/prod-shop/logs/cloudaudit.googleapis.com%2Factivity",
	"timestamp": "2026-11-21T03:12:47.5Z", "receiveTimestamp": "2026-11-21T03:12:48Z",
	"resource": {"type": "gke_cluster", "labels": {"project_id": "prod-shop", "location": "europe-west1", "cluster_name": "eu"}},
	"protoPayload": {
		"@type": "type.googleapis.com/google.cloud.audit.AuditLog",
		"serviceName": "container.googleapis.com", "methodName": "google.container.v1.ClusterManager.DeleteCluster",
		"resourceName": "projects/prod-shop/zones/europe-west1/clusters/eu",
		"authenticationInfo": {"principalEmail": "alice@example.com"}
	}
}`

// with sets fields of an entry: the path of each, then its value in JSON; an empty
// value removes it.
func with(t testing.TB, entry string, changes ...string) []byte {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal([]byte(entry), &root); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		names := strings.Split(changes[i], "/")
		at := root
		for _, name := range names[:len(names)-1] {
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at = next
		}
		name := names[len(names)-1]
		if changes[i+1] == "" {
			delete(at, name)
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(changes[i+1]), &value); err != nil {
			t.Fatalf("%s: %v", changes[i+1], err)
		}
		at[name] = value
	}
	data, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mapped is what an entry says, less the entry itself.
func mapped(t testing.TB, m *Mapper, data []byte) auditlog.Reading {
	t.Helper()
	reading, err := m.Map(data)
	if err != nil {
		t.Fatal(err)
	}
	if reading.Care == auditlog.Judge && !bytes.Equal(reading.Raw, data) && !tokens.Match(data) {
		t.Errorf("the entry is kept as\n%s\nwant\n%s", reading.Raw, data)
	}
	reading.Raw = nil
	return reading
}

func TestATokenInAnEntryIsNotKept(t *testing.T) {
	const token = "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiJiZyJ9.c2lnbmF0dXJl"
	data := with(t, deletion, "protoPayload/requestMetadata", `{"requestAttributes":{"reason":"it is meant: `+token+`"}}`)
	reading, err := testMapper(t, Options{}).Map(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := bytes.ReplaceAll(data, []byte(token), []byte("[redacted]")); !bytes.Equal(reading.Raw, want) {
		t.Errorf("the entry is kept as\n%s\nwant\n%s", reading.Raw, want)
	}
	if bytes.Contains(data, []byte("[redacted]")) {
		t.Error("the entry itself was changed")
	}
}

func TestWhatSomebodyWroteIntoAnotherLogIsNoAuditEntry(t *testing.T) {
	m := testMapper(t, Options{})
	for logName, want := range map[string]auditlog.Care{
		"projects/p/logs/cloudaudit.googleapis.com%2Factivity":    auditlog.Judge,
		"projects/p/logs/cloudaudit.googleapis.com%2Fdata_access": auditlog.Judge,
		"organizations/1/logs/cloudaudit.googleapis.com/activity": auditlog.Judge,
		"projects/p/logs/mine":                                  auditlog.Ignore,
		"projects/p/logs/mine%2Fcloudaudit.googleapis.com%2Fa":  auditlog.Ignore,
		"projects/p/logs/cloudaudit.googleapis.com.example%2Fa": auditlog.Ignore,
	} {
		if got := mapped(t, m, with(t, deletion, "logName", `"`+logName+`"`)).Care; got != want {
			t.Errorf("%s: %v, want %v", logName, got, want)
		}
	}
}

func TestADeletionIsReadWhole(t *testing.T) {
	got := mapped(t, testMapper(t, Options{}), with(t, deletion))
	at := time.Date(2026, 11, 21, 3, 12, 47, 5e8, time.UTC)
	want := auditlog.Reading{
		Care: auditlog.Judge, Key: "projects/prod-shop/logs/cloudaudit.googleapis.com%2Factivity 2026-11-21T03:12:47.5Z i1",
		Timestamp: at, Received: time.Date(2026, 11, 21, 3, 12, 48, 0, time.UTC),
		Operation: operation.Operation{
			Surface: operation.GCP, Verb: operation.Delete, Phase: operation.Finished, Time: at,
			Actor: operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}},
			Target: operation.Target{
				Reference: operation.Reference{Ref: "gcp://container.googleapis.com/projects/prod-shop/locations/europe-west1/clusters/eu", Kind: "Cluster", Name: "eu"},
				Group:     "container.googleapis.com", Resource: "clusters", Project: "prod-shop", Location: "europe-west1",
			},
			Source: operation.Source{
				UID: "i1", Log: "projects/prod-shop/logs/cloudaudit.googleapis.com%2Factivity",
				Link: "https://console.cloud.google.com/logs/query;query=insertId%3D%22i1%22%20timestamp%3D%222026-11-21T03%3A12%3A47.5Z%22?project=prod-shop",
			},
			DecisionID: got.Operation.DecisionID,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
	again := mapped(t, testMapper(t, Options{}), with(t, deletion, "timestamp", `"2026-11-21T03:12:47.500000000Z"`))
	if again.Key != got.Key || again.Operation.DecisionID != got.Operation.DecisionID || len(got.Operation.DecisionID) != 26 {
		t.Errorf("read again with the time in another form: %s %s, before %s %s", again.Key, again.Operation.DecisionID, got.Key, got.Operation.DecisionID)
	}
	other := mapped(t, testMapper(t, Options{}), with(t, deletion, "insertId", `"i2"`))
	if other.Operation.DecisionID == got.Operation.DecisionID || other.Operation.DecisionID[:10] != got.Operation.DecisionID[:10] {
		t.Errorf("another entry of the same time: %s, before %s", other.Operation.DecisionID, got.Operation.DecisionID)
	}
}

func TestWhatCannotBeReadIsSaidWithItsField(t *testing.T) {
	m := testMapper(t, Options{})
	for _, tt := range []struct {
		name, want string
		data       []byte
	}{
		{"a time that is a number", "timestamp is a number, not a text", with(t, deletion, "timestamp", "1")},
		{"a time that is none", `timestamp is no time in RFC 3339: "soon"`, with(t, deletion, "timestamp", `"soon"`)},
		{"no time", "timestamp and receiveTimestamp are both missing", with(t, deletion, "timestamp", "", "receiveTimestamp", "")},
		{"a time before there were clouds", "timestamp is before 1970", with(t, deletion, "timestamp", `"1969-12-31T23:59:59Z"`)},
		{"a method that is a list", "protoPayload.methodName is a list, not a text", with(t, deletion, "protoPayload/methodName", "[]")},
		{"no method", "protoPayload.methodName is missing", with(t, deletion, "protoPayload/methodName", "")},
		{"a payload that is a text", "protoPayload is a text, not an object", with(t, deletion, "protoPayload", `"x"`)},
		{"a code that is true", "protoPayload.status.code is true or false, not a whole number", with(t, deletion, "protoPayload/status/code", "true")},
		{"a code with a fraction", "protoPayload.status.code is a number, not a whole number", with(t, deletion, "protoPayload/status/code", "7.5")},
		{"granted as text", "protoPayload.authorizationInfo[1].granted is a text, not true or false", with(t, deletion, "protoPayload/authorizationInfo", `[{"granted":true},{"granted":"yes"}]`)},
		{"a delegation that is no object", "protoPayload.authenticationInfo.serviceAccountDelegationInfo[0] is a text, not an object", with(t, deletion, "protoPayload/authenticationInfo/serviceAccountDelegationInfo", `["x"]`)},
		{"a label that is a number", "labels.a is a number, not a text", with(t, deletion, "labels/a", "1")},
		{"a field that comes twice", "protoPayload.methodName comes twice, at byte 34", []byte(`{"protoPayload":{"methodName":"a","methodName":"b"}}`)},
		{"a field that comes twice, written in two ways", `protoPayload.methodName comes twice, at byte 34`, []byte(`{"protoPayload":{"methodName":"a","\u006dethodName":"b"}}`)},
		{"half an entry", "the entry ends in the middle", with(t, deletion)[:100]},
		{"nothing", "the entry ends in the middle", nil},
		{"a list", "the entry is not a JSON object", []byte("[]")},
		{"two entries", "the entry goes on after its end, at byte 4", []byte("{} {}")},
		{"bytes that are no text", "protoPayload.methodName is not JSON, at byte 31: invalid UTF-8", []byte("{\"protoPayload\":{\"methodName\":\"\xff\"}}")},
		{"too deep", "the entry is nested more than 128 deep, at byte 154", []byte(`{"protoPayload":{"request":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `,"methodName":"x.delete"}}`)},
		{"too much", "the entry has 1048577 bytes, more than 1048576", []byte(strings.Repeat(" ", MaxEntry+1))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reading, err := m.Map(tt.data)
			if err == nil {
				t.Fatalf("it was read: %+v", reading)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(auditlog.Reading{}, reading); diff != "" {
				t.Errorf("reading (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPhases(t *testing.T) {
	m := testMapper(t, Options{})
	const operation1 = `{"id":"o","producer":"p","first":true}`
	for _, tt := range []struct {
		name    string
		changes []string
		want    operation.Phase
	}{
		{"no status", nil, operation.Finished},
		{"an empty status", []string{"protoPayload/status", "{}"}, operation.Finished},
		{"code 0", []string{"protoPayload/status/code", "0"}, operation.Finished},
		{"the first of an operation", []string{"operation", operation1}, operation.Started},
		{"the last of an operation", []string{"operation", `{"id":"o","producer":"p","last":true}`}, operation.Finished},
		{"the first and last", []string{"operation", `{"id":"o","producer":"p","first":true,"last":true}`}, operation.Finished},
		{"in the middle", []string{"operation", `{"id":"o","producer":"p"}`}, operation.Started},
		{"permission denied", []string{"protoPayload/status/code", "7"}, operation.Refused},
		{"a code in words of an int64", []string{"protoPayload/status/code", `"7"`}, operation.Refused},
		{"not authenticated", []string{"protoPayload/status/code", "16"}, operation.Refused},
		{"failed", []string{"protoPayload/status/code", "3"}, operation.Failed},
		{"failed at the start", []string{"operation", operation1, "protoPayload/status/code", "9"}, operation.Failed},
		{"the last failed", []string{"operation", `{"id":"o","last":true}`, "protoPayload/status/code", "13"}, operation.Failed},
		{"a right was granted", []string{"protoPayload/authorizationInfo", `[{"granted":true}]`}, operation.Finished},
		{"granted is left out, and it did not fail", []string{"protoPayload/authorizationInfo", `[{"permission":"p"}]`}, operation.Finished},
		{"cancelled, done or not", []string{"protoPayload/status/code", "1"}, operation.Started},
		{"too late to say, done or not", []string{"protoPayload/status/code", "4"}, operation.Started},
		{"nobody answered, done or not", []string{"protoPayload/status/code", "14"}, operation.Started},
		{"the last was cancelled", []string{"operation", `{"id":"o","last":true}`, "protoPayload/status/code", "1"}, operation.Failed},
		{"granted is false, and the code another", []string{"protoPayload/authorizationInfo", `[{"granted":false}]`, "protoPayload/status/code", "5"}, operation.Refused},
		{"one of two was granted", []string{"protoPayload/authorizationInfo", `[{"permission":"p"},{"granted":true}]`}, operation.Finished},
		{"none was granted, and it started", []string{"protoPayload/authorizationInfo", `[{"permission":"p"}]`, "operation", operation1}, operation.Started},
		{"none was granted, and it was answered", []string{"protoPayload/authorizationInfo", `[{"permission":"p"}]`, "protoPayload/response/name", `"o"`}, operation.Finished},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mapped(t, m, with(t, deletion, tt.changes...)).Operation.Phase; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestALongRunningOperationIsNamedIfItHasSeveralEntries(t *testing.T) {
	m := testMapper(t, Options{})
	for text, want := range map[string]auditlog.LongRunning{
		`{"id":"o","producer":"p","first":true}`:             {ID: "p o DeleteCluster", First: true},
		`{"id":"o","producer":"p","last":true}`:              {ID: "p o DeleteCluster", Last: true},
		`{"id":"o","producer":"p","first":true,"last":true}`: {},
		`{}`: {},
	} {
		if diff := cmp.Diff(want, mapped(t, m, with(t, deletion, "operation", text)).LongRunning); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestTargets(t *testing.T) {
	m := testMapper(t, Options{})
	const pool = `"google.container.v1beta1.ClusterManager.DeleteNodePool"`
	for _, tt := range []struct {
		name    string
		changes []string
		ref     string
		unknown []string
	}{
		{"by its name", nil, "gcp://container.googleapis.com/projects/prod-shop/locations/europe-west1/clusters/eu", nil},
		{"by the name in the request", []string{"protoPayload/resourceName", "", "resource", `{}`, "protoPayload/request/name", `"projects/p/locations/l/clusters/c"`}, "gcp://container.googleapis.com/projects/p/locations/l/clusters/c", nil},
		{"by labels", []string{"protoPayload/resourceName", ""}, "gcp://container.googleapis.com/projects/prod-shop/locations/europe-west1/clusters/eu", nil},
		{"by the fields of the zonal methods", []string{"protoPayload/resourceName", "", "resource", `{}`, "protoPayload/request", `{"projectId":"p","zone":"z","clusterId":"c"}`}, "gcp://container.googleapis.com/projects/p/locations/z/clusters/c", nil},
		{"fields in snake case", []string{"protoPayload/resourceName", "", "resource", `{}`, "protoPayload/request", `{"project_id":"p","zone":"z","cluster_id":"c"}`}, "gcp://container.googleapis.com/projects/p/locations/z/clusters/c", nil},
		{"a full resource name", []string{"protoPayload/resourceName", `"//container.googleapis.com/projects/p/locations/l/clusters/c"`}, "gcp://container.googleapis.com/projects/p/locations/l/clusters/c", nil},
		{"a URL", []string{"protoPayload/resourceName", `"https://container.googleapis.com/v1/projects/p/zones/l/clusters/c"`}, "gcp://container.googleapis.com/projects/p/locations/l/clusters/c", nil},
		{"a project's number", []string{"protoPayload/resourceName", `"projects/123/locations/l/clusters/c"`}, "gcp://container.googleapis.com/projects/prod-shop/locations/l/clusters/c", nil},
		{"a project's number, and no label", []string{"protoPayload/resourceName", `"projects/123/locations/l/clusters/c"`, "resource", "{}"}, "gcp://container.googleapis.com/projects/prod-shop/locations/l/clusters/c", nil},
		{"only a number is known", []string{"protoPayload/resourceName", `"projects/123/locations/l/clusters/c"`, "resource", "{}", "logName", `"projects/123/logs/cloudaudit.googleapis.com%2Factivity"`}, "gcp://container.googleapis.com/projects/123/locations/l/clusters/c", []string{"which project 123 is"}},
		{"the location is a placeholder", []string{"protoPayload/resourceName", `"projects/p/locations/-/clusters/c"`}, "gcp://container.googleapis.com/projects/p/locations/europe-west1/clusters/c", nil},
		{"no name", []string{"protoPayload/resourceName", `"projects/p"`, "resource/labels/cluster_name", ""}, "gcp://container.googleapis.com/projects/p", []string{"which Cluster it was"}},
		{"no location", []string{"protoPayload/resourceName", "", "resource/labels/location", ""}, "", []string{"which Cluster it was (no location)"}},
		{"a node pool", []string{"protoPayload/methodName", pool, "protoPayload/resourceName", `"projects/p/zones/z/clusters/c/nodePools/n"`}, "gcp://container.googleapis.com/projects/p/locations/z/clusters/c/nodePools/n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := mapped(t, m, with(t, deletion, tt.changes...)).Operation
			if diff := cmp.Diff(tt.ref, op.Target.Ref); diff != "" {
				t.Errorf("ref (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.unknown, op.Unknown); diff != "" {
				t.Errorf("unknown (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResizesAndLabels(t *testing.T) {
	m := testMapper(t, Options{})
	const resize = `"google.container.v1beta1.ClusterManager.SetNodePoolSize"`
	const labels = `"google.container.v1.ClusterManager.SetLabels"`
	pool := []string{"protoPayload/methodName", resize, "protoPayload/resourceName", `"projects/p/zones/z/clusters/c/nodePools/n"`}
	label := []string{"protoPayload/methodName", labels}
	for _, tt := range []struct {
		name    string
		base    []string
		changes []string
		verb    operation.Verb
		change  []string
		labels  map[string]string
	}{
		{"to zero, which is left out", pool, []string{"protoPayload/request", `{"name":"n"}`}, operation.ScaleToZero, []string{"node count → 0"}, nil},
		{"to zero", pool, []string{"protoPayload/request", `{"nodeCount":0}`}, operation.ScaleToZero, []string{"node count → 0"}, nil},
		{"to three", pool, []string{"protoPayload/request", `{"nodeCount":3}`}, "", nil, nil},
		{"to three, in snake case", pool, []string{"protoPayload/request", `{"node_count":"3"}`}, "", nil, nil},
		{"the end of a resize, which does not say to what", pool, []string{"operation", `{"id":"o","last":true}`}, operation.Update, nil, nil},
		{"labels", label, []string{"protoPayload/request", `{"resourceLabels":{"env":"dev"}}`}, operation.Update, nil, map[string]string{"env": "dev"}},
		{"no labels any more", label, []string{"protoPayload/request", `{"labelFingerprint":"x"}`}, operation.Update, nil, map[string]string{}},
		{"the end of setting labels", label, []string{"operation", `{"id":"o","last":true}`}, operation.Update, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reading := mapped(t, m, with(t, deletion, append(append([]string{}, tt.base...), tt.changes...)...))
			if reading.Operation.Verb != tt.verb {
				t.Errorf("verb %q, want %q", reading.Operation.Verb, tt.verb)
			}
			if diff := cmp.Diff(tt.change, reading.Operation.Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.labels, reading.NewLabels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMethodThatNoTableKnows(t *testing.T) {
	m := testMapper(t, Options{})
	for method, want := range map[string]operation.Verb{
		"acme.v1.Things.DeleteThing":                       operation.Unknown,
		"acme.v1.Things.purgeThing":                        operation.Unknown,
		"/acme.v1.Things/DestroyThing":                     operation.Unknown,
		"acme.v1.Things.GetThing":                          "",
		"acme.v1.DeletedThings.List":                       "",
		"google.container.v1.ClusterManager.CreateCluster": "",
	} {
		op := mapped(t, m, with(t, deletion, "protoPayload/methodName", `"`+method+`"`, "protoPayload/serviceName", `"acme.googleapis.com"`, "protoPayload/resourceName", `"projects/p/regions/r/things/t"`)).Operation
		if op.Verb != want {
			t.Errorf("%s: verb %q, want %q", method, op.Verb, want)
		}
		if want == "" {
			continue
		}
		target := operation.Target{
			Reference: operation.Reference{Ref: "gcp://acme.googleapis.com/projects/p/regions/r/things/t", Kind: "gke_cluster", Name: "t"},
			Group:     "acme.googleapis.com", Project: "p", Location: "r",
		}
		if diff := cmp.Diff(target, op.Target); diff != "" {
			t.Errorf("%s: target (-want +got):\n%s", method, diff)
		}
	}
}

func TestAHeartbeatIsKnownByItsLog(t *testing.T) {
	m := testMapper(t, Options{HeartbeatLog: "mollyguard-heartbeat"})
	got := mapped(t, m, []byte(`{"insertId":"i","logName":"projects/p/logs/mollyguard-heartbeat","timestamp":"2026-11-21T03:12:47Z","textPayload":"beat"}`))
	want := auditlog.Reading{Care: auditlog.Heartbeat, Key: "projects/p/logs/mollyguard-heartbeat 2026-11-21T03:12:47Z i", Timestamp: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}
