package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func statusText(text string) string { return `{"status":` + text + `}` }

func conditionText(kind, status string) string {
	return statusText(`{"conditions":[{"type":"SuspendedBefore","status":"False"},{"type":"` + kind + `","status":"` + status + `"}]}`)
}

// endingTable is about what is said to have ended, which may be deleted then.
func endingTable() []weakeningTest {
	const said = "unprotect: its status says that it has ended, which is not for this user to say: what has ended may be deleted"
	running := statusText(`{"phase":"Running"}`)
	succeeded, failed := statusText(`{"phase":"Succeeded"}`), statusText(`{"phase":"Failed"}`)
	pod := func(old, new string) weakeningCase { return updated("/pods", "Pod", old, new).at("status") }
	job := func(old, new string) weakeningCase { return updated("batch/jobs", "Job", old, new).at("status") }
	return []weakeningTest{
		{name: "a running pod said to have succeeded", weakeningCase: pod(running, succeeded), want: said},
		{name: "a running pod said to have failed", weakeningCase: pod(running, failed), want: said},
		{name: "a pod without a status said to have failed", weakeningCase: pod(`{}`, failed), want: said},
		{name: "a running pod said to have succeeded by an agent", weakeningCase: pod(running, succeeded).by(agentUser), want: said},
		{name: "a running pod said to have succeeded by an operator", weakeningCase: pod(running, succeeded).by(operatorUser), want: said},
		{name: "a running pod said to have succeeded by its kubelet", weakeningCase: pod(running, succeeded).by(controlPlaneUser), want: "update"},
		{name: "a pod that has ended said to have ended by an operator", weakeningCase: pod(failed, succeeded).by(operatorUser), want: "update"},
		{name: "a pod said to run", weakeningCase: pod(statusText(`{"phase":"Pending"}`), running), want: "update"},
		{name: "a pod of which nothing is known any more", weakeningCase: pod(running, statusText(`{"phase":"Unknown"}`)), want: "update"},
		{name: "a pod that has ended said to have ended in another way", weakeningCase: pod(failed, succeeded), want: "update"},
		{name: "a pod that has ended said to run", weakeningCase: pod(succeeded, running), want: "update"},
		{name: "a phase that the API server takes from nobody with the pod itself", weakeningCase: updated("/pods", "Pod", running, succeeded), want: "update"},
		{name: "a phase of something that is no pod", weakeningCase: updated("/persistentvolumeclaims", "PersistentVolumeClaim", running, failed).at("status"), want: "update"},

		{name: "a Job said to be complete", weakeningCase: job(`{}`, conditionText("Complete", "True")), want: said},
		{name: "a Job said to have failed", weakeningCase: job(conditionText("Failed", "False"), conditionText("Failed", "True")), want: said},
		{name: "a Job said to be complete by an agent", weakeningCase: job(`{}`, conditionText("Complete", "True")).by(agentUser), want: said},
		{name: "a Job said to be complete by an operator", weakeningCase: job(`{}`, conditionText("Complete", "True")).by(operatorUser), want: "update"},
		{name: "a Job said to be suspended", weakeningCase: job(`{}`, conditionText("Suspended", "True")), want: "update"},
		{name: "a Job said to be about to fail", weakeningCase: job(`{}`, conditionText("FailureTarget", "True")), want: "update"},
		{name: "a Job that may be complete", weakeningCase: job(`{}`, conditionText("Complete", "Unknown")), want: "update"},
		{name: "a Job that is complete said to have failed", weakeningCase: job(conditionText("Complete", "True"), conditionText("Failed", "True")), want: "update"},
	}
}

// deletedAs is the operation of a request that deletes an object.
func deletedAs(t *testing.T, resource, kind, old string) operation.Operation {
	t.Helper()
	op, _, ours := judgedBy(t, testMapper(t), func() call {
		c := updated(resource, kind, old, "").call(t)
		c.operation, c.new = "DELETE", nil
		return c
	}())
	if !ours || op.Verb != operation.Delete {
		t.Fatalf("%s, ours: %v", op.Verb, ours)
	}
	return op
}

