package guard_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
)

var now = time.Date(2026, 11, 21, 3, 12, 47, 123_456_789, time.UTC)

// evaluator is what the policies say, as a function.
type evaluator func(op *operation.Operation) ([]operation.Violation, error)

func (e evaluator) Evaluate(_ context.Context, op *operation.Operation, _ *operation.Grant) ([]operation.Violation, error) {
	return e(op)
}

// says gives violations of some policies, a fresh list each time.
func says(policies ...string) evaluator {
	return func(*operation.Operation) ([]operation.Violation, error) {
		var list []operation.Violation
		for _, p := range policies {
			list = append(list, violation(p, ""))
		}
		return list, nil
	}
}

func failing(text string) evaluator {
	return func(*operation.Operation) ([]operation.Violation, error) { return nil, errors.New(text) }
}

func violation(policy string, e operation.Enforcement) operation.Violation {
	return operation.Violation{
		Policy: policy, Severity: operation.High, Enforcement: e, Message: "no", BreakGlass: operation.BreakGlass{Approvals: 1},
	}
}

// recorder keeps decisions, or fails.
type recorder struct {
	lock      sync.Mutex
	decisions []operation.Decision
	err       error
}

func (r *recorder) Record(_ context.Context, d operation.Decision) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.err != nil {
		return r.err
	}
	r.decisions = append(r.decisions, d)
	return nil
}

// noEntropy makes ids predictable: the time, then zeroes.
type noEntropy struct{}

func (noEntropy) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// id is the ULID of now without entropy.
const id = "01M7Y1F60K" + "0000000000000000"

var productionLabels = []string{"env in (production, prod)"}

func newGuard(t *testing.T, opts guard.Options) *guard.Guard {
	t.Helper()
	if opts.Evaluator == nil {
		opts.Evaluator = says()
	}
	if opts.Recorder == nil {
		opts.Recorder = &recorder{}
	}
	if opts.Entropy == nil {
		opts.Entropy = noEntropy{}
	}
	if opts.Now == nil {
		opts.Now = func() time.Time { return now }
	}
	g, err := guard.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// deleteWeb is alice deleting the Deployment shop/web, as changed by edits.
func deleteWeb(edits ...func(*operation.Operation)) operation.Operation {
	op := operation.Operation{
		Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested,
		Actor: operation.Actor{
			Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "kubectl"},
			UID:      "a-1", Groups: []string{"dev"},
		},
		Target: operation.Target{
			Reference: operation.Reference{
				Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "w-1",
			},
			Group: "apps", Resource: "deployments", Cluster: "prod-eu",
		},
		Source: operation.Source{UID: "r-1"},
	}
	for _, edit := range edits {
		edit(&op)
	}
	return op
}

func labelled(value string) func(*operation.Operation) {
	return func(op *operation.Operation) { op.Target.Labels = map[string]string{"env": value} }
}

func by(name string, kind operation.ActorKind) func(*operation.Operation) {
	return func(op *operation.Operation) { op.Actor.Name, op.Actor.Kind = name, kind }
}

// ofNamespace makes the target a Namespace.
func ofNamespace(name string, labels map[string]string) func(*operation.Operation) {
	return func(op *operation.Operation) {
		op.Target = operation.Target{
			Reference: operation.Reference{Ref: "k8s://prod-eu/core/namespaces/" + name, Kind: "Namespace", Name: name},
			Resource:  "namespaces", Labels: labels, Cluster: "prod-eu",
		}
	}
}

// ofVolume makes the target a cluster-scoped object that is no Namespace.
func ofVolume(name string) func(*operation.Operation) {
	return func(op *operation.Operation) {
		op.Target = operation.Target{
			Reference: operation.Reference{Ref: "k8s://prod-eu/core/persistentvolumes/" + name, Kind: "PersistentVolume", Name: name},
			Resource:  "persistentvolumes", Cluster: "prod-eu",
		}
	}
}

