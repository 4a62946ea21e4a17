package guard_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
)

func TestProductionIsJudgedByEveryRuleAndSaysBecauseOfWhat(t *testing.T) {
	namespaceLabels := func(labels map[string]string) func(*operation.Operation) {
		return func(op *operation.Operation) { op.Target.NamespaceLabels = labels }
	}
	in := func(namespace string) func(*operation.Operation) {
		return func(op *operation.Operation) { op.Target.Namespace = namespace }
	}
	named := func(name string) func(*operation.Operation) {
		return func(op *operation.Operation) { op.Target.Name = name }
	}
	env := func(value string) map[string]string { return map[string]string{"env": value} }
	byLabel := guard.ProductionRules{Selectors: productionLabels}
	byNamespaceLabel := guard.ProductionRules{NamespaceSelectors: productionLabels}
	// Everything is production that does not say otherwise.
	unlessDev := []string{"env notin (dev)"}

	for _, tt := range []struct {
		name  string
		rules guard.ProductionRules
		op    operation.Operation
		want  []string
	}{
		{"nothing is production without a rule", guard.ProductionRules{}, deleteWeb(labelled("production")), nil},

		{"a label", byLabel, deleteWeb(labelled("prod")), []string{"label env=prod"}},
		{"another value of the label", byLabel, deleteWeb(labelled("preprod")), nil},
		{"no labels", byLabel, deleteWeb(), nil},
		{
			"any of the selectors is enough", guard.ProductionRules{Selectors: []string{"tier=1", "env=prod"}},
			deleteWeb(labelled("prod")), []string{"label env=prod"},
		},
		{
			"all of a selector's labels are told", guard.ProductionRules{Selectors: []string{"env=prod,tier"}},
			deleteWeb(func(op *operation.Operation) { op.Target.Labels = map[string]string{"env": "prod", "tier": "1"} }),
			[]string{"label env=prod,tier=1"},
		},
		{"part of a selector's labels is not enough", guard.ProductionRules{Selectors: []string{"env=prod,tier"}}, deleteWeb(labelled("prod")), nil},
		{"a label that is not there", guard.ProductionRules{Selectors: unlessDev}, deleteWeb(), []string{"label env notin (dev)"}},
		{"a label of the namespace does not count as the object's", byLabel, deleteWeb(namespaceLabels(env("prod"))), nil},

		{"a label of the namespace", byNamespaceLabel, deleteWeb(namespaceLabels(env("prod"))), []string{"namespace shop has label env=prod"}},
		{"an object's own label does not count as the namespace's", byNamespaceLabel, deleteWeb(labelled("prod")), nil},
		{
			"the object's label and the namespace's", guard.ProductionRules{Selectors: productionLabels, NamespaceSelectors: productionLabels},
			deleteWeb(labelled("prod"), namespaceLabels(env("production"))),
			[]string{"label env=prod", "namespace shop has label env=production"},
		},
		{
			"a namespace without the label that would clear it", guard.ProductionRules{NamespaceSelectors: unlessDev},
			deleteWeb(namespaceLabels(map[string]string{"team": "a"})), []string{"namespace shop has label env notin (dev)"},
		},

		{"a Namespace by its own labels, as an object", byLabel, deleteWeb(ofNamespace("shop", env("prod"))), []string{"label env=prod"}},
		{"a Namespace by its own labels, as a namespace", byNamespaceLabel, deleteWeb(ofNamespace("shop", env("prod"))), []string{"label env=prod"}},
		{
			"a Namespace by both, told once", guard.ProductionRules{Selectors: productionLabels, NamespaceSelectors: productionLabels},
			deleteWeb(ofNamespace("shop", env("prod"))), []string{"label env=prod"},
		},
		{
			"a Namespace whose own label clears it", guard.ProductionRules{NamespaceSelectors: unlessDev},
			deleteWeb(ofNamespace("shop", env("dev"))), nil,
		},
		{
			"a cluster-scoped object has no namespace whose labels could count", guard.ProductionRules{NamespaceSelectors: unlessDev},
			deleteWeb(ofVolume("disk")), nil,
		},
		{
			"what another group calls namespaces is no Namespace", guard.ProductionRules{NamespaceSelectors: productionLabels},
			deleteWeb(ofNamespace("shop", env("prod")), func(op *operation.Operation) { op.Target.Group = "example.com" }), nil,
		},

		{
			"a namespace by its name", guard.ProductionRules{Namespaces: []string{"prod(-.*)?"}},
			deleteWeb(in("prod-eu")), []string{"namespace prod-eu is production by name"},
		},
		{"a namespace that only ends like it", guard.ProductionRules{Namespaces: []string{"prod(-.*)?"}}, deleteWeb(in("preprod")), nil},
		{"a namespace that only contains it", guard.ProductionRules{Namespaces: []string{"prod"}}, deleteWeb(in("preprod-x")), nil},
		{"a namespace that only contains one alternative", guard.ProductionRules{Namespaces: []string{"prod|live"}}, deleteWeb(in("prod-live")), nil},
		{
			"a Namespace by its own name", guard.ProductionRules{Namespaces: []string{"shop"}},
			deleteWeb(ofNamespace("shop", nil)), []string{"namespace shop is production by name"},
		},
		{"a cluster-scoped object is in no namespace", guard.ProductionRules{Namespaces: []string{".*"}}, deleteWeb(ofVolume("disk")), nil},

		{"an object by its name", guard.ProductionRules{Names: []string{"web.*"}}, deleteWeb(named("web-1")), []string{"name web-1 is production by name"}},
		{"a name that only contains it", guard.ProductionRules{Names: []string{"prod"}}, deleteWeb(named("preprod-x")), nil},

		{
			"the whole cluster", guard.ProductionRules{WholeCluster: true},
			deleteWeb(), []string{"the whole cluster is production (prod-eu)"},
		},
		{
			"the whole cluster, of no name", guard.ProductionRules{WholeCluster: true},
			deleteWeb(func(op *operation.Operation) { op.Target.Cluster = "" }), []string{"the whole cluster is production"},
		},

		{
			"a Terraform resource by its address", guard.ProductionRules{Addresses: []string{`module\.prod\..*`}},
			planned(), []string{"address module.prod.helm_release.web is production by name"},
		},
		{
			"an address that only contains it", guard.ProductionRules{Addresses: []string{`module\.prod\..*`}},
			planned(func(op *operation.Operation) { op.Target.Address = "module.x.module.prod.helm_release.web" }), nil,
		},
		{
			"what a plan moves away from such an address", guard.ProductionRules{Addresses: []string{`module\.prod\..*`}},
			planned(func(op *operation.Operation) {
				op.Target.Address, op.Target.PreviousAddress = "module.old.helm_release.web", "module.prod.helm_release.web"
			}),
			[]string{"address module.prod.helm_release.web is production by name"},
		},
		{"what has no address", guard.ProductionRules{Addresses: []string{".*"}}, deleteWeb(), nil},
		{
			"a Terraform workspace by its name", guard.ProductionRules{Workspaces: []string{"prod|live"}},
			planned(), []string{"workspace prod is production by name"},
		},
		{
			"a workspace that only contains it", guard.ProductionRules{Workspaces: []string{"prod|live"}},
			planned(func(op *operation.Operation) { op.Plan.Workspace = "prod-live" }), nil,
		},
		{"a workspace that is not known", guard.ProductionRules{Workspaces: []string{".*"}}, planned(func(op *operation.Operation) { op.Plan.Workspace = "" }), nil},
		{
			"the whole cluster, for what Terraform does in it", guard.ProductionRules{WholeCluster: true},
			planned(), []string{"the whole cluster is production (prod-eu)"},
		},
		{
			"the whole cluster, not for what Terraform does elsewhere", guard.ProductionRules{WholeCluster: true},
			planned(func(op *operation.Operation) { op.Target.Cluster = "" }), nil,
		},

		{
			"what is not known", byLabel,
			deleteWeb(labelled("dev"), func(op *operation.Operation) { op.Unknown = []string{"the labels of namespace shop"} }),
			[]string{"the labels of namespace shop, and unknown counts as production"},
		},
		{
			"every rule that says so",
			guard.ProductionRules{
				WholeCluster: true, Selectors: []string{"env=prod"}, NamespaceSelectors: []string{"env=live"},
				Namespaces: []string{"shop"}, Names: []string{"web"},
			},
			deleteWeb(labelled("prod"), namespaceLabels(env("live"))),
			[]string{
				"label env=prod", "namespace shop has label env=live", "namespace shop is production by name",
				"name web is production by name", "the whole cluster is production (prod-eu)",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Production: tt.rules})
			want := operation.Production{Is: tt.want != nil, Target: tt.want != nil, Because: tt.want}
			if diff := cmp.Diff(want, g.Decide(t.Context(), tt.op).Production); diff != "" {
				t.Errorf("production (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatDependsOnATargetMakesItTouchProductionAndSaysHow(t *testing.T) {
	dependents := func(list ...operation.Dependents) func(*operation.Operation) {
		return func(op *operation.Operation) { op.Dependents = list }
	}
	pods := func(via operation.Via) func(*operation.Operation) {
		return dependents(operation.Dependents{Kind: "Pod", Via: via, Count: 5, Production: 3})
	}
	for _, tt := range []struct {
		name   string
		change func(*operation.Operation)
		want   operation.Production
	}{
		{"nothing that is production", dependents(operation.Dependents{Kind: "Pod", Via: operation.Owned, Count: 2}), operation.Production{}},
		{
			"several kinds", dependents(
				operation.Dependents{Kind: "Pod", Via: operation.Contained, Count: 5, Production: 3},
				operation.Dependents{Kind: "Secret", Via: operation.Contained, Count: 2},
				operation.Dependents{Kind: "ConfigMap", Via: operation.Mounted, Count: 1, Production: 1},
			),
			operation.Production{Is: true, Because: []string{"3 production Pods would go with it", "1 production ConfigMap using it"}},
		},
		{
			"beside the target itself", func(op *operation.Operation) {
				labelled("prod")(op)
				pods(operation.Owned)(op)
			},
			operation.Production{Is: true, Target: true, Because: []string{"label env=prod", "3 production Pods would go with it"}},
		},
		{"contained", pods(operation.Contained), operation.Production{Is: true, Because: []string{"3 production Pods would go with it"}}},
		{"an instance", pods(operation.Instance), operation.Production{Is: true, Because: []string{"3 production Pods would go with it"}}},
		{"owned", pods(operation.Owned), operation.Production{Is: true, Because: []string{"3 production Pods would go with it"}}},
		{"bound", pods(operation.Bound), operation.Production{Is: true, Because: []string{"3 production Pods bound to it"}}},
		{"mounted", pods(operation.Mounted), operation.Production{Is: true, Because: []string{"3 production Pods using it"}}},
		{"selected", pods(operation.Selected), operation.Production{Is: true, Because: []string{"3 production Pods behind it"}}},
		{"scheduled", pods(operation.Scheduled), operation.Production{Is: true, Because: []string{"3 production Pods on it without a PodDisruptionBudget"}}},
		{"uses", pods(operation.Uses), operation.Production{Is: true, Because: []string{"3 production Pods naming it"}}},
		{"scaled", pods(operation.Scaled), operation.Production{Is: true, Because: []string{"3 production Pods scaled by it"}}},
		{"backs", pods(operation.Backs), operation.Production{Is: true, Because: []string{"3 production Pods in the cloud behind it"}}},
		{
			"data", func(op *operation.Operation) {
				op.Volumes = []operation.Volume{
					{Claim: "shop/data-0", Name: "pv-1", Production: true}, {Claim: "shop/data-1", Production: true}, {Name: "pv-3", Production: true},
					{Claim: "shop/data-4", Name: "pv-4"},
				}
			},
			operation.Production{Is: true, Because: []string{"volume pv-1, claim shop/data-0, is production", "claim shop/data-1 is production", "volume pv-3 is production"}},
		},
		{
			"data beside the target itself", func(op *operation.Operation) {
				labelled("prod")(op)
				op.Volumes = []operation.Volume{{Name: "pv-1", Production: true}}
			},
			operation.Production{Is: true, Target: true, Because: []string{"label env=prod"}},
		},
		{"data that is not", func(op *operation.Operation) { op.Volumes = []operation.Volume{{Claim: "shop/data-4", Name: "pv-4"}} }, operation.Production{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Production: guard.ProductionRules{Selectors: productionLabels}})
			if diff := cmp.Diff(tt.want, g.Decide(t.Context(), deleteWeb(tt.change)).Production); diff != "" {
				t.Errorf("production (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfflineUnknownIsListedButNotProduction(t *testing.T) {
	unknown := []string{"the labels of namespace shop (not among the given objects)"}
	op := deleteWeb(func(op *operation.Operation) { op.Unknown = unknown })
	for _, tt := range []struct {
		name    string
		offline bool
		want    operation.Production
	}{
		{"offline", true, operation.Production{}},
		{"in a cluster", false, operation.Production{Is: true, Target: true, Because: []string{unknown[0] + ", and unknown counts as production"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, guard.Options{Production: guard.ProductionRules{Selectors: productionLabels}, UnknownIsNotProduction: tt.offline})
			got := g.Decide(t.Context(), op)
			if diff := cmp.Diff(tt.want, got.Production); diff != "" {
				t.Errorf("production (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(unknown, got.Unknown); diff != "" {
				t.Errorf("unknown (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfflineWhatIsKnownToBeProductionStaysProduction(t *testing.T) {
	g := newGuard(t, guard.Options{Production: guard.ProductionRules{Selectors: productionLabels}, UnknownIsNotProduction: true})
	got := g.Decide(t.Context(), deleteWeb(labelled("prod"), func(op *operation.Operation) { op.Unknown = []string{"the rest"} }))
	want := operation.Production{Is: true, Target: true, Because: []string{"label env=prod"}}
	if diff := cmp.Diff(want, got.Production); diff != "" {
		t.Errorf("production (-want +got):\n%s", diff)
	}
}

// planned is what a Terraform plan would do in a cluster.
func planned(edits ...func(*operation.Operation)) operation.Operation {
	return deleteWeb(append([]func(*operation.Operation){func(op *operation.Operation) {
		op.Surface, op.Target.Address, op.Plan.Workspace = operation.Terraform, "module.prod.helm_release.web", "prod"
	}}, edits...)...)
}
