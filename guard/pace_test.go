package guard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pace"
)

// tally is a Pace that says the same to everybody, and notes what it is told.
type tally struct {
	recent          operation.Recent
	Looked, Counted []string
}

func (t *tally) Look(op *operation.Operation) operation.Recent {
	t.Looked = append(t.Looked, op.Actor.Name+" "+op.Target.Name)
	return t.recent
}

func (t *tally) Count(op *operation.Operation) {
	t.Counted = append(t.Counted, op.Actor.Name+" "+op.Target.Name)
}

// deleteProduction is deleteWeb on production.
func deleteProduction(edits ...func(*operation.Operation)) operation.Operation {
	op := deleteWeb(func(op *operation.Operation) { op.Target.Labels = map[string]string{"env": "production"} })
	for _, edit := range edits {
		edit(&op)
	}
	return op
}

func TestWhatDestroysProductionIsCountedIfItGoesThrough(t *testing.T) {
	web := []string{"alice@example.com web"}
	warns := []guard.EnforcementRule{{Action: operation.EnforceWarn}}
	alerts := []guard.EnforcementRule{{Action: operation.EnforceAlert}}
	for _, tt := range []struct {
		name     string
		opts     guard.Options
		op       operation.Operation
		approved bool
		want     tally
	}{
		{"no policy has anything against it", guard.Options{Evaluator: says()}, deleteProduction(), false, tally{Looked: web, Counted: web}},
		{"what has ended", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Target.Ended = true }), false, tally{}},
		{"denied", guard.Options{}, deleteProduction(), false, tally{Looked: web}},
		{"lifted by a grant", guard.Options{}, deleteProduction(), true, tally{Looked: web, Counted: web}},
		{"warned of", guard.Options{Enforcement: warns}, deleteProduction(), false, tally{Looked: web, Counted: web}},
		{"alerted of", guard.Options{Enforcement: alerts}, deleteProduction(), false, tally{Looked: web, Counted: web}},
		{"warned of by a guard that only warns", guard.Options{DryRunEnforcement: true}, deleteProduction(), false, tally{Looked: web, Counted: web}},
		{"by an exempt actor", guard.Options{Exempt: []guard.Exemption{{Name: "x", Actors: []string{"alice@.*"}}}}, deleteProduction(), false, tally{Looked: web}},
		{"not to be judged", guard.Options{Evaluator: failing("boom")}, deleteProduction(), false, tally{Looked: web}},
		{
			"let through and then not recorded", guard.Options{Evaluator: says(), Recorder: &recorder{err: errors.New("disk full")}}, deleteProduction(), false,
			tally{Looked: web, Counted: web},
		},
		{"a dry run", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.DryRun = true }), false, tally{Looked: web}},
		{"not production", guard.Options{Evaluator: says()}, deleteWeb(), false, tally{}},
		{
			"production by what depends on it", guard.Options{Evaluator: says()},
			deleteWeb(func(op *operation.Operation) {
				op.Dependents = []operation.Dependents{{Kind: "Pod", Via: operation.Owned, Count: 1, Production: 1}}
			}), false, tally{Looked: web, Counted: web},
		},
		{
			"production because nobody knows", guard.Options{Evaluator: says()},
			deleteWeb(func(op *operation.Operation) { op.Unknown = []string{"its labels"} }), false, tally{Looked: web, Counted: web},
		},
		{"an update", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Verb = operation.Update }), false, tally{}},
		{
			"an update that destroys something beside", guard.Options{Evaluator: says()},
			deleteProduction(func(op *operation.Operation) {
				op.Verb, op.Also = operation.Update, []operation.Verb{operation.Unprotect}
			}), false, tally{Looked: web, Counted: web},
		},
		{
			"something weakened", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Verb = operation.Unprotect }), false,
			tally{Looked: web, Counted: web},
		},
		{
			"something that nobody can tell", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Verb = operation.Unknown }), false,
			tally{Looked: web, Counted: web},
		},
		{
			"an eviction that a PodDisruptionBudget covers", guard.Options{Evaluator: says()},
			deleteProduction(func(op *operation.Operation) { op.Verb, op.Covered = operation.Evict, true }), false, tally{},
		},
		{
			"an eviction that none covers", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Verb = operation.Evict }), false,
			tally{Looked: web, Counted: web},
		},
		{
			"by a controller of the cluster", guard.Options{Evaluator: says()},
			deleteProduction(func(op *operation.Operation) { op.Actor.Kind = operation.Controller }), false, tally{},
		},
		{
			"by an agent", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Actor.Kind = operation.Agent }), false,
			tally{Looked: web, Counted: web},
		},
		{
			"what has happened already", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Phase = operation.Finished }), false,
			tally{},
		},
		{
			"in a cloud", guard.Options{Evaluator: says()}, deleteProduction(func(op *operation.Operation) { op.Surface = operation.GCP }), false,
			tally{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got tally
			tt.opts.Pace, tt.opts.Production = &got, guard.ProductionRules{Selectors: productionLabels}
			if tt.opts.Evaluator == nil {
				tt.opts.Evaluator = says("a")
			}
			if tt.approved {
				grants := &counter{}
				grants.pass("bg-1", 1, nil)
				tt.opts.BreakGlass = grants
			}
			newGuard(t, tt.opts).Decide(t.Context(), tt.op)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(tally{})); diff != "" {
				t.Errorf("tally (-want +got):\n%s", diff)
			}
		})
	}
}