func TestADecisionTellsWhoDidWhatToWhatAndWhy(t *testing.T) {
	var judged operation.Operation
	records := &recorder{}
	g := newGuard(t, guard.Options{
		Evaluator: evaluator(func(op *operation.Operation) ([]operation.Violation, error) {
			judged = *op
			return []operation.Violation{violation("production-delete", "")}, nil
		}),
		Recorder:   records,
		Production: guard.ProductionRules{Selectors: productionLabels},
	})
	op := deleteWeb(labelled("production"), func(op *operation.Operation) {
		op.Changes = []string{"all of it"}
		op.Dependents = []operation.Dependents{{Kind: "Pod", Via: operation.Owned, Count: 3, Names: []string{"web-1"}}}
		op.Volumes = []operation.Volume{{Claim: "shop/data", Name: "pv-1", ReclaimPolicy: "Delete"}}
		op.DryRun = true
	})
	got := g.Decide(t.Context(), op)

	production := operation.Production{Is: true, Target: true, Because: []string{"label env=production"}}
	at := time.Date(2026, 11, 21, 3, 12, 47, 123_000_000, time.UTC)
	want := operation.Decision{
		ID: id, Time: at,
		Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Outcome: operation.OutcomeDeny,
		Actor:      op.Actor.Identity,
		Target:     op.Target.Reference,
		Production: production,
		Changes:    op.Changes,
		Dependents: op.Dependents,
		Volumes:    op.Volumes,
		Violations: []operation.Violation{violation("production-delete", operation.EnforceDeny)},
		DryRun:     true,
		Source:     op.Source,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]operation.Decision{want}, records.decisions); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	op.Time, op.Production = at, production
	if diff := cmp.Diff(op, judged); diff != "" {
		t.Errorf("what the policies were asked about (-want +got):\n%s", diff)
	}
}

func TestTheStrongestEnforcementOfAnyViolationIsTheOutcome(t *testing.T) {
	rules := []guard.EnforcementRule{
		{Policies: []string{"warns"}, Action: operation.EnforceWarn},
		{Policies: []string{"alerts"}, Action: operation.EnforceAlert},
		{Policies: []string{"is-off"}, Action: operation.EnforceOff},
	}
	for _, tt := range []struct {
		name     string
		policies []string
		want     operation.Outcome
	}{
		{"nothing violated is allowed", nil, operation.OutcomeAllow},
		{"without a rule a violation denies", []string{"denies"}, operation.OutcomeDeny},
		{"warn warns", []string{"warns"}, operation.OutcomeWarn},
		{"alert alerts", []string{"alerts"}, operation.OutcomeAlert},
		{"off allows", []string{"is-off"}, operation.OutcomeAllow},
		{"alert is stronger than off", []string{"is-off", "alerts", "is-off"}, operation.OutcomeAlert},
		{"warn is stronger than alert", []string{"alerts", "warns", "alerts"}, operation.OutcomeWarn},
		{"deny is stronger than warn", []string{"warns", "denies", "alerts"}, operation.OutcomeDeny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Evaluator: says(tt.policies...), Enforcement: rules})
			if got := g.Decide(t.Context(), deleteWeb()); got.Outcome != tt.want {
				t.Errorf("outcome is %s, want %s", got.Outcome, tt.want)
			}
		})
	}
}

