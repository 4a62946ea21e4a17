package guard_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
)

// counter finds what it is told to, and counts what is taken.
type counter struct {
	finding breakglass.Finding
	err     error
	asked   []operation.Severity
	taken   []string // grant and decision
}

func (c *counter) Find(_ context.Context, _ *operation.Operation, severity operation.Severity) (breakglass.Finding, error) {
	c.asked = append(c.asked, severity)
	return c.finding, c.err
}

// pass is a grant of so many approvals; taking it fails with err, if that is not
// nil.
func (c *counter) pass(id string, approvals int, err error) {
	c.finding.Passes = append(c.finding.Passes, breakglass.Pass{
		Grant: operation.Grant{ID: id, Approvals: approvals},
		Take: func(_ context.Context, decision string) error {
			if err == nil {
				c.taken = append(c.taken, id+" "+decision)
			}
			return err
		},
	})
}

// seen is what an operation came to, and what it cost.
type seen struct {
	Outcome operation.Outcome
	Grant   string
	Refused []string
	Asked   []operation.Severity
	Taken   []string
}

func demanding(policy string, severity operation.Severity, b operation.BreakGlass) evaluator {
	return func(*operation.Operation) ([]operation.Violation, error) {
		return []operation.Violation{{Policy: policy, Severity: severity, Message: "no", BreakGlass: b}}, nil
	}
}

