package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
)

var options = engine.Options{Schema: policies.Schema()}

func embedded() engine.Source { return engine.Source{Name: "embedded", FS: policies.Embedded()} }

// own is a user's folder with one file.
func own(rego string) engine.Source {
	return engine.Source{Name: "own", FS: fstest.MapFS{"own.rego": {Data: []byte(rego)}, "canary_own.json": {Data: []byte(ownCanary)}}}
}

// ownCanary is an operation that the own policies of these tests fire on.
const ownCanary = `{"name": "own", "expect": "deny", "operation": {"source": {"uid": "canary"}, "target": {"name": "whole", "labels": {"freeze": "true"}}}}`

const freeze = `package mollyguard

violation contains {"policy": "freeze", "severity": "low", "message": message, "break_glass": "never"} if {
	input.target.labels.freeze == "true"
	message := sprintf("%s is frozen", [input.target.name])
}
`

func TestAProductionDeleteIsAViolationAndADevDeleteIsNot(t *testing.T) {
	set, err := engine.Compile(t.Context(), []engine.Source{embedded(), own(freeze)}, options)
	if err != nil {
		t.Fatal(err)
	}
	production := operation.Production{Is: true, Because: []string{"label env=production"}}
	productionDelete := operation.Violation{
		Policy: "production-delete", Severity: operation.High, BreakGlass: operation.BreakGlass{Approvals: 1},
		Message: "production must not be deleted",
	}
	frozen := operation.Violation{
		Policy: "freeze", Severity: operation.Low, BreakGlass: operation.BreakGlass{Never: true}, Message: "web is frozen",
	}
	target := operation.Target{Reference: operation.Reference{Name: "web"}, Labels: map[string]string{"freeze": "true"}}
	for _, tt := range []struct {
		name string
		op   operation.Operation
		want []operation.Violation
	}{
		{"a production delete", operation.Operation{Verb: operation.Delete, Production: production}, []operation.Violation{productionDelete}},
		{"a dev delete", operation.Operation{Verb: operation.Delete}, nil},
		{"a production update", operation.Operation{Verb: operation.Update, Production: production}, nil},
		{"an own policy", operation.Operation{Verb: operation.Update, Target: target}, []operation.Violation{frozen}},
		{"two policies, sorted", operation.Operation{Verb: operation.Delete, Production: production, Target: target}, []operation.Violation{frozen, productionDelete}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := set.Evaluate(t.Context(), &tt.op, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPolicyThatCouldSilentlyNotFireIsRefusedWithFileAndLine(t *testing.T) {
	rule := func(body string) string {
		return "package mollyguard\n\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\"} if {\n\t" + body + "\n}\n"
	}
	for _, tt := range []struct{ name, rego, want string }{
		{"a misspelt field", rule(`input.tarrget.name == "x"`), `own/own.rego:4: undefined ref: input.tarrget.name: input has no field "tarrget", it has actor,`},
		{"a misspelt field of a field", rule(`input.target.nmae == "x"`), `own/own.rego:4: undefined ref: input.target.nmae: input.target has no field "nmae", it has address, ancestors,`},
		{"a misspelt field behind a variable", rule("t := input.target\n\tt.nmae == \"x\""), `own/own.rego:5: undefined ref: t.nmae`},
		{"a misspelt field of the grant", rule(`input.grant.aprovals > 1`), `own/own.rego:4: undefined ref: input.grant.aprovals: input.grant has no field "aprovals", it has approvals, id`},
		{"a field that only exists in the message", "package mollyguard\n\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": input.target.nam} if input.dry_run\n", "own/own.rego:3: undefined ref: input.target.nam"},
		{"a misspelt verb", rule(`input.verb == "delte"`), `own/own.rego:4: input.verb is never "delte": it is one of delete, evict,`},
		{"a misspelt verb on the left", rule(`"delte" == input.verb`), `own/own.rego:4: input.verb is never "delte"`},
		{"a misspelt verb in a set", rule(`input.verb in {"delete", "evcit"}`), `own/own.rego:4: input.verb is never "evcit"`},
		{"a misspelt actor kind", rule(`input.actor.kind != "humen"`), `own/own.rego:4: input.actor.kind is never "humen"`},
		{"another package", "package mollygaurd\n\nviolation contains 1 if true\n", "own/own.rego:1: package mollygaurd is never evaluated"},
		{"another rule", strings.Replace(rule("true"), "violation", "violations", 1), "own/own.rego:3: rule violations is never evaluated"},
		{"a violation that is no set", "package mollyguard\n\nviolation := {\"policy\": \"p\"} if input.dry_run\n", "own/own.rego:3: violation is a set"},
		{"a policy without a constant name", strings.Replace(rule("true"), `"p"`, "input.verb", 1), "own/own.rego:3: the violation needs a constant name"},
		{"data that does not exist", rule(`data.limits.max > 1`), "own/own.rego:4: data.limits.max does not exist"},
		{"a helper of the wrong package", rule(`data.mollyguard.lib._prod`), "own/own.rego:4: data.mollyguard.lib._prod does not exist"},
		{"configuration that is not set, deeper", rule(`input.config.limits.kinnds == "x"`), "own/own.rego:4: input.config.limits is not set"},
		{"configuration that is not set", rule(`input.config.team == "x"`), "own/own.rego:4: input.config.team is not set"},
		{"the network", rule(`http.send({"method": "get", "url": "http://127.0.0.1"}).status_code == 200`), "own/own.rego:4: undefined function http.send"},
		{"name resolution", rule(`net.lookup_ip_addr("x")`), "own/own.rego:4: undefined function net.lookup_ip_addr"},
		{"the environment", rule(`opa.runtime().env.HOME == "x"`), "own/own.rego:4: undefined function opa.runtime"},
		{"an unused variable", rule("x := 1"), "own/own.rego:4: assigned var x unused"},
		{"Rego before v1", "package mollyguard\n\nviolation[v] { v := 1 }\n", "own/own.rego:3: "},
		{"a syntax error", rule("input.verb =="), "own/own.rego:5: "},
		{"an empty file", "", "own/own.rego:1: "},
		{"a policy that is there already", strings.Replace(rule("input.dry_run"), `"p"`, `"production-delete"`, 1), `policy "production-delete" is defined in`},
		{"METADATA that speaks of another policy", "package mollyguard\n\n# METADATA\n# custom:\n#   policy: q\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\"} if input.dry_run\n", `METADATA calls the policy "q", the rule "p"`},
		{"a policy that denies what must be allowed", rule("true"), `must be allowed, but policy "p" says: m`},
		{"a malformed violation", strings.Replace(rule("input.production.is"), `"low"`, "input.verb", 1), "severity is not one of"},
		{"a misspelt severity", strings.Replace(rule("input.production.is"), `"low"`, `"lo"`, 1), `own/own.rego:3: severity "lo" is not one of low, medium, high, critical`},
		{"a break_glass that is none", strings.Replace(rule("input.production.is"), `"low"`, `"low", "break_glass": {"approvals": 0}`, 1), `own/own.rego:3: break_glass is neither`},
		{"a violation without a message", strings.Replace(rule("input.production.is"), `, "message": "m"`, "", 1), "own/own.rego:3: the violation has no message"},
		{"METADATA with another severity", "package mollyguard\n\n# METADATA\n# custom:\n#   severity: high\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\"} if input.dry_run\n", `METADATA says severity "high", the rule "low"`},
		{"an input that is replaced", rule("_h with input as {}") + "\n_h if input.dry_run\n", "own/own.rego:4: with input is for tests"},
		{"a schema that is replaced", "package mollyguard\n\n# METADATA\n# schemas:\n#   - input: {}\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\"} if input.tarrget\n", "METADATA sets schemas"},
		{"the clock", rule("time.now_ns() > 1"), "own/own.rego:4: undefined function time.now_ns"},
		{"a misspelt verb in a variable, which only a canary finds", rule(`v := "delet"` + "\n\tinput.verb == v"), `own/canary_own.json: canary "own" must be denied, but no policy fires`},
		{"a misspelt field by name, which only a canary finds", rule(`object.get(input, "tarrget", "") == "x"`), `own/canary_own.json: canary "own" must be denied, but no policy fires`},
		{"a message that mentions a label that is not there", rule(`input.target.name == "whole"` + "\n\tsprintf(\"%s\", [input.target.labels.owner]) != \"\""), `own/canary_own.json: canary "own" must be denied, but no policy fires`},
		{"a violation with a misspelt key", strings.Replace(rule("input.production.is"), `"message"`, `"mesage"`, 1), `own/own.rego:3: a violation has no "mesage"`},
		{"a built-in that fails", rule(`to_number(input.target.name) == 1`), "eval_builtin_error: to_number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := engine.Compile(t.Context(), []engine.Source{embedded(), own(tt.rego)}, options)
			if err == nil {
				t.Fatal("compiled")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got:  %v\nwant: …%s…", err, tt.want)
			}
		})
	}
}

func TestConfigurationThatIsSetCanBeRead(t *testing.T) {
	opts := options
	opts.Config = map[string]any{"limits": map[string]any{"kinds": "Pod"}}
	read := func(field string) error {
		_, err := engine.Compile(t.Context(), []engine.Source{embedded(), own("package mollyguard\n\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\"} if {\n\tinput.config.limits." + field + " == \"Pod\"\n\tinput.target.name == \"whole\"\n}\n")}, opts)
		return err
	}
	if err := read("kinds"); err != nil {
		t.Error(err)
	}
	if err, want := read("kinnds"), "own/own.rego:4: input.config.limits.kinnds is not set"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want …%s…", err, want)
	}
}

func TestFoldersThatHoldNoPoliciesAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		fs   fs.FS
		want string
	}{
		{"an empty folder", fstest.MapFS{}, "own: no policy in here"},
		{"a folder with only tests", fstest.MapFS{"a_test.rego": {Data: []byte("package a_test\n")}}, "own: no policy in here"},
		{"a file that is too large", fstest.MapFS{"a.rego": {Data: make([]byte, 1<<20+1)}}, "read policies from own: a.rego: larger than 1024 KiB"},
		{"too many files", manyFiles(1001), "read policies from own: more than 1000 policy files"},
		{"a folder that is not there", brokenFS{}, "read policies from own: "},
		{"a failing test", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "own_test.rego": {Data: []byte("package own_test\n\ntest_it if 1 == 2\n")}}, "own/own_test.rego:3: test_it failed"},
		{"a test that is never run", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "own_test.rego": {Data: []byte("package own_test\n\ntets_it if 1 == 2\n")}}, "own/own_test.rego:3: rule tets_it is never run"},
		{"a canary that keeps silent", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "canary_x.json": {Data: []byte(`{"name":"x","expect":"deny","operation":{}}`)}}, `own/canary_x.json: canary "x" must be denied, but no policy fires`},
		{"a test of something else", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "own_test.rego": {Data: []byte("package own_test\n\ntest_it if data.mollyguard.violation == 1 with data.mollyguard.violation as 1\n")}}, "own/own_test.rego:3: data.mollyguard.violation is replaced"},
		{"a policy whose name does not end in .rego", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "b.REGO": {}}, "b.REGO: not read: a policy's name ends in .rego"},
		{"a canary that is called otherwise", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "canary-x.json": {}}, "canary-x.json: not read: a policy's name ends in .rego, a canary's is canary_*.json"},
		{"data that nobody reads", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "data.json": {}}, "data.json: not read: "},
		{"a policy that no canary proves", fstest.MapFS{"own.rego": {Data: []byte(freeze)}}, `own/own.rego: policy "freeze" fires in no canary, so it may never fire: add a canary_*.json that expects "deny" because of it`},
		{"a canary with a misspelt field", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "canary_x.json": {Data: []byte(`{"name":"x","expect":"deny","operation":{"vreb":"delete"}}`)}}, `own/canary_x.json: read canary: json: unknown field "vreb"`},
		{"a canary that expects something else", fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "canary_x.json": {Data: []byte(`{"name":"x","expect":"maybe"}`)}}, `own/canary_x.json: read canary: expect is "maybe"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := engine.Compile(t.Context(), []engine.Source{embedded(), {Name: "own", FS: tt.fs}}, options)
			if err == nil {
				t.Fatal("compiled")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got:  %v\nwant: …%s…", err, tt.want)
			}
		})
	}
}

func TestAnOwnSetWithoutCanariesIsRefused(t *testing.T) {
	_, err := engine.Compile(t.Context(), []engine.Source{own(freeze)}, options)
	if want := "policies need a canary_*.json"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want …%s…", err, want)
	}
}

func TestAMountedConfigMapIsReadOnce(t *testing.T) {
	folder := fstest.MapFS{
		"own.rego":                       {Data: []byte(freeze)},
		"canary_own.json":                {Data: []byte(ownCanary)},
		"README.md":                      {Data: []byte("not a policy")},
		"..data/own.rego":                {Data: []byte(freeze)},
		"..2026_11_21_03_12_47/own.rego": {Data: []byte(freeze)},
	}
	set, err := engine.Compile(t.Context(), []engine.Source{embedded(), {Name: "own", FS: folder}}, options)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range set.Policies() {
		names = append(names, p.Name)
	}
	want := []string{
		"applier-widened", "autoscaler-of-production", "budget-of-production", "class-of-production", "cloud-resource", "configuration-of-production",
		"created-unprotected", "definition-holds-production", "freeze", "guard-impersonated", "guard-weakened", "identity-of-production",
		"mass-change", "namespace-holds-production", "node-of-production", "owner-of-production",
		"plan-at-large", "plan-container", "plan-partial", "plan-unsafe", "production-delete",
		"production-empty", "production-evict", "production-forget", "production-isolated", "production-replace", "production-scale-to-zero",
		"production-unknown", "production-unmediated", "production-unprotect", "traffic-to-production", "volume-of-production",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
}

func TestEveryEmbeddedPolicyIsDocumented(t *testing.T) {
	set, err := engine.Compile(t.Context(), []engine.Source{embedded()}, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Policies() {
		if p.Title == "" || p.Description == "" || p.Severity == "" || p.Runbook == "" {
			t.Errorf("%s: METADATA lacks title, description, custom.severity or custom.runbook: %+v", p.Name, p)
		}
		if _, err := fs.Stat(policies.Embedded(), strings.ReplaceAll(p.Name, "-", "_")+"_test.rego"); err != nil {
			t.Errorf("%s has no test beside it: %v", p.Name, err)
		}
	}
}

func TestPoliciesSeeWhatTheyMentionAndNothingElse(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		path       []string
		want       bool
	}{
		{"a field that is mentioned", `input.target.name == "x"`, []string{"target", "name"}, true},
		{"a field beside it", `input.target.name == "x"`, []string{"target", "annotations"}, false},
		{"a field below one that is mentioned", `count(input.target.annotations) > 3`, []string{"target", "annotations"}, true},
		{"a field behind a variable", "t := input.target\n\tt.name == \"x\"", []string{"target", "annotations"}, true},
		{"a field chosen at run time", `some k in ["name"]` + "\n\tinput.target[k] == \"x\"", []string{"target", "annotations"}, true},
		{"a field inside a reference", `input.target.labels[input.target.uid] == "x"`, []string{"target", "uid"}, true},
		{"the whole input as an argument", `_is(input)`, []string{"target", "annotations"}, true},
		{"the whole input in a comprehension", `count([x | x := input]) > 3`, []string{"target", "annotations"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rego := "package mollyguard\n\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\"} if {\n\t" + tt.body + "\n}\n\nviolation contains {\"policy\": \"p\", \"severity\": \"low\", \"message\": \"m\"} if input.source.uid == \"canary\"\n\n_is(i) if i.target.annotations.x == \"y\"\n"
			set, err := engine.Compile(t.Context(), []engine.Source{embedded(), own(rego)}, options)
			if err != nil {
				t.Fatal(err)
			}
			if got := set.Reads(tt.path...); got != tt.want {
				t.Errorf("Reads(%v) = %v", tt.path, got)
			}
		})
	}
}

func TestAPolicyThatReadsTheWholeInputSeesAllOfIt(t *testing.T) {
	const rego = `package mollyguard

