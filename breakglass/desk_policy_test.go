package breakglass_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
)

// regoRules is the issuing policy that Mollyguard comes with.
type regoRules struct{ engine *engine.Engine }

func (r regoRules) Judge(ctx context.Context, q breakglass.Question) (breakglass.Answer, error) {
	violations, err := r.engine.EvaluateInput(ctx, &q, q.Time)
	return breakglass.AnswerOf(violations), err
}

func issuing(t *testing.T, config map[string]any) rulesFunc {
	t.Helper()
	rules, err := engine.New(t.Context(), engine.Config{
		Sources: []engine.Source{{Name: "embedded", FS: policies.Issuance()}},
		Options: engine.Options{
			Contract: engine.Issuing(reflect.TypeFor[breakglass.Question]()), Schema: policies.IssuanceSchema(), Config: config,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(q breakglass.Question) (breakglass.Answer, error) {
		return regoRules{rules}.Judge(context.Background(), q)
	}
}

func TestIssuingPolicyDecidesWhoAsksForWhat(t *testing.T) {
	strict := issuing(t, map[string]any{
		"approver_groups": []any{"sre"}, "ticket_pattern": "OPS-[0-9]+", "max_duration_seconds": 3600,
		"freeze": []any{map[string]any{"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z", "reason": "launch"}},
	})
	for _, tt := range []struct {
		name   string
		change func(p *breakglass.Proposal)
		at     time.Time
		want   string
	}{
		{"an ordinary request", nil, opening, passed},
		{"for too long", func(p *breakglass.Proposal) { p.Duration = time.Hour + time.Second }, opening, "it is for 3601 seconds; 3600 are the most for what is high"},
		{"without a ticket", func(p *breakglass.Proposal) { p.Ticket = "" }, opening, `a ticket that matches OPS-[0-9]+ is needed, not ""`},
		{"with a ticket and more", func(p *breakglass.Proposal) { p.Ticket = "OPS-7 or so" }, opening, `a ticket that matches OPS-[0-9]+ is needed, not "OPS-7 or so"`},
		{"in a freeze", nil, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), "frozen from 2026-11-22T00:00:00Z to 2026-11-23T00:00:00Z: launch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			o.rules = strict
			o.clock.set(tt.at)
			p := proposal(web)
			if tt.change != nil {
				tt.change(&p)
			}
			_, err := o.Request(t.Context(), person(alice), p)
			o.same("", tt.want, outcome(err))
			cases, err := o.List(t.Context())
			o.must(err)
			if (len(cases) == 1) != (tt.want == passed) {
				t.Errorf("%d cases are kept", len(cases))
			}
		})
	}
	t.Run("an approver of the group counts, another does not", func(t *testing.T) {
		o := newOffice(t, nil)
		o.rules = strict
		id := o.ask(proposal(web))
		_, err := o.Judge(t.Context(), person(carol), id, breakglass.Approve, "")
		o.same(id, "only members of sre approve", outcome(err))
		sre := person(bob)
		sre.Groups = []string{"dev", "sre"}
		_, err = o.Judge(t.Context(), sre, id, breakglass.Approve, "")
		o.same(id, passed, outcome(err))
		o.same(id, passed, o.try(deletion(web)))
	})
}

func TestIssuingPolicyIsAskedAgainAtEveryUse(t *testing.T) {
	everyday := issuing(t, nil)
	const frozen = "frozen from 2026-11-21T03:10:00Z to 2026-11-21T03:20:00Z: launch"
	freeze := issuing(t, map[string]any{"freeze": []any{map[string]any{"from": "2026-11-21T03:10:00Z", "to": "2026-11-21T03:20:00Z", "reason": "launch"}}})
	for _, tt := range []struct {
		name     string
		then     rulesFunc
		after    time.Duration
		severity operation.Severity
		want     []string
	}{
		{"nothing has changed", everyday, 0, operation.High, nil},
		{"what it is to lift is worse than was known", everyday, 0, operation.Critical, []string{"ID: void: 1 of 2 approvals"}},
		{"the severity takes more", issuing(t, map[string]any{"approvals": map[string]any{"severity": map[string]any{"high": 3}}}), 0, operation.High, []string{"ID: void: 1 of 3 approvals"}},
		{"the kind takes more", issuing(t, map[string]any{"approvals": map[string]any{"kinds": map[string]any{"Deployment": 2}}}), 0, operation.High, []string{"ID: void: 1 of 2 approvals"}},
		{"another kind takes more", issuing(t, map[string]any{"approvals": map[string]any{"kinds": map[string]any{"Namespace": 2}}}), 0, operation.High, nil},
		{"the time it may be used was cut", issuing(t, map[string]any{"max_duration_seconds": 60}), 0, operation.High, []string{"ID: void: it is for 1800 seconds; 60 are the most for what is high"}},
		{"only others approve now", issuing(t, map[string]any{"approver_groups": []any{"sre"}}), 0, operation.High, []string{"ID: void: 0 of 1 approvals; the approval of bob@example.com does not count: only members of sre approve"}},
		{"before the freeze", freeze, 10*time.Minute - time.Second, operation.High, nil},
		{"as the freeze begins", freeze, 10 * time.Minute, operation.High, []string{"ID: void: " + frozen}},
		{"before the freeze ends", freeze, 20*time.Minute - time.Second, operation.High, []string{"ID: void: " + frozen}},
		{"as the freeze ends", freeze, 20 * time.Minute, operation.High, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			o.rules = everyday
			id := o.granted(proposal(web))
			o.rules = tt.then
			o.clock.add(tt.after)
			found, err := o.Find(t.Context(), deletion(web), tt.severity)
			o.must(err)
			for i := range found.Refused {
				found.Refused[i] = "ID" + found.Refused[i][len(id):]
			}
			if diff := cmp.Diff(tt.want, found.Refused); diff != "" || (len(found.Passes) == 1) != (tt.want == nil) {
				t.Errorf("%d passes; refused (-want +got):\n%s", len(found.Passes), diff)
			}
		})
	}
}

