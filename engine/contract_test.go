package engine_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
)

// plea is the input of a contract that has nothing to do with operations.
type plea struct {
	Time   time.Time          `json:"time" desc:"when"`
	Verb   operation.Verb     `json:"verb" desc:"what"`
	Verbs  []operation.Verb   `json:"verbs" desc:"what else"`
	Hours  int                `json:"hours" desc:"how long"`
	By     operation.Actor    `json:"by" desc:"who"`
	Judge  *operation.Actor   `json:"judge" desc:"who judges, or null"`
	Others []operation.Actor  `json:"others" desc:"who else"`
	Hidden []operation.Secret `json:"-"`
	Config map[string]any     `json:"config" desc:"as configured"`
}

func pleas(t *testing.T, config map[string]any) engine.Options {
	t.Helper()
	schema, err := operation.Schema(reflect.TypeFor[plea](), "plea")
	if err != nil {
		t.Fatal(err)
	}
	return engine.Options{Contract: engine.Issuing(reflect.TypeFor[plea]()), Schema: schema, Config: config}
}

// pleaPolicies never let anybody have more than eight hours, or as configured,
// and ask two people about evictions.
const pleaPolicies = `package mollyguard.issuance

violation contains {"policy": "long", "severity": "low", "message": "too long", "break_glass": "never"} if {
	input.hours > object.get(input.config, "hours", 8)
}

violation contains {"policy": "long", "severity": "low", "message": "two", "break_glass": {"approvals": 2}} if input.verb == "evict"
`

const (
	pleaAllow = `{"name": "short", "expect": "allow", "question": {"hours": 1}}`
	pleaDeny  = `{"name": "long", "expect": "deny", "question": {"hours": 9, "config": {}}}`
)

// pleaSource is a folder with one policy and canaries.
func pleaSource(rego string, canaries ...string) []engine.Source {
	files := fstest.MapFS{"p.rego": {Data: []byte(rego)}}
	for i, c := range canaries {
		files["canary_"+string(rune('a'+i))+".json"] = &fstest.MapFile{Data: []byte(c)}
	}
	return []engine.Source{{Name: "own", FS: files}}
}

