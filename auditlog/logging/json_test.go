package logging

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/genproto/googleapis/cloud/audit"
	iam "google.golang.org/genproto/googleapis/iam/v1/logging"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	iampb "cloud.google.com/go/iam/apiv1/iampb"
)

const url = "type.googleapis.com/"

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	value, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func object(t *testing.T, fields map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gke is an entry of the deletion of a cluster, with what strict readers do not take.
func gke(t *testing.T, change func(*audit.AuditLog)) *loggingpb.LogEntry {
	t.Helper()
	log := &audit.AuditLog{
		ServiceName: "container.googleapis.com", MethodName: "google.container.v1.ClusterManager.DeleteCluster",
		ResourceName:       "projects/shop-prod/zones/europe-west1-b/clusters/prod",
		Status:             &status.Status{},
		AuthenticationInfo: &audit.AuthenticationInfo{PrincipalEmail: "alice@example.com"},
		AuthorizationInfo:  []*audit.AuthorizationInfo{{Resource: "r", Permission: "container.clusters.delete", Granted: true}},
		RequestMetadata:    &audit.RequestMetadata{CallerIp: "192.0.2.1", CallerSuppliedUserAgent: "google-cloud-sdk"},
		Request:            object(t, map[string]any{"@type": url + "google.container.v1alpha1.DeleteClusterRequest", "name": "prod"}),
	}
	// permissionType, which this version of the message does not have.
	log.AuthorizationInfo[0].ProtoReflect().SetUnknown([]byte{7 << 3, 1})
	if change != nil {
		change(log)
	}
	return &loggingpb.LogEntry{
		LogName: "projects/shop-prod/logs/cloudaudit.googleapis.com%2Factivity", InsertId: "abc",
		Timestamp: timestamppb.New(noon), ReceiveTimestamp: timestamppb.New(noon.Add(1500 * time.Millisecond)), Severity: logtype.LogSeverity(350),
		Resource:  &monitoredres.MonitoredResource{Type: "gke_cluster", Labels: map[string]string{"cluster_name": "prod"}},
		Operation: &loggingpb.LogEntryOperation{Id: "operation-1", Producer: "container.googleapis.com", First: true},
		Payload:   &loggingpb.LogEntry_ProtoPayload{ProtoPayload: packed(t, log)},
	}
}

// decoded is what JSON writes.
func decoded(t *testing.T, e *loggingpb.LogEntry) map[string]any {
	t.Helper()
	before := proto.CloneOf(e)
	var got map[string]any
	if err := json.Unmarshal(JSON(e), &got); err != nil {
		t.Fatalf("%v: %s", err, JSON(e))
	}
	if !proto.Equal(before, e) {
		t.Error("the entry was changed")
	}
	return got
}

func TestAnEntryHasTheNamesOfTheRESTAPI(t *testing.T) {
	want := map[string]any{
		"logName": "projects/shop-prod/logs/cloudaudit.googleapis.com%2Factivity", "insertId": "abc",
		"timestamp": "2026-11-21T12:00:00Z", "receiveTimestamp": "2026-11-21T12:00:01.500Z", "severity": 350.0,
		"resource":  map[string]any{"type": "gke_cluster", "labels": map[string]any{"cluster_name": "prod"}},
		"operation": map[string]any{"id": "operation-1", "producer": "container.googleapis.com", "first": true},
		"protoPayload": map[string]any{
			"@type": url + "google.cloud.audit.AuditLog", "status": map[string]any{},
			"serviceName": "container.googleapis.com", "methodName": "google.container.v1.ClusterManager.DeleteCluster",
			"resourceName":       "projects/shop-prod/zones/europe-west1-b/clusters/prod",
			"authenticationInfo": map[string]any{"principalEmail": "alice@example.com"},
			"authorizationInfo":  []any{map[string]any{"resource": "r", "permission": "container.clusters.delete", "granted": true}},
			"requestMetadata":    map[string]any{"callerIp": "192.0.2.1", "callerSuppliedUserAgent": "google-cloud-sdk"},
			"request":            map[string]any{"@type": url + "google.container.v1alpha1.DeleteClusterRequest", "name": "prod"},
		},
	}
	if diff := cmp.Diff(want, decoded(t, gke(t, nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestServiceDataOfAnyTypeIsWritten(t *testing.T) {
	delta := &iam.AuditData{PolicyDelta: &iampb.PolicyDelta{BindingDeltas: []*iampb.BindingDelta{
		{Action: iampb.BindingDelta_REMOVE, Role: "roles/owner", Member: "user:bob@example.com"},
	}}}
	for _, tt := range []struct {
		name string
		data *anypb.Any
		want any
	}{
		{"one that is known", packed(t, delta), map[string]any{
			"@type":       url + "google.iam.v1.logging.AuditData",
			"policyDelta": map[string]any{"bindingDeltas": []any{map[string]any{"action": "REMOVE", "role": "roles/owner", "member": "user:bob@example.com"}}},
		}},
		{"one that is not", &anypb.Any{TypeUrl: url + "google.appengine.v1.AuditData", Value: []byte{1, 2, 3}}, map[string]any{
			"@type": url + "google.appengine.v1.AuditData", "value": "AQID",
		}},
		{"one that is not what it says", &anypb.Any{TypeUrl: url + "google.iam.v1.logging.AuditData", Value: []byte{0xff}}, map[string]any{
			"@type": url + "google.iam.v1.logging.AuditData", "value": "/w==",
		}},
		{"one in another", packed(t, &anypb.Any{TypeUrl: "x/y", Value: []byte("z")}), map[string]any{
			"@type": url + "google.protobuf.Any", "value": map[string]any{"@type": "x/y", "value": "eg=="},
		}},
		{"one without a type", &anypb.Any{Value: []byte("z")}, map[string]any{"@type": untyped, "value": "eg=="}},
		{"an empty one", &anypb.Any{}, map[string]any{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			//lint:ignore SA1019 old entries have it
			got := decoded(t, gke(t, func(log *audit.AuditLog) { log.ServiceData = tt.data }))
			payload, _ := got["protoPayload"].(map[string]any)
			if diff := cmp.Diff(tt.want, payload["serviceData"]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if payload["methodName"] != "google.container.v1.ClusterManager.DeleteCluster" {
				t.Error("the rest is lost")
			}
		})
	}
}

func TestNumbersThatJSONDoesNotHaveAreTexts(t *testing.T) {
	request := &structpb.Struct{Fields: map[string]*structpb.Value{
		"nan": structpb.NewNumberValue(math.NaN()), "inf": structpb.NewNumberValue(math.Inf(-1)), "none": {},
		"list": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewNumberValue(math.Inf(1))}}), "one": structpb.NewNumberValue(1),
	}}
	got := decoded(t, gke(t, func(log *audit.AuditLog) { log.Request = request }))
	want := map[string]any{"nan": "NaN", "inf": "-Infinity", "none": nil, "list": []any{"Infinity"}, "one": 1.0}
	if diff := cmp.Diff(want, got["protoPayload"].(map[string]any)["request"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPayloadThatCannotBeWrittenIsBytes(t *testing.T) {
	for _, payload := range []*anypb.Any{
		{TypeUrl: url + "google.cloud.audit.AuditLog", Value: []byte{0xff}},
		packed(t, &timestamppb.Timestamp{Seconds: math.MaxInt64}),
		{TypeUrl: url + "example.Unknown", Value: []byte("x")},
	} {
		e := gke(t, nil)
		e.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload}
		got, _ := decoded(t, e)["protoPayload"].(map[string]any)
		if got["@type"] != payload.TypeUrl || got["value"] == nil {
			t.Errorf("%v", got)
		}
	}
}

func TestAnEntryThatCannotBeWrittenIsNamed(t *testing.T) {
	e := entry("a\xff", noon)
	got := decoded(t, e)
	if got["insertId"] != "a\ufffd" || got["error"] == "" {
		t.Errorf("%v", got)
	}
}

func FuzzJSON(f *testing.F) {
	for _, change := range []func(*audit.AuditLog){nil, func(log *audit.AuditLog) {
		//lint:ignore SA1019 old entries have it
		log.ServiceData = &anypb.Any{TypeUrl: "x/y", Value: []byte("z")}
	}} {
		raw, err := proto.Marshal(gke(&testing.T{}, change))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := &loggingpb.LogEntry{}
		if proto.Unmarshal(raw, e) != nil {
			return
		}
		if text := JSON(e); !json.Valid(text) || text[0] != '{' {
			t.Errorf("%s", text)
		}
	})
}