func TestWhatOperationPoliciesSayOfItIsKnownBeforeAnybodyApproves(t *testing.T) {
	violation := operation.Violation{Policy: "production-delete", Severity: operation.Critical, BreakGlass: operation.BreakGlass{Approvals: 1}}
	never := operation.Violation{Policy: "crown-jewels", Severity: operation.High, Message: "never", BreakGlass: operation.BreakGlass{Never: true}}
	for _, tt := range []struct {
		name       string
		violations []operation.Violation
		err        error
		want       string
	}{
		{"nothing", nil, nil, "active: approved by bob@example.com, 1 of 1 left"},
		{"that it is critical", []operation.Violation{violation}, nil, "pending: 1 of 2 approvals"},
		{"that it takes three", []operation.Violation{{Severity: operation.Low, BreakGlass: operation.BreakGlass{Approvals: 3}}}, nil, "pending: 1 of 3 approvals"},
		{"that nobody gets through", []operation.Violation{violation, never}, nil, "nobody gets through policy crown-jewels, which refuses " + web.Ref + ": never"},
		{"nothing, since they cannot be asked", nil, errDown, "undecided: ask what the policies hold against it: the disk is gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(options *breakglass.DeskOptions) {
				options.Assess = func(_ context.Context, actor operation.Actor, verb operation.Verb, target operation.Reference) ([]operation.Violation, error) {
					if actor.Name != alice || verb != operation.Delete || target != web {
						t.Errorf("assessed %s %s %v", actor.Name, verb, target)
					}
					return tt.violations, tt.err
				}
			})
			o.rules = issuing(t, nil)
			view, err := o.Request(t.Context(), person(alice), proposal(web))
			if err != nil {
				o.same("", tt.want, outcome(err))
				return
			}
			o.judge(bob, view.ID(), breakglass.Approve)
			o.same(view.ID(), tt.want, o.standing(view.ID()))
		})
	}
}