func TestASetOfAnotherContractJudgesItsOwnInputAndNoOther(t *testing.T) {
	set, err := engine.Compile(t.Context(), pleaSource(pleaPolicies, pleaAllow, pleaDeny), pleas(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []operation.Violation{{Policy: "long", Severity: operation.Low, Message: "too long", BreakGlass: operation.BreakGlass{Never: true}}}
	for name, input := range map[string]any{"a value": plea{Hours: 9}, "a pointer": &plea{Hours: 9}} {
		got, err := set.EvaluateInput(t.Context(), input, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: violations (-want +got):\n%s", name, diff)
		}
	}
	for name, input := range map[string]any{"nothing": nil, "no value": (*plea)(nil), "an operation": operation.Input{}, "a text": "x"} {
		if got, err := set.EvaluateInput(t.Context(), input, time.Time{}); err == nil {
			t.Errorf("%s: got %v and no error", name, got)
		}
	}
	if got, err := set.Evaluate(t.Context(), &operation.Operation{}, nil); err == nil {
		t.Errorf("an operation: got %v and no error", got)
	}
}

func TestEveryKindOfFieldIsSeenAsTheSchemaSays(t *testing.T) {
	const rego = `package mollyguard.issuance

violation contains {"policy": "whole", "severity": "low", "message": json.marshal(_whole(input)), "break_glass": "never"} if input.hours > 0

_whole(x) := x
`
	config := map[string]any{"list": []any{"a", 1, nil}, "map": map[string]any{"x": true}}
	set, err := engine.Compile(t.Context(), pleaSource(rego, strings.Replace(pleaAllow, "1", "0", 1), pleaDeny), pleas(t, config))
	if err != nil {
		t.Fatal(err)
	}
	bob := operation.Actor{Identity: operation.Identity{Name: "bob", Kind: operation.Human}, Groups: []string{"sre"}}
	const bobJSON = `{"credential":"","groups":["sre"],"kind":"human","name":"bob","uid":"","via":""}`
	const nobodyJSON = `{"credential":"","groups":[],"kind":"","name":"","uid":"","via":""}`
	for _, tt := range []struct {
		name  string
		input plea
		want  string
	}{
		{
			"all of it",
			plea{
				Time: time.Date(2026, 11, 21, 4, 12, 47, 0, time.FixedZone("", 3600)), Verb: operation.Delete, Verbs: []operation.Verb{operation.Evict},
				Hours: 3, By: bob, Judge: &bob, Others: []operation.Actor{bob, bob}, Hidden: []operation.Secret{operation.NewSecret("s")},
			},
			`{"by":` + bobJSON + `,"config":{"list":["a",1,null],"map":{"x":true}},"hours":3,"judge":` + bobJSON + `,"others":[` + bobJSON + `,` + bobJSON + `],` +
				`"time":"2026-11-21T03:12:47Z","verb":"delete","verbs":["evict"]}`,
		},
		{
			"as little as there can be, and a config that is not the configured one",
			plea{Hours: 1, Config: map[string]any{"forged": true}},
			`{"by":` + nobodyJSON + `,"config":{"list":["a",1,null],"map":{"x":true}},"hours":1,"judge":null,"others":[],"time":"0001-01-01T00:00:00Z","verb":"","verbs":[]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := set.EvaluateInput(t.Context(), tt.input, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 {
				t.Fatalf("violations: %+v", got)
			}
			if diff := cmp.Diff(tt.want, got[0].Message); diff != "" {
				t.Errorf("input (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnotherContractIsAsStrict(t *testing.T) {
	rule := func(body string) string {
		return "package mollyguard.issuance\n\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\", \"break_glass\": \"never\"} if {\n\t" + body + "\n}\n"
	}
	good := rule("input.hours > 8")
	for _, tt := range []struct {
		name, rego string
		canaries   []string
		want       string
	}{
		{"a field of operations", rule("input.production.is"), nil, "own/p.rego:4: undefined ref: input.production.is: input has no field"},
		{"a misspelt field behind a pointer", rule(`input.judge.nmae == "x"`), nil, "own/p.rego:4: undefined ref: input.judge.nmae"},
		{"a misspelt field behind a pointer and a variable", rule("j := input.judge\n\tj != null\n\tj.nmae == \"x\""), nil, "own/p.rego:6: undefined ref: j.nmae"},
		{"a misspelt field in a list", rule(`input.others[_].nmae == "x"`), nil, "own/p.rego:4: undefined ref: input.others"},
		{"a misspelt constant", rule(`input.verb == "delte"`), nil, `own/p.rego:4: input.verb is never "delte"`},
		{"a misspelt constant behind a pointer", rule(`input.judge.kind == "humen"`), nil, `own/p.rego:4: input.judge.kind is never "humen"`},
		{"a misspelt constant in a list", rule(`"delte" in input.verbs`), nil, `own/p.rego:4: input.verbs is never "delte"`},
		{"a misspelt constant of an element", rule(`input.verbs[0] == "delte"`), nil, `own/p.rego:4: input.verbs[0] is never "delte"`},
		{"a misspelt constant of an element's field", rule(`input.others[_].kind == "humen"`), nil, `is never "humen"`},
		{"the package of operations", strings.Replace(good, "mollyguard.issuance", "mollyguard", 1), nil, "own/p.rego:1: package mollyguard is never evaluated: a policy's package is mollyguard.issuance"},
		{"configuration that is not set", rule(`input.config.team == "x"`), nil, "input.config.team is not set: set breakGlass.policies.config.team"},
		{"data that does not exist", rule(`data.limits.max > 1`), nil, "values for policies stand in breakGlass.policies.config"},
		{"the network", rule(`http.send({"method": "get", "url": "x"}).status_code == 200`), nil, "own/p.rego:4: undefined function http.send"},
		{"the clock", rule("time.now_ns() > 1"), nil, "own/p.rego:4: undefined function time.now_ns"},
		{"no canary", good, nil, "too few canaries"},
		{"a policy that fires in no canary", good + "\n" + strings.Replace(rule("input.hours > 10"), `package mollyguard.issuance`, "", 1), []string{pleaAllow, strings.Replace(pleaDeny, "9", "1", 1)}, `own/canary_b.json: canary "long" must be denied`},
		{"a canary of operations", good, []string{strings.Replace(pleaAllow, "question", "operation", 1)}, `own/canary_a.json: read canary: unknown field "operation"`},
		{"a canary with a misspelt field", good, []string{strings.Replace(pleaAllow, "hours", "huors", 1)}, `own/canary_a.json: read canary: json: unknown field "huors"`},
		{"a canary with a misspelt value", good, []string{`{"name": "x", "expect": "allow", "question": {"others": [{}, {"kind": "humen"}]}}`}, `read canary: question.others[1].kind is never "humen"`},
		{"a canary with a misspelt value behind a pointer", good, []string{`{"name": "x", "expect": "allow", "question": {"judge": {"kind": "humen"}}}`}, `read canary: question.judge.kind is never "humen"`},
		{"a canary about a policy that is not there", good, []string{`{"name": "x", "expect": "allow", "policies": ["q"]}`}, `canary "x" is about policy "q", which does not exist`},
		{"a canary that takes more approvals", good, []string{`{"name": "x", "expect": "allow", "approvals": 2}`}, `canary "x" must take 2 approvals, but the policies ask for 0`},
		{"canaries that look at one policy only", good, []string{pleaDeny, `{"name": "x", "expect": "allow", "policies": ["p"]}`}, `one that expects "allow" (0 found)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := engine.Compile(t.Context(), pleaSource(tt.rego, tt.canaries...), pleas(t, nil))
			if err == nil {
				t.Fatal("compiled")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got:  %v\nwant: …%s…", err, tt.want)
			}
		})
	}
}

func TestWhatMayBeNullCanBeComparedWithNull(t *testing.T) {
	const rego = `package mollyguard.issuance

violation contains {"policy": "unjudged", "severity": "low", "message": "m", "break_glass": "never"} if {
	input.judge == null
	input.hours > 8
}

violation contains {"policy": "unjudged", "severity": "low", "message": "m", "break_glass": "never"} if {
	judge := input.judge
	judge != null
	judge.name == input.by.name
	input.hours > 8
}
`
	if _, err := engine.Compile(t.Context(), pleaSource(rego, pleaAllow, pleaDeny), pleas(t, nil)); err != nil {
		t.Error(err)
	}
}

func TestWhereViolationsCanAskForApprovalsTheyAreNoRefusal(t *testing.T) {
	const two = `{"name": "two", "expect": "allow", "approvals": 2, "question": {"verb": "evict"}}`
	if _, err := engine.Compile(t.Context(), pleaSource(pleaPolicies, pleaAllow, pleaDeny, two), pleas(t, nil)); err != nil {
		t.Error(err)
	}
	const denied = `{"name": "two", "expect": "deny", "question": {"verb": "evict"}}`
	_, err := engine.Compile(t.Context(), pleaSource(pleaPolicies, pleaAllow, pleaDeny, denied), pleas(t, nil))
	if want := `canary "two" must be denied`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want …%s…", err, want)
	}
}

