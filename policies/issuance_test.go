package policies_test

import (
	"io/fs"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
)

func compile(t *testing.T, config map[string]any, own ...engine.Source) (*engine.Set, error) {
	t.Helper()
	sources := append([]engine.Source{{Name: "embedded", FS: policies.Issuance()}}, own...)
	return engine.Compile(t.Context(), sources, engine.Options{
		Contract: engine.Issuing(reflect.TypeFor[breakglass.Question]()), Schema: policies.IssuanceSchema(), Config: config,
	})
}

var (
	noon  = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	alice = operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}}
	bob   = operation.Actor{Identity: operation.Identity{Name: "bob@example.com", Kind: operation.Human}, Groups: []string{"dev", "sre"}}
	agent = operation.Actor{Identity: operation.Identity{Name: "copilot", Kind: operation.Agent}}
)

// question is an ordinary one at a stage; change makes it less so.
func question(stage breakglass.Stage, change ...func(*breakglass.Question)) breakglass.Question {
	q := breakglass.Question{
		Stage: stage, Time: noon, Severity: operation.High,
		Request: breakglass.QuestionRequest{
			ID: "bg-k7m4-q9tx", Requester: alice, Subject: alice.Name, Surface: operation.Kubernetes, Audience: "prod",
			Verbs: []operation.Verb{operation.Delete}, Objects: 1, Reason: "stuck", DurationSeconds: 1800,
			Targets: []operation.Reference{{Ref: "k8s://prod/core/namespaces/shop", Kind: "Namespace", Name: "shop"}},
		},
	}
	switch stage {
	case breakglass.StageApprove:
		q.Approver = &bob
	case breakglass.StageIssue, breakglass.StageUse:
		q.Approvers = []operation.Actor{bob}
	}
	for _, c := range change {
		c(&q)
	}
	return q
}