// breaker is production-delete and mass-change: one approval for each, two for many.
func breaker(op *operation.Operation) ([]operation.Violation, error) {
	list := []operation.Violation{violation("production-delete", "")}
	if r := op.Recent; r.Limit > 0 && r.Count > r.Limit {
		list = append(list, operation.Violation{
			Policy: "mass-change", Severity: operation.Critical, Message: fmt.Sprintf("%d in %d namespaces within %d s", r.Count, r.Namespaces, r.Seconds),
			BreakGlass: operation.BreakGlass{Approvals: 2},
		})
	}
	return list, nil
}

func TestPoliciesSeeWhatAnActorHasDone(t *testing.T) {
	seen := operation.Recent{Count: 21, Namespaces: 4, Limit: 20, Seconds: 600}
	g := newGuard(t, guard.Options{Evaluator: evaluator(breaker), Pace: &tally{recent: seen}, Production: guard.ProductionRules{Selectors: productionLabels}})
	want := []operation.Violation{
		violation("production-delete", operation.EnforceDeny),
		{
			Policy: "mass-change", Severity: operation.Critical, Enforcement: operation.EnforceDeny, Message: "21 in 4 namespaces within 600 s",
			BreakGlass: operation.BreakGlass{Approvals: 2},
		},
	}
	if diff := cmp.Diff(want, g.Decide(t.Context(), deleteProduction()).Violations); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, g.Decide(t.Context(), deleteProduction(func(op *operation.Operation) { op.DryRun = true })).Violations); diff != "" {
		t.Errorf("in a dry run (-want +got):\n%s", diff)
	}
	assessed, err := g.Assess(t.Context(), deleteProduction())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, assessed); diff != "" {
		t.Errorf("assessed, for who asks for a grant (-want +got):\n%s", diff)
	}
}

func TestWhoIntendsMoreThanTheLimitHearsItWhenAskingForAGrant(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pace   guard.Pace
		intend int
		want   []string
	}{
		{"one more than there were", &tally{recent: operation.Recent{Count: 1, Limit: 3}}, 0, []string{"production-delete"}},
		{"as many as may be", &tally{recent: operation.Recent{Count: 1, Limit: 3}}, 3, []string{"production-delete"}},
		{"one more than may be", &tally{recent: operation.Recent{Count: 1, Limit: 3}}, 4, []string{"production-delete", "mass-change"}},
		{"too many with those that there were", &tally{recent: operation.Recent{Count: 2, Limit: 3}}, 3, []string{"production-delete", "mass-change"}},
		{"many where nobody counts", nil, 100, []string{"production-delete"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Evaluator: evaluator(breaker), Pace: tt.pace, Production: guard.ProductionRules{Selectors: productionLabels}})
			violations, err := g.Assess(t.Context(), deleteProduction(func(op *operation.Operation) { op.Recent.Count = tt.intend }))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range violations {
				got = append(got, v.Policy)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
}

// deleteNumber is alice deleting one of many.
func deleteNumber(i int) operation.Operation {
	return deleteProduction(func(op *operation.Operation) {
		op.Target.Namespace, op.Target.Name = fmt.Sprintf("team-%d", i%3), fmt.Sprintf("web-%d", i)
		op.Target.Ref = operation.KubernetesRef("prod-eu", "apps", "deployments", op.Target.Namespace, op.Target.Name)
		op.Target.UID = fmt.Sprintf("uid-%d", i)
	})
}

func TestMoreThanTheLimitNeedsAGrantOfMoreApprovals(t *testing.T) {
	const limit = 3
	book, err := pace.New(pace.Options{Limit: limit, Window: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	at := now
	with := func(approvals int) *guard.Guard {
		grants := &counter{}
		grants.pass("bg-1", approvals, nil)
		return newGuard(t, guard.Options{
			Evaluator: evaluator(breaker), BreakGlass: grants, Pace: book, Now: func() time.Time { return at },
			Production: guard.ProductionRules{Selectors: productionLabels},
		})
	}
	type answer struct {
		Outcome operation.Outcome
		Refused []string
	}
	let := answer{Outcome: operation.OutcomeAllow}
	tooMany := answer{operation.OutcomeDeny, []string{"bg-1: 1 of the 2 approvals that policy mass-change asks for"}}
	one, two := with(1), with(2)
	for _, step := range []struct {
		name  string
		guard *guard.Guard
		op    operation.Operation
		later time.Duration
		want  answer
	}{
		{"the first", one, deleteNumber(0), 0, let},
		{"the second", one, deleteNumber(1), 0, let},
		{"the third", one, deleteNumber(2), 0, let},
		{"the third, called again", one, deleteNumber(2), time.Second, let},
		{"the fourth", one, deleteNumber(3), 0, tooMany},
		{"the fourth with two approvals", two, deleteNumber(3), time.Second, let},
		{"the fifth with two approvals", two, deleteNumber(4), 0, let},
		{"the sixth", one, deleteNumber(5), 0, tooMany},
		{"the sixth as somebody else", one, deleteProduction(func(op *operation.Operation) { op.Actor.Name = "bob@example.com" }), 0, let},
		{"the sixth when the window is over", one, deleteNumber(5), 10 * time.Minute, let},
	} {
		at = at.Add(step.later)
		d := step.guard.Decide(context.Background(), step.op)
		if diff := cmp.Diff(step.want, answer{d.Outcome, d.GrantRefused}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
