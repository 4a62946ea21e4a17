package guard_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
)

// TestEachNarrowingOfAnExemptionCountsByItself has one exemption for each field, what
// it covers, and what it nearly covers.
func TestEachNarrowingOfAnExemptionCountsByItself(t *testing.T) {
	type edit = func(*operation.Operation)
	everybody := []string{".*"}
	verbs := func(v operation.Verb, also ...operation.Verb) edit {
		return func(op *operation.Operation) { op.Verb, op.Also = v, also }
	}
	named := func(name string) edit { return func(op *operation.Operation) { op.Target.Name = name } }
	labels := func(set map[string]string) edit { return func(op *operation.Operation) { op.Target.Labels = set } }
	dependent := func(d operation.Dependents) edit {
		return func(op *operation.Operation) { op.Dependents = append(op.Dependents, d) }
	}
	with := func(via operation.Via, kind string) edit {
		return dependent(operation.Dependents{Kind: kind, Via: via, Count: 1, Production: 1})
	}
	for _, tt := range []struct {
		name       string
		exemption  guard.Exemption
		covers     []edit
		nearMisses []edit
	}{
		{
			"none", guard.Exemption{},
			[]edit{verbs(operation.Delete), verbs(operation.Empty, operation.Unprotect), by("ci", operation.Agent), named("")}, nil,
		},
		{
			"kinds of actors", guard.Exemption{ActorKinds: []operation.ActorKind{operation.Service, operation.Controller}},
			[]edit{by("ci", operation.Service), by("ci", operation.Controller)},
			[]edit{by("ci", operation.Human), by("ci", operation.Agent), by("ci", "")},
		},
		{
			"surfaces", guard.Exemption{Surfaces: []operation.Surface{operation.Kubernetes}},
			[]edit{func(*operation.Operation) {}},
			[]edit{func(op *operation.Operation) { op.Surface = operation.GCP }},
		},
		{
			"verbs, which all of an operation have to be among", guard.Exemption{Verbs: []operation.Verb{operation.Delete, operation.ScaleToZero}},
			[]edit{verbs(operation.Delete), verbs(operation.ScaleToZero), verbs(operation.ScaleToZero, operation.Delete)},
			[]edit{verbs(operation.Evict), verbs(operation.Unknown), verbs(operation.ScaleToZero, operation.Unprotect), verbs(operation.Unprotect, operation.ScaleToZero)},
		},
		{
			"names, which say nothing of what goes with the target", guard.Exemption{Names: []string{".*"}},
			[]edit{with(operation.Owned, "Pod"), with(operation.Owned, "PersistentVolumeClaim"), with(operation.Mounted, "Deployment"), dependent(operation.Dependents{Kind: "Deployment", Via: operation.Owned, Count: 1})},
			[]edit{with(operation.Owned, "Deployment"), with(operation.Contained, "ConfigMap"), with(operation.Instance, "Widget")},
		},
		{
			"no names, so whatever goes with the target", guard.Exemption{Verbs: []operation.Verb{operation.Delete}},
			[]edit{with(operation.Owned, "Deployment")}, nil,
		},
		{
			"groups", guard.Exemption{Groups: []string{"batch", "apps"}},
			[]edit{func(*operation.Operation) {}},
			[]edit{func(op *operation.Operation) { op.Target.Group = "" }, func(op *operation.Operation) { op.Target.Group = "apps.example.com" }},
		},
		{
			"the core group", guard.Exemption{Groups: []string{""}},
			[]edit{func(op *operation.Operation) { op.Target.Group = "" }},
			[]edit{func(*operation.Operation) {}},
		},
		{
			"kinds", guard.Exemption{Kinds: []string{"Deployment"}},
			[]edit{func(*operation.Operation) {}},
			[]edit{func(op *operation.Operation) { op.Target.Kind = "deployment" }, func(op *operation.Operation) { op.Target.Kind = "" }},
		},
		{
			"names, which are matched as a whole", guard.Exemption{Names: []string{`web-[0-9]+`, "a|b"}},
			[]edit{named("web-1"), named("web-17"), named("a"), named("b")},
			[]edit{named("web"), named("my-web-1"), named("web-1-db"), named("ab"), named("")},
		},
		{
			"labels", guard.Exemption{Selectors: []string{"owner=helm,status in (superseded,failed)", "scratch"}},
			[]edit{labels(map[string]string{"owner": "helm", "status": "failed"}), labels(map[string]string{"scratch": ""})},
			[]edit{labels(map[string]string{"owner": "helm", "status": "deployed"}), labels(map[string]string{"status": "failed"}), labels(nil)},
		},
		{
			"what a controller owns", guard.Exemption{Controlled: true},
			[]edit{func(op *operation.Operation) { op.Target.Controlled = true }},
			[]edit{func(*operation.Operation) {}},
		},
		{
			"all at once, of which each counts",
			guard.Exemption{ActorKinds: []operation.ActorKind{operation.Human}, Verbs: []operation.Verb{operation.Delete}, Names: []string{"web"}},
			[]edit{func(*operation.Operation) {}},
			[]edit{by("alice", operation.Agent), verbs(operation.Evict), named("db")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.exemption.Name, tt.exemption.Actors = "one", everybody
			g := newGuard(t, guard.Options{Evaluator: says("p"), Exempt: []guard.Exemption{tt.exemption}})
			for i, edit := range tt.covers {
				if d := g.Decide(t.Context(), deleteWeb(edit)); d.Outcome != operation.OutcomeAllow || d.Exempt != "one" {
					t.Errorf("%d: %s, exempt %q; want it covered", i, d.Outcome, d.Exempt)
				}
			}
			for i, edit := range tt.nearMisses {
				if d := g.Decide(t.Context(), deleteWeb(edit)); d.Outcome != operation.OutcomeDeny || d.Exempt != "" {
					t.Errorf("near miss %d: %s, exempt %q; want it denied", i, d.Outcome, d.Exempt)
				}
			}
		})
	}
}

func TestTheFirstExemptionThatCoversIsTheOneThatShows(t *testing.T) {
	g := newGuard(t, guard.Options{Evaluator: says("p"), Exempt: []guard.Exemption{
		{Name: "narrow", Actors: []string{"alice@.*"}, Names: []string{"db"}},
		{Name: "wide", Actors: []string{"alice@.*"}},
		{Name: "wider", Actors: []string{".*"}},
	}})
	var got []string
	for _, name := range []string{"db", "web"} {
		got = append(got, g.Decide(t.Context(), deleteWeb(func(op *operation.Operation) { op.Target.Name = name })).Exempt)
	}
	if diff := cmp.Diff([]string{"narrow", "wide"}, got); diff != "" {
		t.Errorf("exempt as (-want +got):\n%s", diff)
	}
}
