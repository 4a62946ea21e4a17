package mapping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// policyTable has a row for the policy of one service, with a verb that only holds if
// something is taken away.
const policyTable = `
service: acme.googleapis.com
kinds:
  Project: {resource: projects, path: "projects/{name}"}
  Sink: {resource: sinks, path: "projects/{project}/sinks/{name}"}
rows:
- {methods: [SetIamPolicy], kind: Project, verb: unprotect}
- {methods: [acme.v1.DeleteSink], kind: Sink, verb: delete, own: true}
- {methods: [acme.v1.UpdateSink], kind: Sink, verb: unprotect, change: "filter is now {protoPayload.request.filter}, {protoPayload.request.none}", when: [{path: protoPayload.request.updateMask, has: sink.filter}]}
- {methods: [acme.v1.CloseSink], kind: Sink, verb: delete, when: [{path: "protoPayload.request.rules[].action", equals: DENY}, {path: protoPayload.request.tags, contains: x}]}
`

func TestPoliciesThatAreSet(t *testing.T) {
	m := testMapper(t, Options{Files: map[string][]byte{"acme.yaml": []byte(policyTable)}, Own: []string{"mg@p.iam.gserviceaccount.com"}})
	delta := func(action, role, member string) string {
		return fmt.Sprintf(`{"action":%q,"role":%q,"member":%q}`, action, role, member)
	}
	const place = "protoPayload/serviceData/policyDelta/bindingDeltas"
	for _, tt := range []struct {
		name, service, place, deltas string
		verb                         operation.Verb
		own                          bool
		changes                      []string
	}{
		{"given", "acme", place, delta("ADD", "roles/owner", "user:a@x"), operation.Update, false, []string{"roles/owner given to user:a@x"}},
		{"taken", "acme", place, delta("REMOVE", "roles/owner", "user:a@x"), operation.Unprotect, false, []string{"roles/owner removed from user:a@x"}},
		{"given and taken", "acme", place, delta("ADD", "r", "m") + "," + delta("REMOVE", "r2", "m"), operation.Unprotect, false, []string{"r given to m", "r2 removed from m"}},
		{"taken from us", "acme", place, delta("REMOVE", "roles/viewer", "serviceAccount:mg@p.iam.gserviceaccount.com"), operation.Unprotect, true, []string{"roles/viewer removed from serviceAccount:mg@p.iam.gserviceaccount.com"}},
		{"taken from us, in a service that no table knows", "other", place, delta("REMOVE", "roles/viewer", "serviceAccount:mg@p.iam.gserviceaccount.com"), operation.Unprotect, true, []string{"roles/viewer removed from serviceAccount:mg@p.iam.gserviceaccount.com"}},
		{"given to us", "acme", place, delta("ADD", "roles/viewer", "serviceAccount:mg@p.iam.gserviceaccount.com"), operation.Update, false, []string{"roles/viewer given to serviceAccount:mg@p.iam.gserviceaccount.com"}},
		{"taken from somebody, in a service that no table knows", "other", place, delta("REMOVE", "r", "m"), "", false, nil},
		{"in another place", "acme", "protoPayload/metadata/bindingDeltas", delta("REMOVE", "r", "m"), operation.Unprotect, false, []string{"r removed from m"}},
		{
			"the audit log's configuration", "acme", "protoPayload/serviceData/policyDelta/auditConfigDeltas", `{"action":"REMOVE","service":"storage.googleapis.com","logType":"DATA_READ"}`,
			operation.Unprotect, true, []string{"audit log DATA_READ of storage.googleapis.com removed"},
		},
		{
			"somebody whose calls are not logged any more", "acme", "protoPayload/serviceData/policyDelta/auditConfigDeltas", `{"action":"ADD","service":"storage.googleapis.com","logType":"DATA_READ","exemptedMember":"user:alice@example.com"}`,
			operation.Unprotect, true, []string{"audit log DATA_READ of storage.googleapis.com for user:alice@example.com added"},
		},
		{
			"more is logged", "acme", "protoPayload/serviceData/policyDelta/auditConfigDeltas", `{"action":"ADD","service":"storage.googleapis.com","logType":"DATA_READ"}`,
			operation.Update, false, []string{"audit log DATA_READ of storage.googleapis.com added"},
		},
		{"no deltas", "acme", place, "", operation.Unprotect, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reading := mapped(t, m, with(t, deletion, "protoPayload/serviceName", `"`+tt.service+`.googleapis.com"`, "protoPayload/methodName", `"SetIamPolicy"`,
				"protoPayload/resourceName", `"projects/prod-shop"`, tt.place, "["+tt.deltas+"]"))
			op := reading.Operation
			if op.Verb != tt.verb || op.Target.Own != tt.own {
				t.Errorf("got %q, own %t; want %q, %t", op.Verb, op.Target.Own, tt.verb, tt.own)
			}
			if diff := cmp.Diff(tt.changes, op.Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyChangesOfAPolicyAreCounted(t *testing.T) {
	m := testMapper(t, Options{Files: map[string][]byte{"acme.yaml": []byte(policyTable)}})
	var deltas []string
	for i := range 60 {
		deltas = append(deltas, fmt.Sprintf(`{"action":"REMOVE","role":"r%d","member":"m"}`, i))
	}
	op := mapped(t, m, with(t, deletion, "protoPayload/serviceName", `"acme.googleapis.com"`, "protoPayload/methodName", `"SetIamPolicy"`,
		"protoPayload/serviceData/policyDelta/bindingDeltas", "["+strings.Join(deltas, ",")+"]")).Operation
	if len(op.Changes) != maxDeltas+1 || op.Changes[maxDeltas] != "and 10 more changes" {
		t.Errorf("%d changes, the last %q", len(op.Changes), op.Changes[len(op.Changes)-1])
	}
}

func TestRowsAboutWhatMollyguardSeesWith(t *testing.T) {
	for _, tt := range []struct {
		names []string
		name  string
		want  bool
	}{
		{nil, "any", true},
		{[]string{"mollyguard-.*", "audit"}, "mollyguard-sink", true},
		{[]string{"mollyguard-.*", "audit"}, "audit", true},
		{[]string{"mollyguard-.*", "audit"}, "audits", false},
		{[]string{"a|b"}, "ab", false},
	} {
		m := testMapper(t, Options{Files: map[string][]byte{"acme.yaml": []byte(policyTable)}, OwnNames: tt.names})
		reading := mapped(t, m, with(t, deletion, "protoPayload/serviceName", `"acme.googleapis.com"`, "protoPayload/methodName", `"acme.v1.DeleteSink"`, "protoPayload/resourceName", `"projects/p/sinks/`+tt.name+`"`))
		if reading.Care != auditlog.Judge || reading.Operation.Target.Own != tt.want {
			t.Errorf("%v and %s: own %t", tt.names, tt.name, reading.Operation.Target.Own)
		}
	}
	if _, err := newMapper(Options{OwnNames: []string{"("}}, &Table{}); err == nil {
		t.Error("a pattern that is none was taken")
	}
}

func TestRowsWithConditions(t *testing.T) {
	m := testMapper(t, Options{Files: map[string][]byte{"acme.yaml": []byte(policyTable)}})
	for _, tt := range []struct {
		name, method, request string
		judged                bool
		changes               []string
	}{
		{"a mask that has it", "UpdateSink", `{"updateMask":"a,sink.filter","filter":"f"}`, true, []string{"filter is now f, ?"}},
		{"a mask that has its parent", "UpdateSink", `{"update_mask":"sink","filter":"f"}`, true, []string{"filter is now f, ?"}},
		{"a mask with everything", "UpdateSink", `{"updateMask":"*","filter":1}`, true, []string{"filter is now 1, ?"}},
		{"a mask as an object", "UpdateSink", `{"updateMask":{"paths":["sink.filter"]}}`, true, []string{"filter is now ?, ?"}},
		{"a mask that has something else", "UpdateSink", `{"updateMask":"sink.filters"}`, false, nil},
		{"no mask", "UpdateSink", `{}`, false, nil},
		{"one item of a list", "CloseSink", `{"rules":[{"action":"ALLOW"},{"action":"DENY"}],"tags":["x"]}`, true, nil},
		{"no item of a list", "CloseSink", `{"rules":[{"action":"ALLOW"}],"tags":["x"]}`, false, nil},
		{"only one condition holds", "CloseSink", `{"rules":[{"action":"DENY"}],"tags":["y"]}`, false, nil},
		{"a list that is none", "CloseSink", `{"rules":"DENY","tags":"x"}`, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reading := mapped(t, m, with(t, deletion, "protoPayload/serviceName", `"acme.googleapis.com"`, "protoPayload/methodName", `"acme.v1.`+tt.method+`"`,
				"protoPayload/resourceName", `"projects/p/sinks/s"`, "protoPayload/request", tt.request))
			if (reading.Care == auditlog.Judge) != tt.judged {
				t.Errorf("care %d", reading.Care)
			}
			if diff := cmp.Diff(tt.changes, reading.Operation.Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatesOfAValue(t *testing.T) {
	for value, want := range map[string]string{
		`null`:    "absent empty false zero",
		`0`:       "present zero",
		`"0"`:     "present zero",
		`""`:      "present zero",
		`0.0`:     "present zero",
		`"10"`:    "nonzero present",
		`0.5`:     "nonzero present",
		`false`:   "false nonzero present",
		`true`:    "nonzero present true",
		`{}`:      "empty nonzero present",
		`[]`:      "empty nonzero present",
		`{"a":1}`: "nonzero present",
	} {
		tree, err := decode([]byte(`{"a":` + value + `}`))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, state := range strings.Split(stateNames(), ", ") {
			if states[state](tree["a"]) {
				got = append(got, state)
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", value, diff)
		}
	}
}