func TestWhatHasEndedIsReadFromTheStatus(t *testing.T) {
	const pod, job, replicaSet = "/pods", "batch/jobs", "apps/replicasets"
	atRest := func(wanted, there int, controlled bool) string {
		owners := ownerA
		if controlled {
			owners = ownerHolding
		}
		return fmt.Sprintf(`{"metadata":{"ownerReferences":[%s]},"spec":{"replicas":%d},"status":{"replicas":%d}}`, owners, wanted, there)
	}
	complete := `{"type":"Complete","status":"True"}`
	conditions := func(list string) string { return statusText(`{"conditions":` + list + `}`) }
	for _, tt := range []struct {
		name, resource, object string
		want                   bool
	}{
		{"a pod that has succeeded", pod, statusText(`{"phase":"Succeeded"}`), true},
		{"a pod that has failed", pod, statusText(`{"phase":"Failed"}`), true},
		{"a pod that runs", pod, statusText(`{"phase":"Running"}`), false},
		{"a pod that waits", pod, statusText(`{"phase":"Pending"}`), false},
		{"a pod of which nothing is known", pod, statusText(`{"phase":"Unknown"}`), false},
		{"a pod without a phase", pod, statusText(`{}`), false},
		{"a pod without a status", pod, `{}`, false},
		{"a pod whose status is null", pod, statusText(`null`), false},
		{"a phase in another case", pod, statusText(`{"phase":"succeeded"}`), false},
		{"a phase that is no text", pod, statusText(`{"phase":["Succeeded"]}`), false},
		{"a status that is no object", pod, statusText(`"Succeeded"`), false},
		{"a pod with the conditions of a Job", pod, conditions(`[` + complete + `]`), false},

		{"a Job that is complete", job, conditions(`[` + complete + `]`), true},
		{"a Job that has failed", job, conditions(`[{"type":"Failed","status":"True"}]`), true},
		{"a Job with other conditions before", job, conditions(`[{"type":"SuccessCriteriaMet","status":"True"},` + complete + `]`), true},
		{"a Job that runs", job, conditions(`[]`), false},
		{"a Job that is suspended", job, conditions(`[{"type":"Suspended","status":"True"}]`), false},
		{"a Job that is about to be complete", job, conditions(`[{"type":"SuccessCriteriaMet","status":"True"}]`), false},
		{"a Job that is not complete", job, conditions(`[{"type":"Complete","status":"False"}]`), false},
		{"a condition without a status", job, conditions(`[{"type":"Complete"}]`), false},
		{"a condition that is true in the sense of JSON only", job, conditions(`[{"type":"Complete","status":true}]`), false},
		{"a condition that cannot be read beside one that can", job, conditions(`[` + complete + `,{"type":7}]`), false},
		{"conditions that are no list", job, conditions(complete), false},
		{"a Job with the phase of a pod", job, statusText(`{"phase":"Succeeded"}`), false},

		{"a ReplicaSet at zero that a controller owns", replicaSet, atRest(0, 0, true), true},
		{"a ReplicaSet at zero that nobody controls", replicaSet, atRest(0, 0, false), false},
		{"a ReplicaSet that shall be at zero and still has pods", replicaSet, atRest(0, 1, true), false},
		{"a ReplicaSet that serves", replicaSet, atRest(2, 2, true), false},
		{"a ReplicaSet that does not say how many", replicaSet, `{"metadata":{"ownerReferences":[` + ownerHolding + `]},"spec":{},"status":{"replicas":0}}`, false},

		{"a Deployment with the conditions of a Job", "apps/deployments", conditions(`[` + complete + `]`), false},
		{"something else that is called pods", "metrics.k8s.io/pods", statusText(`{"phase":"Succeeded"}`), false},
		{"something else that is called jobs", "batch.volcano.sh/jobs", conditions(`[` + complete + `]`), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := deletedAs(t, tt.resource, "Any", tt.object).Target.Ended; got != tt.want {
				t.Errorf("ended: %v", got)
			}
		})
	}
}