func TestIssuingPolicyAnswersAsItIsConfigured(t *testing.T) {
	type config = map[string]any
	of := func(s operation.Severity) func(*breakglass.Question) {
		return func(q *breakglass.Question) { q.Severity = s }
	}
	by := func(a *operation.Actor) func(*breakglass.Question) {
		return func(q *breakglass.Question) { q.Approver = a }
	}
	forSeconds := func(n int) func(*breakglass.Question) {
		return func(q *breakglass.Question) { q.Request.DurationSeconds = n }
	}
	ticket := func(text string) func(*breakglass.Question) {
		return func(q *breakglass.Question) { q.Request.Ticket = text }
	}
	calledPod := func(q *breakglass.Question) { q.Request.Targets[0].Kind = "Pod" }
	window := func(more config) config {
		w := config{"from": "2026-11-21T00:00:00Z", "to": "2026-11-22T00:00:00Z", "reason": "sales"}
		maps.Copy(w, more)
		return config{"freeze": []any{w}}
	}
	approvals := func(n int) breakglass.Answer { return breakglass.Answer{Approvals: n} }
	refused := func(message string) breakglass.Answer {
		return breakglass.Answer{Refused: []string{message}, Approvals: 1}
	}
	const frozen = "frozen from 2026-11-21T00:00:00Z to 2026-11-22T00:00:00Z: sales"
	for _, tt := range []struct {
		name     string
		config   config
		question breakglass.Question
		want     breakglass.Answer
	}{
		{"nothing is configured: a request", nil, question(breakglass.StageRequest), approvals(1)},
		{"nothing is configured: an approval", nil, question(breakglass.StageApprove), approvals(1)},
		{"nothing is configured: a grant", nil, question(breakglass.StageIssue), approvals(1)},
		{"nothing is configured: a use", nil, question(breakglass.StageUse), approvals(1)},
		{"what is critical takes two", nil, question(breakglass.StageUse, of(operation.Critical)), approvals(2)},
		{"what is critical takes as many as configured", config{"approvals": config{"severity": config{"critical": 3}}}, question(breakglass.StageUse, of(operation.Critical)), approvals(3)},
		{"a kind takes as many as configured", config{"approvals": config{"kinds": config{"Namespace": 2}}}, question(breakglass.StageIssue), approvals(2)},
		{"a kind that is called another does too", config{"approvals": config{"kinds": config{"Namespace": 2}}}, question(breakglass.StageIssue, calledPod), approvals(2)},
		{"the more of kind and severity counts", config{"approvals": config{"severity": config{"high": 2}, "kinds": config{"Namespace": 3}}}, question(breakglass.StageIssue), approvals(3)},
		{"a member of a group approves", config{"approver_groups": []any{"sre"}}, question(breakglass.StageApprove), approvals(1)},
		{"who is no member does not", config{"approver_groups": []any{"platform", "dba"}}, question(breakglass.StageApprove), refused("only members of platform, dba approve")},
		{"an agent asks", nil, question(breakglass.StageRequest, func(q *breakglass.Question) { q.Request.Requester = agent }), approvals(1)},
		{"an agent does not approve", nil, question(breakglass.StageApprove, by(&agent)), refused("only people approve")},
		{"nobody does not approve", nil, question(breakglass.StageApprove, by(nil)), refused("only people approve")},
		{"an agent that has approved opens nothing", nil, question(breakglass.StageUse, func(q *breakglass.Question) { q.Approvers[0] = agent }), refused("copilot has approved, and is not a person")},
		{"four hours are not too long", nil, question(breakglass.StageRequest, forSeconds(14400)), approvals(1)},
		{"more is", nil, question(breakglass.StageRequest, forSeconds(14401)), refused("it is for 14401 seconds; 14400 are the most for what is high")},
		{"as long as configured", config{"max_duration_seconds": 600}, question(breakglass.StageRequest, forSeconds(601)), refused("it is for 601 seconds; 600 are the most for what is high")},
		{"as long as configured for the severity", config{"max_duration_seconds": config{"high": 600}}, question(breakglass.StageRequest, forSeconds(601)), refused("it is for 601 seconds; 600 are the most for what is high")},
		{"as long as configured for another severity", config{"max_duration_seconds": config{"critical": 600}}, question(breakglass.StageRequest, forSeconds(601)), approvals(1)},
		{"a ticket that matches", config{"ticket_pattern": "INC-[0-9]+"}, question(breakglass.StageRequest, ticket("INC-7")), approvals(1)},
		{"no ticket where there must be one", config{"ticket_pattern": "INC-[0-9]+"}, question(breakglass.StageRequest), refused(`a ticket that matches INC-[0-9]+ is needed, not ""`)},
		{"a ticket that matches in part", config{"ticket_pattern": "INC-[0-9]+"}, question(breakglass.StageRequest, ticket("INC-7 (not really)")), refused(`a ticket that matches INC-[0-9]+ is needed, not "INC-7 (not really)"`)},
		{"a request in a freeze", window(nil), question(breakglass.StageRequest), refused(frozen)},
		{"a grant in a freeze", window(nil), question(breakglass.StageIssue), refused(frozen)},
		{"a use in a freeze", window(nil), question(breakglass.StageUse), refused(frozen)},
		{"an approval in a freeze", window(nil), question(breakglass.StageApprove), approvals(1)},
		{"a use in a freeze that takes more people", window(config{"approvals": 3}), question(breakglass.StageUse), approvals(3)},
		{"a freeze that is over", config{"freeze": []any{config{"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T12:00:00Z"}}}, question(breakglass.StageUse), approvals(1)},
		{
			"several reasons", window(config{"approvals": 2}), question(breakglass.StageRequest, of(operation.Critical), forSeconds(20000)),
			breakglass.Answer{Refused: []string{"it is for 20000 seconds; 14400 are the most for what is critical"}, Approvals: 2},
		},
		{"values of one's own", config{"own": config{"anything": "goes"}}, question(breakglass.StageUse), approvals(1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, err := compile(t, tt.config)
			if err != nil {
				t.Fatal(err)
			}
			violations, err := set.EvaluateInput(t.Context(), tt.question, tt.question.Time)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, breakglass.AnswerOf(violations)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAConfigurationThatNoPolicyUnderstandsIsRefusedAtTheStart(t *testing.T) {
	type config = map[string]any
	freeze := func(window any) config { return config{"freeze": []any{window}} }
	day := func(key string, value any) config {
		w := config{"from": "2026-12-24T00:00:00Z", "to": "2026-12-27T00:00:00Z"}
		w[key] = value
		return freeze(w)
	}
	const keys = "read by no policy: known are approvals, approver_groups, freeze, max_duration_seconds, own, ticket_pattern"
	for _, tt := range []struct {
		name   string
		config config
		want   string
	}{
		{"a misspelt key", config{"approver_group": []any{"sre"}}, "approver_group is " + keys},
		{"the key of a value of one's own", config{"team": "sre"}, "team is " + keys},
		{"approvals that are a number", config{"approvals": 2}, "approvals is not a map"},
		{"approvals that are nothing", config{"approvals": nil}, "approvals is not a map"},
		{"approvals by something else", config{"approvals": config{"kind": config{"Pod": 2}}}, "approvals.kind is read by no policy: known are kinds, severity"},
		{"approvals of a severity as a list", config{"approvals": config{"severity": []any{"high"}}}, "approvals.severity is not a map"},
		{"approvals of a misspelt severity", config{"approvals": config{"severity": config{"critcal": 2}}}, "approvals.severity.critcal is read by no policy: known are critical, high, low, medium"},
		{"a number as a text", config{"approvals": config{"severity": config{"high": "2"}}}, "approvals.severity.high is not a whole number from 1 to 100"},
		{"no approvals", config{"approvals": config{"kinds": config{"Pod": 0}}}, "approvals.kinds.Pod is not a whole number from 1 to 100"},
		{"one and a half approvals", config{"approvals": config{"kinds": config{"Pod": 1.5}}}, "approvals.kinds.Pod is not a whole number from 1 to 100"},
		{"more approvals than there are people", config{"approvals": config{"kinds": config{"Pod": 1e30}}}, "approvals.kinds.Pod is not a whole number from 1 to 100"},
		{"one group as a text", config{"approver_groups": "sre"}, "approver_groups is not a list"},
		{"groups as a map", config{"approver_groups": config{"sre": true}}, "approver_groups is not a list"},
		{"a group that is a number", config{"approver_groups": []any{"sre", 7}}, "approver_groups[1] is not the name of a group"},
		{"a group without a name", config{"approver_groups": []any{" "}}, "approver_groups[0] is not the name of a group"},
		{"a duration as a text", config{"max_duration_seconds": "4h"}, "max_duration_seconds is neither a whole number of at least 60 nor a map of those by severity"},
		{"a number of seconds as a text", config{"max_duration_seconds": "14400"}, "max_duration_seconds is neither a whole number of at least 60 nor a map of those by severity"},
		{"no time at all", config{"max_duration_seconds": 0}, "max_duration_seconds is neither a whole number of at least 60 nor a map of those by severity"},
		{"a duration of a misspelt severity", config{"max_duration_seconds": config{"High": 600}}, "max_duration_seconds.High is read by no policy: known are critical, high, low, medium"},
		{"a duration of a severity as a text", config{"max_duration_seconds": config{"high": "1h"}}, "max_duration_seconds.high is not a whole number of at least 60"},
		{"a broken pattern", config{"ticket_pattern": "INC-("}, "ticket_pattern is not a regular expression"},
		{"a pattern that breaks out of its anchors", config{"ticket_pattern": "INC-1)|(?:.*"}, "ticket_pattern is not a regular expression"},
		{"a pattern that quotes its anchor", config{"ticket_pattern": `\QINC-1`}, "ticket_pattern is not a regular expression"},
		{"an empty pattern", config{"ticket_pattern": ""}, "ticket_pattern is not a regular expression"},
		{"several patterns", config{"ticket_pattern": []any{"INC-1"}}, "ticket_pattern is not a regular expression"},
		{"one window", config{"freeze": config{"from": "2026-12-24T00:00:00Z", "to": "2026-12-27T00:00:00Z"}}, "freeze is not a list"},
		{"a window that is a text", freeze("december"), "freeze[0] is not a map"},
		{"a window without an end", freeze(config{"from": "2026-12-24T00:00:00Z"}), "freeze[0].to is not a time such as 2026-12-24T00:00:00Z"},
		{"a day that is no time", day("to", "2026-12-27"), "freeze[0].to is not a time such as 2026-12-24T00:00:00Z"},
		{"a time that is a number", day("from", 1735000000), "freeze[0].from is not a time such as 2026-12-24T00:00:00Z"},
		{"a time that no calendar has", day("from", "2026-02-30T00:00:00Z"), "day out of range"},
		{"a time that cannot be counted", day("to", "9999-12-31T00:00:00Z"), "time outside of valid range"},
		{"a window that ends before it begins", day("to", "2026-12-23T00:00:00Z"), "freeze[0] ends before it begins"},
		{"a misspelt key of a window", day("aprovals", 3), "freeze[0].aprovals is read by no policy: known are approvals, from, reason, to"},
		{"approvals in a window as a text", day("approvals", "3"), "freeze[0].approvals is not a whole number from 1 to 100"},
		{"approvals in a window that are nothing", day("approvals", nil), "freeze[0].approvals is not a whole number from 1 to 100"},
		{"a reason that is no text", day("reason", true), "freeze[0].reason is not a text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := compile(t, tt.config)
			if err == nil {
				t.Fatal("compiled")
			}
			if !strings.Contains(err.Error(), "canary_config.json") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got:  %v\nwant: …%s…", err, tt.want)
			}
		})
	}
}

func TestIssuingPoliciesOfOnesOwnStandBesideTheEmbeddedOnes(t *testing.T) {
	const payments = `package mollyguard.issuance

violation contains {"policy": "payments", "severity": "high", "message": "only payments-leads approve this", "break_glass": "never"} if {
	input.stage == "approve"
	some target in input.request.targets
	target.namespace in object.get(input.config, ["own", "payments", "namespaces"], [])
	not "payments-leads" in input.approver.groups
}
`
	const paymentsCanary = `{"name": "who is not of payments", "expect": "deny", "policies": ["payments"],
 "question": {"stage": "approve", "time": "2026-11-21T03:12:47Z", "approver": {"name": "bob", "kind": "human", "groups": ["sre"]},
  "request": {"targets": [{"namespace": "pay"}]}, "config": {"own": {"payments": {"namespaces": ["pay"]}}}}}`
	const always = `package mollyguard.issuance

violation contains {"policy": "always-two", "severity": "high", "message": "two", "break_glass": {"approvals": 2}} if input.time != ""
`
	const alwaysCanary = `{"name": "two", "expect": "allow", "policies": ["always-two"], "approvals": 2, "question": {}}`
	own := engine.Source{Name: "own", FS: fstest.MapFS{
		"payments.rego": {Data: []byte(payments)}, "canary_payments.json": {Data: []byte(paymentsCanary)},
		"always.rego": {Data: []byte(always)}, "canary_always.json": {Data: []byte(alwaysCanary)},
	}}
	set, err := compile(t, map[string]any{"own": map[string]any{"payments": map[string]any{"namespaces": []any{"shop"}}}}, own)
	if err != nil {
		t.Fatal(err)
	}
	q := question(breakglass.StageApprove, func(q *breakglass.Question) { q.Request.Targets[0].Namespace = "shop" })
	violations, err := set.EvaluateInput(t.Context(), q, q.Time)
	if err != nil {
		t.Fatal(err)
	}
	want := breakglass.Answer{Refused: []string{"only payments-leads approve this"}, Approvals: 2}
	if diff := cmp.Diff(want, breakglass.AnswerOf(violations)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestEveryIssuingPolicyIsDocumentedAndTested(t *testing.T) {
	set, err := compile(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range set.Policies() {
		names = append(names, p.Name)
		if p.Title == "" || p.Description == "" || p.Severity == "" || p.Runbook == "" {
			t.Errorf("%s: METADATA lacks title, description, custom.severity or custom.runbook: %+v", p.Name, p)
		}
		if !strings.Contains(string(docs), "\n#### "+p.Name+"\n") {
			t.Errorf("%s: docs/policies.md has no section for its runbook", p.Name)
		}
		if _, err := fs.Stat(policies.Issuance(), p.Name+"_test.rego"); err != nil {
			t.Errorf("%s has no test beside it: %v", p.Name, err)
		}
	}
	want := []string{"approvals", "approvers", "config", "freeze", "longest", "machines", "ticket"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
}