func TestAGrantLiftsWhatItsApprovalsCover(t *testing.T) {
	high := []operation.Severity{operation.High}
	for _, tt := range []struct {
		name      string
		evaluator evaluator
		opts      guard.Options
		op        operation.Operation
		grants    func(c *counter)
		want      seen
	}{
		{
			"one grant, one approval", says("a"), guard.Options{}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeAllow, Grant: "bg-1", Asked: high, Taken: []string{"bg-1 " + id}},
		},
		{
			"no grant", says("a"), guard.Options{}, deleteWeb(),
			func(c *counter) { c.finding.Refused = []string{"bg-1: expired"} },
			seen{Outcome: operation.OutcomeDeny, Refused: []string{"bg-1: expired"}, Asked: high},
		},
		{
			"too few approvals", demanding("a", operation.Critical, operation.BreakGlass{Approvals: 2}), guard.Options{}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeDeny, Refused: []string{"bg-1: 1 of the 2 approvals that policy a asks for"}, Asked: []operation.Severity{operation.Critical}},
		},
		{
			"what nobody gets through is not even looked for", demanding("a", operation.Low, operation.BreakGlass{Never: true}), guard.Options{}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 9, nil) },
			seen{Outcome: operation.OutcomeDeny},
		},
		{
			"used up: the next one is tried", says("a"), guard.Options{}, deleteWeb(),
			func(c *counter) {
				c.pass("bg-1", 1, &breakglass.Refusal{Reason: "used up"})
				c.pass("bg-2", 1, nil)
			},
			seen{Outcome: operation.OutcomeAllow, Grant: "bg-2", Asked: high, Taken: []string{"bg-2 " + id}},
		},
		{
			"all used up", says("a"), guard.Options{}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, &breakglass.Refusal{Reason: "used up"}) },
			seen{Outcome: operation.OutcomeDeny, Refused: []string{"bg-1: used up"}, Asked: high},
		},
		{
			"the store does not answer when the use is taken", says("a"), guard.Options{}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, errors.New("etcd is gone")); c.pass("bg-2", 1, nil) },
			seen{Outcome: operation.OutcomeDeny, Refused: []string{"bg-1 could not be used: etcd is gone"}, Asked: high},
		},
		{
			"the store does not answer when grants are looked for", says("a"), guard.Options{}, deleteWeb(),
			func(c *counter) { c.err = errors.New("etcd is gone") },
			seen{Outcome: operation.OutcomeDeny, Refused: []string{"whether there is a grant could not be found out: etcd is gone"}, Asked: high},
		},
		{
			"a dry run uses nothing up", says("a"), guard.Options{}, deleteWeb(func(op *operation.Operation) { op.DryRun = true }),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeAllow, Grant: "bg-1", Asked: high},
		},
		{
			"a message that anybody may have written uses nothing up", says("a"), guard.Options{}, deleteWeb(func(op *operation.Operation) { op.Untrusted = "who knows" }),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeDeny, Refused: []string{"grants are not considered: who knows"}},
		},
		{
			"what only warns needs no grant", says("a"), guard.Options{Enforcement: []guard.EnforcementRule{{Action: operation.EnforceWarn}}}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeWarn},
		},
		{
			"what warns beside it still does", says("a", "b"), guard.Options{Enforcement: []guard.EnforcementRule{{Policies: []string{"b"}, Action: operation.EnforceWarn}}}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeWarn, Grant: "bg-1", Asked: high, Taken: []string{"bg-1 " + id}},
		},
		{
			"a guard that only warns uses nothing up", says("a"), guard.Options{DryRunEnforcement: true}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeWarn},
		},
		{
			"an exempt actor needs no grant", says("a"), guard.Options{Exempt: []guard.Exemption{{Name: "x", Actors: []string{"alice@.*"}}}}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeAllow},
		},
		{
			"what could not be judged is not lifted", failing("boom"), guard.Options{}, deleteWeb(),
			func(c *counter) { c.pass("bg-1", 1, nil) },
			seen{Outcome: operation.OutcomeUndecided},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &counter{}
			tt.grants(c)
			tt.opts.Evaluator, tt.opts.BreakGlass = tt.evaluator, c
			d := newGuard(t, tt.opts).Decide(t.Context(), tt.op)
			if diff := cmp.Diff(tt.want, seen{d.Outcome, d.Grant, d.GrantRefused, c.asked, c.taken}); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

// grantReader is a policy that reads input.grant.
type grantReader struct{}

func (grantReader) Evaluate(_ context.Context, _ *operation.Operation, grant *operation.Grant) ([]operation.Violation, error) {
	if grant == nil {
		return []operation.Violation{violation("a", "")}, nil
	}
	return []operation.Violation{{Policy: "b", Severity: operation.High, Message: "not with " + grant.ID, BreakGlass: operation.BreakGlass{Never: true}}}, nil
}

func TestPoliciesSeeTheGrantAndMayObject(t *testing.T) {
	c := &counter{}
	c.pass("bg-1", 1, nil)
	d := newGuard(t, guard.Options{Evaluator: grantReader{}, BreakGlass: c}).Decide(t.Context(), deleteWeb())
	want := seen{Outcome: operation.OutcomeDeny, Refused: []string{"bg-1: nobody gets through policy b"}, Asked: []operation.Severity{operation.High}}
	if diff := cmp.Diff(want, seen{d.Outcome, d.Grant, d.GrantRefused, c.asked, c.taken}); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
}

func TestAUseThatIsNotRecordedIsRefused(t *testing.T) {
	c := &counter{}
	c.pass("bg-1", 1, nil)
	g := newGuard(t, guard.Options{
		Evaluator: says("a"), Recorder: &recorder{err: errors.New("disk full")}, BreakGlass: c,
		Production: guard.ProductionRules{Selectors: productionLabels},
	})
	d := g.Decide(t.Context(), deleteWeb(func(op *operation.Operation) { op.Target.Labels = map[string]string{"env": "production"} }))
	want := seen{Outcome: operation.OutcomeUndecided, Grant: "bg-1", Asked: []operation.Severity{operation.High}, Taken: []string{"bg-1 " + id}}
	if diff := cmp.Diff(want, seen{d.Outcome, d.Grant, d.GrantRefused, c.asked, c.taken}); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
}

func TestWhatDoesSeveralThingsIsHeldToEach(t *testing.T) {
	byVerb := evaluator(func(op *operation.Operation) ([]operation.Violation, error) {
		return []operation.Violation{violation("no-"+string(op.Verb), "")}, nil
	})
	c := &counter{}
	c.pass("bg-1", 1, nil)
	both := deleteWeb(func(op *operation.Operation) {
		op.Verb, op.Also = operation.ScaleToZero, []operation.Verb{operation.Unprotect}
	})
	g := newGuard(t, guard.Options{
		Evaluator: byVerb, BreakGlass: c,
		Enforcement: []guard.EnforcementRule{{Policies: []string{"no-scale-to-zero"}, Action: operation.EnforceWarn}},
	})
	d := g.Decide(t.Context(), both)
	var got []string
	for _, v := range d.Violations {
		got = append(got, v.Policy+" "+string(v.Enforcement))
	}
	if diff := cmp.Diff([]string{"no-scale-to-zero warn", "no-unprotect deny"}, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	if d.Outcome != operation.OutcomeWarn || d.Grant != "bg-1" || len(c.taken) != 1 {
		t.Errorf("outcome %s with grant %q, taken %v: the warning of one must not let the other through without its grant", d.Outcome, d.Grant, c.taken)
	}
	without := newGuard(t, guard.Options{Evaluator: byVerb, Enforcement: []guard.EnforcementRule{{Policies: []string{"no-scale-to-zero"}, Action: operation.EnforceWarn}}})
	if d := without.Decide(t.Context(), both); d.Outcome != operation.OutcomeDeny {
		t.Errorf("without a grant: %s", d.Outcome)
	}
}

func TestWhatAPolicySaysOfEveryVerbIsToldOnce(t *testing.T) {
	always := violation("always", "")
	byVerb := func(v operation.Verb) operation.Violation {
		one := violation("by-verb", "")
		one.Message = string(v)
		return one
	}
	stricter := violation("stricter", "")
	g := newGuard(t, guard.Options{Evaluator: evaluator(func(op *operation.Operation) ([]operation.Violation, error) {
		stricter.BreakGlass.Approvals++
		return []operation.Violation{always, byVerb(op.Verb), stricter}, nil
	})})
	d := g.Decide(t.Context(), deleteWeb(func(op *operation.Operation) {
		op.Verb, op.Also = operation.Empty, []operation.Verb{operation.ScaleToZero, operation.Unprotect}
	}))
	asking := func(approvals int) operation.Violation {
		one := violation("stricter", "")
		one.BreakGlass.Approvals = approvals
		return one
	}
	want := []operation.Violation{
		always, byVerb(operation.Empty), asking(2), byVerb(operation.ScaleToZero), asking(3), byVerb(operation.Unprotect), asking(4),
	}
	for i := range want {
		want[i].Enforcement = operation.EnforceDeny
	}
	if diff := cmp.Diff(want, d.Violations); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