func TestWhatAControllerOwnsIsReadFromItsOwners(t *testing.T) {
	owner := func(controller string) string {
		return `{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"1"` + controller + `}`
	}
	yes, no := owner(`,"controller":true`), owner(`,"controller":false`)
	for _, tt := range []struct {
		name, object string
		want         bool
	}{
		{"nobody", `{}`, false},
		{"owners that are null", metaText(`{"ownerReferences":null}`), false},
		{"no owner", ownedText(""), false},
		{"a controller", ownedText(yes), true},
		{"an owner that does not control it", ownedText(no), false},
		{"an owner that does not say", ownedText(owner("")), false},
		{"an owner that says nothing", ownedText(owner(`,"controller":null`)), false},
		{"two owners, of which the second is the controller", ownedText(no + "," + yes), true},
		{"two owners, of which the first is the controller", ownedText(yes + "," + owner("")), true},
		{"two owners that do not control it", ownedText(no + "," + owner("")), false},
		{"true that is a text", ownedText(owner(`,"controller":"true"`)), false},
		{"a controller beside an owner that cannot be read", ownedText(yes + "," + owner(`,"controller":1`)), false},
		{"owners that are no list", metaText(`{"ownerReferences":` + yes + `}`), false},
		{"an owner that is no object", ownedText(`"web"`), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := deletedAs(t, "/pods", "Pod", tt.object).Target.Controlled; got != tt.want {
				t.Errorf("controlled: %v", got)
			}
		})
	}
}

// TestAnUpdateIsJudgedByHowTheObjectStoodBefore keeps a request from saying of its own
// object what lets it through.
func TestAnUpdateIsJudgedByHowTheObjectStoodBefore(t *testing.T) {
	const controller = `{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"1","controller":true}`
	before := `{"metadata":{"labels":{"env":"production"}},"spec":{"replicas":2}}`
	after := `{"metadata":{"labels":{"env":"production"},"ownerReferences":[` + controller + `]},"spec":{"replicas":0},"status":{"phase":"Succeeded"}}`
	for _, tt := range []struct {
		old, new string
		want     bool
	}{{before, after, false}, {after, before, true}} {
		op, _, _ := judgedBy(t, testMapper(t), updated("/pods", "Pod", tt.old, tt.new).call(t))
		if got := [2]bool{op.Target.Controlled, op.Target.Ended}; got != [2]bool{tt.want, tt.want} {
			t.Errorf("controlled and ended: %v, want both %v", got, tt.want)
		}
	}
}

// TestWhatIsLookedUpSaysWhetherAControllerOwnsIt is about reviews that do not carry the
// object: evictions, and scales.
func TestWhatIsLookedUpSaysWhetherAControllerOwnsIt(t *testing.T) {
	const objects = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"made","namespace":"shop","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"1","controller":true}]}}
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"owned","namespace":"shop","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"1"}]}}
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bare","namespace":"shop"}}`
	lookup, err := NewFileLookup(strings.NewReader(objects))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, name := range []string{"made", "owned", "bare", "gone"} {
		seen := &seeing{}
		reviewer := NewReviewer(ReviewerOptions{Decider: seen, Lookup: lookup, Cluster: "prod-eu"})
		reviewer.Review(t.Context(), recorded(map[string]any{
			"operation": "CREATE", "subResource": "eviction", "name": name,
			"kind": map[string]any{"group": "policy", "version": "v1", "kind": "Eviction"}, "resource": map[string]any{"version": "v1", "resource": "pods"},
			// What the request says of itself is not what stands in the cluster.
			"object": map[string]any{"metadata": map[string]any{"name": name, "ownerReferences": []any{map[string]any{"kind": "ReplicaSet", "name": "x", "uid": "1", "controller": true}}}},
		}), "")
		got[name] = seen.op.Target.Controlled
	}
	if diff := cmp.Diff(map[string]bool{"made": true, "owned": false, "bare": false, "gone": false}, got); diff != "" {
		t.Errorf("controlled (-want +got):\n%s", diff)
	}
}

// seeing is a Decider that keeps what it was asked about.
type seeing struct{ op operation.Operation }

func (s *seeing) Decide(_ context.Context, op operation.Operation) operation.Decision {
	s.op = op
	return operation.Decision{Outcome: operation.OutcomeAllow}
}

func (s *seeing) Undecidable(_ context.Context, op operation.Operation, cause error) operation.Decision {
	s.op = op
	return operation.Decision{Outcome: operation.OutcomeUndecided, Error: cause.Error()}
}
