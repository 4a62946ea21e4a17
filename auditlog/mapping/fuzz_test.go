package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

func FuzzMap(f *testing.F) {
	f.Add([]byte(deletion))
	f.Add([]byte(podDeletion))
	f.Add([]byte(nativeDeletion))
	f.Add(clusterDeletion(f))
	f.Add(with(f, deletion, "protoPayload/methodName", `"SetIamPolicy"`, "protoPayload/serviceData/policyDelta/bindingDeltas", `[{"action":"REMOVE","member":"serviceAccount:mg@x","role":"r"}]`))
	f.Add(with(f, deletion, "protoPayload/requestMetadata/requestAttributes/reason", `"eyJhbGciOiJFZERTQSJ9.e30.c2ln bg-k7m4-q9tx"`))
	f.Add(with(f, podDeletion, "labels", `{"object.update.mollyguard.dev/decision":"d","failed-open.validating.webhook.admission.k8s.io/x":"object.update.mollyguard.dev"}`))
	f.Add(with(f, podDeletion, "labels", `{"object.delete.mollyguard.dev/decision":"d","failed-open.mutation.webhook.admission.k8s.io/x":"object.delete.mollyguard.dev"}`))
	m := testMapper(f, Options{HeartbeatLog: "beat", Own: []string{"mg@x"}, Cluster: "eu", Clusters: []Cluster{guardedCluster}})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := slices.Clone(data)
		reading, err := m.Map(data)
		if !slices.Equal(before, data) {
			t.Error("the entry was changed")
		}
		again, againErr := m.Map(data)
		if diff := cmp.Diff(reading, again, cmp.Comparer(operation.Secret.Equal)); diff != "" || (err == nil) != (againErr == nil) {
			t.Errorf("it reads otherwise the second time: %v, %v\n%s", err, againErr, diff)
		}
		if reading.Care == auditlog.Ignore {
			if diff := cmp.Diff(auditlog.Reading{}, reading); diff != "" {
				t.Errorf("it is ignored, and says\n%s", diff)
			}
			return
		}
		if err != nil || reading.Key == "" || reading.Timestamp.IsZero() {
			t.Errorf("half a reading: %v, %q, %v", err, reading.Key, reading.Timestamp)
		}
		if reading.Care == auditlog.Heartbeat {
			return
		}
		op := reading.Operation
		if op.Verb == "" || !slices.Contains(operation.Verb("").Values(), string(op.Verb)) || op.Phase == "" || op.Surface == "" || len(op.DecisionID) != 26 || op.Target.Kind == "" {
			t.Errorf("half an operation: %+v", op)
		}
		if op.Target.Ref == "" && len(op.Unknown) == 0 {
			t.Errorf("the target has no name, and nothing is said to be unknown: %+v", op.Target)
		}
		shown, err := json.Marshal([]any{op.Origin.Reason, op.Origin.UserAgent, op.Actor.Via})
		if err != nil || tokens.Match(shown) {
			t.Errorf("%v, a token is shown: %s", err, shown)
		}
		for _, text := range append([]string{op.Actor.Name, op.Origin.Reason, op.Target.Name, op.Target.Kind, op.Origin.IP}, op.Origin.Delegation...) {
			if len(text) > maxText || strings.ContainsRune(text, 0xfffd) && !strings.Contains(string(data), "�") && !strings.Contains(string(data), `\u`) {
				t.Errorf("%d bytes, or half a character: %q", len(text), text)
			}
		}
	})
}