violation contains {"policy": "p", "severity": "low", "message": json.marshal(_whole(input))} if input.target.name == "whole"

_whole(x) := x
`
	opts := options
	opts.Config = map[string]any{"max": 3, "teams": []any{"a"}}
	set, err := engine.Compile(t.Context(), []engine.Source{embedded(), own(rego)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	op := operation.Operation{
		Surface: operation.Kubernetes, Verb: operation.Update, Time: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC),
		Actor:      operation.Actor{Identity: operation.Identity{Name: "alice", Kind: operation.Human}, Groups: []string{"dev"}},
		Target:     operation.Target{Reference: operation.Reference{Name: "whole"}, Labels: map[string]string{"a": "b"}, Controlled: true, Ended: true},
		Dependents: []operation.Dependents{{Kind: "Pod", Via: operation.Owned, Count: 3, Production: 1, Names: []string{"web-1"}}},
		Volumes: []operation.Volume{
			{Claim: "shop/db", Name: "pv-1", ReclaimPolicy: "Delete", Production: true, Snapshot: "s", SnapshotTime: time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)},
			{Claim: "shop/cache"},
		},
		Covered: true,
		Recent:  operation.Recent{Count: 21, Namespaces: 3, Limit: 20, Seconds: 600},
	}
	got, err := set.Evaluate(t.Context(), &op, &operation.Grant{ID: "g", Approvals: 2})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"actor":{"credential":"","groups":["dev"],"kind":"human","name":"alice","uid":"","via":""},"changes":[],"config":{"max":3,"teams":["a"]},` +
		`"covered":true,"dependents":[{"count":3,"kind":"Pod","names":["web-1"],"production":1,"via":"owned"}],"dry_run":false,"grant":{"approvals":2,"id":"g"},"mediation":"",` +
		`"origin":{"delegation":[],"ip":"","reason":"","user_agent":""},"phase":"",` +
		`"plan":{"destroys":0,"managed":0,"max_destroys":0,"max_share":0,"share":0,"unsafe":[],"workspace":""},` +
		`"production":{"because":[],"is":false,"target":false},"recent":{"count":21,"limit":20,"namespaces":3,"seconds":600},"source":{"link":"","log":"","uid":""},"surface":"kubernetes",` +
		`"target":{"address":"","ancestors":[],"annotations":{},"cluster":"","container":false,"controlled":true,"created":false,"ended":true,"group":"","kind":"","labels":{"a":"b"},"location":"","name":"whole","namespace":"",` +
		`"namespace_labels":{},"own":false,"passes":"","previous_address":"","project":"","project_labels":{},"ref":"","resource":"","tags":{},"uid":"","widens":""},` +
		`"time":"2026-11-21T03:12:47Z","unknown":[],"verb":"update",` +
		`"volumes":[{"claim":"shop/db","name":"pv-1","production":true,"reclaim_policy":"Delete","snapshot":"s","snapshot_time":"2026-11-20T18:00:00Z","snapshots_unknown":false},` +
		`{"claim":"shop/cache","name":"","production":false,"reclaim_policy":"","snapshot":"","snapshot_time":"0001-01-01T00:00:00Z","snapshots_unknown":false}]}`
	if len(got) != 1 {
		t.Fatalf("violations: %+v", got)
	}
	if diff := cmp.Diff(want, got[0].Message); diff != "" {
		t.Errorf("input (-want +got):\n%s", diff)
	}
}