func TestACanaryWithAConfigHoldsWhateverIsConfigured(t *testing.T) {
	generous := pleas(t, map[string]any{"hours": 100})
	if _, err := engine.Compile(t.Context(), pleaSource(pleaPolicies, pleaAllow, pleaDeny), generous); err != nil {
		t.Error(err)
	}
	without := strings.Replace(pleaDeny, `, "config": {}`, "", 1)
	_, err := engine.Compile(t.Context(), pleaSource(pleaPolicies, pleaAllow, without), generous)
	if want := `canary "long" must be denied`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want …%s…", err, want)
	}
}

func TestAContractThatNoPolicyCouldBeAskedWithIsRefused(t *testing.T) {
	type odd struct {
		Ratio float64 `json:"ratio"`
	}
	type nested struct {
		Inner struct {
			Config map[string]any `json:"config"`
		} `json:"inner"`
	}
	for _, tt := range []struct {
		name     string
		contract engine.Contract
		want     string
	}{
		{"without an input", engine.Contract{Package: "p"}, "Package, Input (a struct), Canary and Config are required"},
		{"with an input that is no struct", engine.Issuing(reflect.TypeFor[string]()), "Package, Input (a struct), Canary and Config are required"},
		{"with a kind of field that policies cannot see", engine.Issuing(reflect.TypeFor[odd]()), "input.ratio: policies cannot be shown a float64"},
		{"with another map of anything", engine.Issuing(reflect.TypeFor[nested]()), "input.inner.config: policies cannot be shown a map[string]interface {}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := engine.Compile(t.Context(), pleaSource(pleaPolicies), engine.Options{Contract: tt.contract, Schema: policies.Schema()})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestEnginesOfTwoContractsShareARegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := engine.New(t.Context(), engine.Config{Sources: []engine.Source{embedded()}, Options: options, Registerer: registry}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(t.Context(), engine.Config{Sources: pleaSource(pleaPolicies, pleaAllow, pleaDeny), Options: pleas(t, nil), Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	if violations, err := e.EvaluateInput(t.Context(), plea{Hours: 9}, time.Time{}); err != nil || len(violations) != 1 {
		t.Errorf("EvaluateInput() = %v, %v", violations, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if strings.HasSuffix(family.GetName(), "_policies") {
			got[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if diff := cmp.Diff(map[string]float64{"mollyguard_policies": 31, "mollyguard_issuing_policies": 1}, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