func TestTheFirstEnforcementRuleThatFitsDecides(t *testing.T) {
	warn := func(r guard.EnforcementRule) guard.EnforcementRule {
		r.Action = operation.EnforceWarn
		return r
	}
	for _, tt := range []struct {
		name  string
		rules []guard.EnforcementRule
		op    operation.Operation
		want  operation.Enforcement
	}{
		{"no rule at all denies", nil, deleteWeb(), operation.EnforceDeny},
		{"a rule without a scope fits all", []guard.EnforcementRule{warn(guard.EnforcementRule{})}, deleteWeb(), operation.EnforceWarn},
		{
			"the first of two that fit",
			[]guard.EnforcementRule{{Action: operation.EnforceOff}, {Action: operation.EnforceWarn}},
			deleteWeb(), operation.EnforceOff,
		},
		{
			"one that does not fit is passed over",
			[]guard.EnforcementRule{{Policies: []string{"other"}, Action: operation.EnforceOff}, {Action: operation.EnforceWarn}},
			deleteWeb(), operation.EnforceWarn,
		},
		{"by policy", []guard.EnforcementRule{warn(guard.EnforcementRule{Policies: []string{"other", "p"}})}, deleteWeb(), operation.EnforceWarn},
		{"a policy is named whole", []guard.EnforcementRule{warn(guard.EnforcementRule{Policies: []string{"pp"}})}, deleteWeb(), operation.EnforceDeny},
		{"by namespace", []guard.EnforcementRule{warn(guard.EnforcementRule{Namespaces: []string{"sh.p"}})}, deleteWeb(), operation.EnforceWarn},
		{"a namespace matches whole", []guard.EnforcementRule{warn(guard.EnforcementRule{Namespaces: []string{"sho", "hop", "s|p"}})}, deleteWeb(), operation.EnforceDeny},
		{"by actor", []guard.EnforcementRule{warn(guard.EnforcementRule{Actors: []string{`.*@example\.com`}})}, deleteWeb(), operation.EnforceWarn},
		{"an actor matches whole", []guard.EnforcementRule{warn(guard.EnforcementRule{Actors: []string{"alice"}})}, deleteWeb(), operation.EnforceDeny},
		{
			"every restriction must fit",
			[]guard.EnforcementRule{warn(guard.EnforcementRule{Policies: []string{"p"}, Namespaces: []string{"shop"}, Actors: []string{"bob"}})},
			deleteWeb(), operation.EnforceDeny,
		},
		{"a cluster-scoped object is in no namespace", []guard.EnforcementRule{warn(guard.EnforcementRule{Namespaces: []string{".+"}})}, deleteWeb(ofVolume("shop")), operation.EnforceDeny},
		{"a Namespace counts as its own", []guard.EnforcementRule{warn(guard.EnforcementRule{Namespaces: []string{"shop"}})}, deleteWeb(ofNamespace("shop", nil)), operation.EnforceWarn},
		{"a Namespace of another name does not", []guard.EnforcementRule{warn(guard.EnforcementRule{Namespaces: []string{"shop"}})}, deleteWeb(ofNamespace("web", nil)), operation.EnforceDeny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Evaluator: says("p"), Enforcement: tt.rules})
			want := []operation.Violation{violation("p", tt.want)}
			if diff := cmp.Diff(want, g.Decide(t.Context(), tt.op).Violations); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// answer is what a decision comes to, without what it is about.
type answer struct {
	Outcome    operation.Outcome
	Exempt     string
	Error      string
	Violations []operation.Violation
}

func answerOf(d operation.Decision) answer {
	return answer{d.Outcome, d.Exempt, d.Error, d.Violations}
}

func TestWhatCannotBeEvaluatedIsUndecided(t *testing.T) {
	records := &recorder{}
	g := newGuard(t, guard.Options{Evaluator: failing("policies are on fire"), Recorder: records})
	got := g.Decide(t.Context(), deleteWeb())
	want := answer{Outcome: operation.OutcomeUndecided, Error: "policies are on fire"}
	if diff := cmp.Diff(want, answerOf(got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if !got.Refused() {
		t.Error("not refused")
	}
	if diff := cmp.Diff([]operation.Decision{got}, records.decisions); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestDryRunEnforcementWarnsWhereItWouldRefuse(t *testing.T) {
	for _, tt := range []struct {
		name      string
		evaluator guard.Evaluator
		rules     []guard.EnforcementRule
		want      answer
	}{
		{
			"a denial becomes a warning, and its violations say warn", says("a", "b"),
			[]guard.EnforcementRule{{Policies: []string{"b"}, Action: operation.EnforceAlert}},
			answer{Outcome: operation.OutcomeWarn, Violations: []operation.Violation{
				violation("a", operation.EnforceWarn), violation("b", operation.EnforceAlert),
			}},
		},
		{"what cannot be decided becomes a warning", failing("broken"), nil, answer{Outcome: operation.OutcomeWarn, Error: "broken"}},
		{
			"an alert stays one", says("a"), []guard.EnforcementRule{{Action: operation.EnforceAlert}},
			answer{Outcome: operation.OutcomeAlert, Violations: []operation.Violation{violation("a", operation.EnforceAlert)}},
		},
		{"what is allowed stays allowed", says(), nil, answer{Outcome: operation.OutcomeAllow}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Evaluator: tt.evaluator, Enforcement: tt.rules, DryRunEnforcement: true})
			if diff := cmp.Diff(tt.want, answerOf(g.Decide(t.Context(), deleteWeb()))); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnExemptionLetsThroughAndShows(t *testing.T) {
	exempt := []guard.Exemption{
		{Name: "robots", Actors: []string{"robot-[0-9]+", "cleaner"}},
		{Name: "also-robots", Actors: []string{"robot-1"}},
	}
	denied := []operation.Violation{violation("a", operation.EnforceDeny)}
	for _, tt := range []struct {
		name      string
		actor     string
		evaluator guard.Evaluator
		rules     []guard.EnforcementRule
		want      answer
	}{
		{"a denial", "robot-17", says("a"), nil, answer{Outcome: operation.OutcomeAllow, Exempt: "robots", Violations: denied}},
		{"the first exemption of two", "robot-1", says("a"), nil, answer{Outcome: operation.OutcomeAllow, Exempt: "robots", Violations: denied}},
		{"the second pattern", "cleaner", says("a"), nil, answer{Outcome: operation.OutcomeAllow, Exempt: "robots", Violations: denied}},
		{"what could not be decided", "robot-17", failing("broken"), nil, answer{Outcome: operation.OutcomeAllow, Exempt: "robots", Error: "broken"}},
		{
			"a warning", "robot-17", says("a"), []guard.EnforcementRule{{Action: operation.EnforceWarn}},
			answer{Outcome: operation.OutcomeAllow, Exempt: "robots", Violations: []operation.Violation{violation("a", operation.EnforceWarn)}},
		},
		{"not what was allowed anyway", "robot-17", says(), nil, answer{Outcome: operation.OutcomeAllow}},
		{"not somebody whose name only contains the pattern", "evil-robot-17", says("a"), nil, answer{Outcome: operation.OutcomeDeny, Violations: denied}},
		{"not somebody else", "alice@example.com", failing("broken"), nil, answer{Outcome: operation.OutcomeUndecided, Error: "broken"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Evaluator: tt.evaluator, Enforcement: tt.rules, Exempt: exempt})
			got := g.Decide(t.Context(), deleteWeb(by(tt.actor, operation.Service)))
			if diff := cmp.Diff(tt.want, answerOf(got)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnExemptionIsShownUnderDryRunEnforcementToo(t *testing.T) {
	g := newGuard(t, guard.Options{
		Evaluator: says("a"), Exempt: []guard.Exemption{{Name: "robots", Actors: []string{"robot"}}}, DryRunEnforcement: true,
	})
	got := g.Decide(t.Context(), deleteWeb(by("robot", operation.Service)))
	want := answer{Outcome: operation.OutcomeAllow, Exempt: "robots", Violations: []operation.Violation{violation("a", operation.EnforceDeny)}}
	if diff := cmp.Diff(want, answerOf(got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestWithoutARecordProductionIsNotTouched(t *testing.T) {
	const unrecorded = "record the decision: disk full"
	denied := []operation.Violation{violation("a", operation.EnforceDeny)}
	warned := []operation.Violation{violation("a", operation.EnforceWarn)}
	update := func(op *operation.Operation) { op.Verb = operation.Update }
	for _, tt := range []struct {
		name string
		op   operation.Operation
		opts guard.Options
		want answer
	}{
		{
			"a refusal stays a refusal", deleteWeb(labelled("prod")), guard.Options{Evaluator: says("a")},
			answer{Outcome: operation.OutcomeDeny, Violations: denied},
		},
		{
			"what could not be decided keeps its own reason", deleteWeb(labelled("prod")), guard.Options{Evaluator: failing("broken")},
			answer{Outcome: operation.OutcomeUndecided, Error: "broken"},
		},
		{
			"an allowed deletion of production becomes undecided", deleteWeb(labelled("prod")), guard.Options{},
			answer{Outcome: operation.OutcomeUndecided, Error: unrecorded},
		},
		{
			"a warning about production becomes undecided", deleteWeb(labelled("prod")),
			guard.Options{Evaluator: says("a"), Enforcement: []guard.EnforcementRule{{Action: operation.EnforceWarn}}},
			answer{Outcome: operation.OutcomeUndecided, Error: unrecorded, Violations: warned},
		},
		{
			"an exempt person who deletes production becomes undecided", deleteWeb(labelled("prod")),
			guard.Options{Evaluator: says("a"), Exempt: []guard.Exemption{{Name: "alice", Actors: []string{"alice@.*"}}}},
			answer{Outcome: operation.OutcomeUndecided, Error: unrecorded, Exempt: "alice", Violations: denied},
		},
		{"what is not production goes on", deleteWeb(labelled("dev")), guard.Options{}, answer{Outcome: operation.OutcomeAllow}},
		{"an update of production goes on", deleteWeb(labelled("prod"), update), guard.Options{}, answer{Outcome: operation.OutcomeAllow}},
		{
			"a controller goes on", deleteWeb(labelled("prod"), by("system:kube-scheduler", operation.Controller)),
			guard.Options{Evaluator: says("a"), Exempt: []guard.Exemption{{Name: "machinery", Actors: []string{"system:.*"}}}},
			answer{Outcome: operation.OutcomeAllow, Exempt: "machinery", Violations: denied},
		},
		{
			"under dry-run enforcement all goes on", deleteWeb(labelled("prod")), guard.Options{Evaluator: says("a"), DryRunEnforcement: true},
			answer{Outcome: operation.OutcomeWarn, Violations: warned},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Recorder = &recorder{err: errors.New("disk full")}
			tt.opts.Production = guard.ProductionRules{Selectors: productionLabels}
			if diff := cmp.Diff(tt.want, answerOf(newGuard(t, tt.opts).Decide(t.Context(), tt.op))); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADecisionThatIsNotRecordedIsLogged(t *testing.T) {
	var talk bytes.Buffer
	g := newGuard(t, guard.Options{
		Evaluator: says("a"), Recorder: &recorder{err: errors.New("disk full")},
		Log: slog.New(slog.NewTextHandler(&talk, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
	})
	g.Decide(t.Context(), deleteWeb())
	const want = `level=ERROR msg="decision not recorded" error="disk full" decision=` + id + " outcome=deny\n"
	if diff := cmp.Diff(want, talk.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func TestWhatCannotBeReadIsUndecidedAndRecorded(t *testing.T) {
	known := operation.Operation{Surface: operation.Kubernetes, Verb: operation.Unknown, Source: operation.Source{UID: "r-1"}}
	want := operation.Decision{
		ID: id, Time: now.Truncate(time.Millisecond), Surface: operation.Kubernetes, Verb: operation.Unknown,
		Outcome: operation.OutcomeUndecided, Error: "truncated", Source: operation.Source{UID: "r-1"},
		Production: operation.Production{Is: true, Target: true, Because: []string{"it could not be read, and unknown counts as production"}},
	}
	for _, tt := range []struct {
		name string
		opts guard.Options
		op   operation.Operation
		want func(*operation.Decision)
	}{
		{"from anybody", guard.Options{}, known, func(*operation.Decision) {}},
		{"if it cannot be recorded either", guard.Options{Recorder: &recorder{err: errors.New("disk full")}}, known, func(*operation.Decision) {}},
		{
			"under dry-run enforcement it is a warning", guard.Options{DryRunEnforcement: true}, known,
			func(d *operation.Decision) { d.Outcome = operation.OutcomeWarn },
		},
		{
			"an exempt actor is let through", guard.Options{Exempt: []guard.Exemption{{Name: "robots", Actors: []string{"robot"}}}},
			func() operation.Operation { op := known; op.Actor.Name = "robot"; return op }(),
			func(d *operation.Decision) {
				d.Outcome, d.Exempt, d.Actor.Name = operation.OutcomeAllow, "robots", "robot"
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records, ok := tt.opts.Recorder.(*recorder)
			if !ok {
				records = &recorder{}
				tt.opts.Recorder = records
			}
			want := want
			tt.want(&want)
			got := newGuard(t, tt.opts).Undecidable(t.Context(), tt.op, errors.New("truncated"))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			if records.err == nil {
				if diff := cmp.Diff([]operation.Decision{want}, records.decisions); diff != "" {
					t.Errorf("recorded (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestDecisionIDsAreULIDsOfTheTimeAndNeverRepeat(t *testing.T) {
	const workers, each = 8, 250
	records := &recorder{}
	g := newGuard(t, guard.Options{Recorder: records, Entropy: rand.Reader})
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range each {
				g.Decide(t.Context(), deleteWeb())
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, d := range records.decisions {
		parsed, err := ulid.ParseStrict(d.ID)
		if err != nil {
			t.Fatalf("%s: %v", d.ID, err)
		}
		if at := ulid.Time(parsed.Time()).UTC(); !at.Equal(d.Time) {
			t.Errorf("%s is of %v, want %v", d.ID, at, d.Time)
		}
		seen[d.ID] = true
	}
	if len(seen) != workers*each {
		t.Errorf("%d ids for %d decisions", len(seen), workers*each)
	}
}

func TestWithoutEntropyThereIsStillADecisionWithAnID(t *testing.T) {
	var talk bytes.Buffer
	g := newGuard(t, guard.Options{
		Evaluator: says("a"), Entropy: iotest.ErrReader(errors.New("no randomness")),
		Log: slog.New(slog.NewTextHandler(&talk, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
	})
	got := g.Decide(t.Context(), deleteWeb())
	if got.Outcome != operation.OutcomeDeny || got.ID != id {
		t.Errorf("got %s %s, want %s %s", got.Outcome, got.ID, operation.OutcomeDeny, id)
	}
	if want := `level=ERROR msg="no entropy for a decision id" error="no randomness"` + "\n"; talk.String() != want {
		t.Errorf("log is %q, want %q", talk.String(), want)
	}
}

func TestEveryRuleThatDoesNotParseIsReportedAtOnce(t *testing.T) {
	_, err := guard.New(guard.Options{
		Evaluator: says(), Recorder: &recorder{}, Entropy: noEntropy{},
		Production: guard.ProductionRules{
			Selectors:          []string{"env=production", "env in production", ""},
			NamespaceSelectors: []string{"=x"},
			Namespaces:         []string{"a)|(b", ""},
			Names:              []string{"("},
		},
		Enforcement: []guard.EnforcementRule{
			{Action: operation.EnforceWarn},
			{Action: "block", Namespaces: []string{"["}, Actors: []string{"*"}},
		},
		Exempt: []guard.Exemption{{}, {Name: "ok", Actors: []string{"+"}, Names: []string{"web", "("}, Selectors: []string{"a=b", ""}}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`production.selectors[1]: label selector "env in production": unable to parse requirement: found 'production' expected: '('`,
		`production.selectors[2]: empty label selector: it would match everything`,
		`production.namespaceSelectors[0]: label selector "=x": found '=', expected: !, identifier, or 'end of string'`,
		"production.namespaces[0]: pattern \"a)|(b\": error parsing regexp: unexpected ): `a)|(b`",
		`production.namespaces[1]: empty pattern: it would only match the empty name`,
		"production.names[0]: pattern \"(\": error parsing regexp: missing closing ): `(`",
		`enforcement[1].action: "block" is not one of [deny warn alert off]`,
		"enforcement[1].namespaces[0]: pattern \"[\": error parsing regexp: missing closing ]: `[`",
		"enforcement[1].actors[0]: pattern \"*\": error parsing regexp: missing argument to repetition operator: `*`",
		`exempt[0].name: missing: a decision shows it`,
		`exempt[0].actors: missing: an exemption for everybody is no guard`,
		"exempt[1].actors[0]: pattern \"+\": error parsing regexp: missing argument to repetition operator: `+`",
		"exempt[1].names[1]: pattern \"(\": error parsing regexp: missing closing ): `(`",
		`exempt[1].selectors[1]: empty label selector: it would match everything`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestAGuardWithoutItsPartsIsNotMade(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts guard.Options
	}{
		{"no evaluator", guard.Options{Recorder: &recorder{}, Entropy: noEntropy{}}},
		{"no recorder", guard.Options{Evaluator: says(), Entropy: noEntropy{}}},
		{"no entropy", guard.Options{Evaluator: says(), Recorder: &recorder{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := guard.New(tt.opts); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestTheMetricsCountWhatWasDecided(t *testing.T) {
	registry := prometheus.NewRegistry()
	records := &recorder{}
	// Each decision takes 30 µs by this clock, which each reads twice.
	clock := now
	g := newGuard(t, guard.Options{
		Evaluator: says("a", "b"), Recorder: records, Registerer: registry,
		Enforcement: []guard.EnforcementRule{{Policies: []string{"b"}, Action: operation.EnforceOff}},
		Exempt:      []guard.Exemption{{Name: "robots", Actors: []string{"robot"}}},
		Now:         func() time.Time { clock = clock.Add(30 * time.Microsecond); return clock },
	})
	g.Decide(t.Context(), deleteWeb())
	g.Decide(t.Context(), deleteWeb())
	g.Decide(t.Context(), deleteWeb(by("robot", operation.Service)))
	records.err = errors.New("disk full")
	g.Undecidable(t.Context(), operation.Operation{Surface: operation.Kubernetes, Verb: operation.Unknown}, io.ErrUnexpectedEOF)

	const want = `
# HELP mollyguard_decisions_total Decisions, by surface, verb, outcome and whether an exemption applied.
# TYPE mollyguard_decisions_total counter
mollyguard_decisions_total{exempt="false",outcome="deny",surface="kubernetes",verb="delete"} 2
mollyguard_decisions_total{exempt="true",outcome="allow",surface="kubernetes",verb="delete"} 1
mollyguard_decisions_total{exempt="false",outcome="undecided",surface="kubernetes",verb="unknown"} 1
# HELP mollyguard_violations_total Violations of policies, by policy and what the violation did (deny, warn, alert, off).
# TYPE mollyguard_violations_total counter
mollyguard_violations_total{enforcement="deny",policy="a"} 3
mollyguard_violations_total{enforcement="off",policy="b"} 3
# HELP mollyguard_decisions_unrecorded_total Decisions that could not be written to the decision log.
# TYPE mollyguard_decisions_unrecorded_total counter
mollyguard_decisions_unrecorded_total 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"mollyguard_decisions_total", "mollyguard_violations_total", "mollyguard_decisions_unrecorded_total"); err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "mollyguard_decision_duration_seconds" {
			continue
		}
		histogram := family.GetMetric()[0].GetHistogram()
		if count, sum := histogram.GetSampleCount(), time.Duration(histogram.GetSampleSum()*1e9).Round(time.Microsecond); count != 3 || sum != 90*time.Microsecond {
			t.Errorf("durations: %d of %v in all, want 3 of 90µs", count, sum)
		}
		return
	}
	t.Error("no durations")
}