func TestAReloadThatFailsKeepsTheLastGoodSetAndSaysSo(t *testing.T) {
	folder := fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "canary_own.json": {Data: []byte(ownCanary)}}
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	e, err := engine.New(t.Context(), engine.Config{
		Sources: []engine.Source{embedded(), {Name: "own", FS: folder}}, Options: options,
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	good := e.Current()

	folder["own.rego"] = &fstest.MapFile{Data: []byte("package mollyguard\n\nviolation contains {")}
	if _, err := e.Reload(t.Context()); err == nil {
		t.Fatal("a broken file was reloaded")
	}
	if e.Current() != good {
		t.Error("the last good set was replaced")
	}
	if stale := e.Stale(); stale == nil || !strings.Contains(stale.Error(), "rejected at 2026-11-21T03:00:00Z") || !strings.Contains(stale.Error(), "own/own.rego:3") {
		t.Errorf("Stale() = %v", stale)
	}

	folder["own.rego"] = &fstest.MapFile{Data: []byte(strings.Replace(freeze, "frozen", "on ice", 1))}
	changed, err := e.Reload(t.Context())
	if err != nil || !changed {
		t.Fatalf("Reload() = %v, %v", changed, err)
	}
	if stale := e.Stale(); stale != nil {
		t.Errorf("still stale: %v", stale)
	}
	if changed, err := e.Reload(t.Context()); err != nil || changed {
		t.Errorf("a reload without a change: %v, %v", changed, err)
	}

	delete(folder, "own.rego")
	if _, err := e.Reload(t.Context()); err == nil {
		t.Error("a folder that lost its policies was accepted")
	}
}

func TestAnEvaluationThatTakesTooLongIsAnErrorAndNotAnAnswer(t *testing.T) {
	set, err := engine.Compile(t.Context(), []engine.Source{embedded()}, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	op := operation.Operation{Verb: operation.Delete, Production: operation.Production{Is: true}}
	if violations, err := set.Evaluate(ctx, &op, nil); err == nil {
		t.Errorf("got %v and no error", violations)
	}
}

func manyFiles(n int) fs.FS {
	folder := fstest.MapFS{}
	for i := range n {
		folder[fmt.Sprintf("f%d.rego", i)] = &fstest.MapFile{Data: []byte(freeze)}
	}
	return folder
}

type brokenFS struct{}

func has(set *engine.Set, policy string) bool {
	return slices.ContainsFunc(set.Policies(), func(p engine.Policy) bool { return p.Name == policy })
}

func TestPoliciesBehindLinkedFoldersAreRead(t *testing.T) {
	// What the kubelet makes of a ConfigMap item with the path sub/own.rego.
	folder := t.TempDir()
	inner := filepath.Join(folder, "..2026", "sub")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"own.rego": freeze, "canary_own.json": ownCanary} {
		if err := os.WriteFile(filepath.Join(inner, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"..data": "..2026", "sub": "..data/sub"} {
		if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	set, err := engine.Compile(t.Context(), []engine.Source{embedded(), {Name: "own", FS: os.DirFS(folder)}}, options)
	if err != nil {
		t.Fatal(err)
	}
	if !has(set, "freeze") {
		t.Errorf("freeze is not among %v", set.Policies())
	}
}

func TestAReloadThatIsNotAcceptedKeepsTheLastGoodSet(t *testing.T) {
	folder := fstest.MapFS{"own.rego": {Data: []byte(freeze)}, "canary_own.json": {Data: []byte(ownCanary)}}
	e, err := engine.New(t.Context(), engine.Config{
		Sources: []engine.Source{embedded(), {Name: "own", FS: folder}}, Options: options,
		Accept: func(set *engine.Set) error {
			if !has(set, "freeze") {
				return errors.New("freeze is gone")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	good := e.Current()
	folder["own.rego"] = &fstest.MapFile{Data: []byte(strings.Replace(freeze, `"freeze"`, `"frozen"`, 1))}
	for range 2 { // the second time it is known
		if _, err := e.Reload(t.Context()); err == nil || err.Error() != "freeze is gone" {
			t.Errorf("got %v", err)
		}
	}
	if e.Current() != good {
		t.Error("the last good set was replaced")
	}
}

func (brokenFS) Open(string) (fs.File, error) { return nil, errors.New("no such folder") }

func BenchmarkEvaluate(b *testing.B) {
	set, err := engine.Compile(b.Context(), []engine.Source{embedded()}, options)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name string
		op   operation.Operation
	}{
		{"denied", operation.Operation{Verb: operation.Delete, Production: operation.Production{Is: true}}},
		{"allowed", operation.Operation{Verb: operation.Delete}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Evaluate(b.Context(), &bb.op, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
