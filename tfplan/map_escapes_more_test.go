package tfplan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

func inState(address, kind, values string) *Resource {
	return &Resource{Address: address, Type: kind, Provider: kube, Mode: tfjson.ManagedResourceMode, Values: jsontext.Value(values)}
}

func TestAnObjectInANamespaceOfProductionIsNoneOfNoLabels(t *testing.T) {
	const web = `{"metadata":[{"name":"web","namespace":"shop"}]}`
	const prod = `{"metadata":[{"name":"shop","labels":{"env":"prod"}}]}`
	unknown := []string{"the labels of namespace shop"}
	elsewhere := Head{
		Providers:  map[string]map[string]string{"kubernetes:elsewhere": {"config_context": "elsewhere"}},
		ProviderOf: map[string]string{"kubernetes_namespace.b": "kubernetes:elsewhere"},
	}
	for name, c := range map[string]struct {
		object  *Change
		head    Head
		state   []*Resource
		changes []*Change
		labels  map[string]string
		unknown []string
	}{
		"the state has it": {
			config("kubernetes_deployment", web), Head{}, []*Resource{inState("kubernetes_namespace.a", "kubernetes_namespace", prod)}, nil,
			map[string]string{"env": "prod"}, nil,
		},
		"the state has it as a manifest": {
			config("kubernetes_deployment", web), Head{},
			[]*Resource{inState("kubernetes_manifest.a", "kubernetes_manifest", `{"manifest":{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"env":"prod"}}}}`)},
			nil, map[string]string{"env": "prod"}, nil,
		},
		"the state has it as a text": {
			config("kubernetes_deployment", web), Head{},
			[]*Resource{inState("kubectl_manifest.a", "kubectl_manifest", `{"yaml_body":"{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {env: prod}}}"}`)},
			nil, map[string]string{"env": "prod"}, nil,
		},
		"the object is a text": {
			config("kubectl_manifest", `{"yaml_body":"{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: shop}}"}`), Head{},
			[]*Resource{inState("kubernetes_namespace.a", "kubernetes_namespace", prod)}, nil, map[string]string{"env": "prod"}, nil,
		},
		"the object is a release": {
			config("helm_release", `{"name":"web","namespace":"shop"}`), Head{},
			[]*Resource{inState("kubernetes_namespace.a", "kubernetes_namespace", prod)}, nil, map[string]string{"env": "prod"}, nil,
		},
		"it loses its label in the same plan": {
			config("kubernetes_deployment", web), Head{}, nil,
			[]*Change{func() *Change {
				c := at("kubernetes_namespace.a", "", config("kubernetes_namespace", prod), "update")
				c.After = jsontext.Value(`{"metadata":[{"name":"shop","labels":{}}]}`)
				return c
			}()},
			map[string]string{"env": "prod"}, nil,
		},
		"nobody has it": {config("kubernetes_deployment", web), Head{}, nil, nil, nil, unknown},
		"another is there": {
			config("kubernetes_deployment", web), Head{}, []*Resource{inState("kubernetes_namespace.a", "kubernetes_namespace", `{"metadata":[{"name":"blog","labels":{"env":"prod"}}]}`)},
			nil, nil, unknown,
		},
		"something else of its name is there": {
			config("kubernetes_deployment", web), Head{}, []*Resource{inState("kubernetes_secret.a", "kubernetes_secret", `{"metadata":[{"name":"shop","labels":{"env":"dev"}}]}`)},
			nil, nil, unknown,
		},
		"that of another cluster is there": {
			config("kubernetes_deployment", web), elsewhere, []*Resource{inState("kubernetes_namespace.b", "kubernetes_namespace", prod)}, nil, nil, unknown,
		},
		"a decoy says otherwise": {
			config("kubernetes_deployment", web), Head{}, []*Resource{
				inState("kubernetes_namespace.a", "kubernetes_namespace", prod),
				inState("kubernetes_manifest.a", "kubernetes_manifest", `{"manifest":{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"env":"dev"}}}}`),
			}, nil, map[string]string{"env": "dev"}, unknown,
		},
		"two know some of its labels each": {
			config("kubernetes_deployment", web), Head{}, []*Resource{
				inState("kubernetes_namespace.a", "kubernetes_namespace", prod),
				inState("kubernetes_manifest.a", "kubernetes_manifest", `{"manifest":{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"team":"a"}}}}`),
			}, nil, map[string]string{"env": "prod", "team": "a"}, nil,
		},
		"its labels are sensitive": {
			config("kubernetes_deployment", web), Head{}, []*Resource{func() *Resource {
				r := inState("kubernetes_namespace.a", "kubernetes_namespace", prod)
				r.Sensitive = jsontext.Value(`{"metadata":[{"labels":true}]}`)
				return r
			}()}, nil, nil, unknown,
		},
		"the object hides its namespace": {
			func() *Change {
				c := config("kubernetes_deployment", web)
				c.BeforeSensitive = jsontext.Value(`{"metadata":[{"namespace":true}]}`)
				return c
			}(), Head{}, nil, nil, nil, []string{"its namespace"},
		},
		"a manifest hides its namespace": {
			func() *Change {
				c := config("kubernetes_manifest", `{"manifest":{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"shop"}}}`)
				c.BeforeSensitive = jsontext.Value(`{"manifest":{"metadata":{"namespace":true}}}`)
				return c
			}(), Head{}, nil, nil, nil, []string{"its namespace"},
		},
		"it is in none": {config("kubernetes_node_taint", `{"metadata":[{"name":"n"}]}`), Head{}, nil, nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := escapes(t, strictMapper(t, nil), &held{head: c.head, state: c.state, changes: append(c.changes, c.object)})
			if diff := cmp.Diff(c.labels, got.NamespaceLabels); diff != "" {
				t.Errorf("labels (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.unknown, got.Unknown); diff != "" {
				t.Errorf("unknown (-want +got)\n%s", diff)
			}
		})
	}
	t.Run("labels of namespaces do not count", func(t *testing.T) {
		m := strictMapper(t, func(o *MapperOptions) { o.NamespaceLabelsCount = false })
		p := &held{changes: []*Change{config("kubernetes_deployment", web)}}
		if got := escapes(t, m, p); got.Unknown != nil || p.passes != 1 {
			t.Errorf("%q, %d passes", got.Unknown, p.passes)
		}
	})
}

func TestMollyguardIsNotWeakenedInPlace(t *testing.T) {
	own := `{"metadata":[{"name":"mollyguard","namespace":"mollyguard"}],"spec":[{"replicas":3,"template":[{"image":"a"}]}]}`
	change := at("kubernetes_deployment.x", "", config("kubernetes_deployment", own), "update")
	change.After = jsontext.Value(`{"metadata":[{"name":"mollyguard","namespace":"mollyguard"}],"spec":[{"replicas":3,"template":[{"image":"evil"}]}]}`)
	m := strictMapper(t, func(o *MapperOptions) { o.NamespaceLabelsCount = false })
	op, judged, err := m.Map(change, testWhole())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"mollyguard guards or sees with it, and it is changed"}; !judged || !op.Target.Own || op.Verb != operation.Unprotect || !cmp.Equal(want, op.Changes) {
		t.Errorf("judged %t, own %t: %s %q", judged, op.Target.Own, op.Verb, op.Changes)
	}
	change.Actions = tfjson.Actions{"delete"}
	if op, _, err = m.Map(change, testWhole()); err != nil || !op.Target.Own || op.Verb != operation.Delete {
		t.Errorf("own %t: %s, %v", op.Target.Own, op.Verb, err)
	}
	change.Before = jsontext.Value(`{"metadata":[{"name":"web","namespace":"shop"}]}`)
	if op, _, err = m.Map(change, testWhole()); err != nil || op.Target.Own {
		t.Errorf("own %t, %v", op.Target.Own, err)
	}
}

func TestALabelOfProductionDoesNotYieldToAnother(t *testing.T) {
	both := func(set map[string]string) bool {
		return set["env"] == "prod" && set["tier"] == "1" && set["dev"] == ""
	}
	fold := Rules{Providers: []string{"acme"}, FoldLabels: true}
	for name, c := range map[string]struct {
		before string
		marked func(map[string]string) bool
		want   map[string]string
	}{
		"the other place comes later":       {`{"labels":{"env":"prod"},"tags":{"env":"dev"}}`, isProduction, map[string]string{"env": "prod"}},
		"the other place comes first":       {`{"labels":{"env":"dev"},"tags":{"env":"prod"}}`, isProduction, map[string]string{"env": "prod"}},
		"the capital one is of production":  {`{"tags":{"Env":"prod","env":"dev"}}`, isProduction, map[string]string{"Env": "prod", "env": "prod"}},
		"the small one is of production":    {`{"tags":{"Env":"dev","env":"prod"}}`, isProduction, map[string]string{"Env": "dev", "env": "prod"}},
		"two labels of one place":           {`{"labels":{"env":"prod","tier":"1"},"tags":{"env":"prod","tier":"2"}}`, both, map[string]string{"env": "prod", "tier": "1"}},
		"one that another place forbids":    {`{"labels":{"env":"prod","tier":"1"},"tags":{"dev":"x"}}`, both, map[string]string{"env": "prod", "tier": "1"}},
		"two spellings of two labels":       {`{"tags":{"Env":"prod","env":"dev","Tier":"2","tier":"1"}}`, both, map[string]string{"Env": "prod", "env": "prod", "Tier": "2", "tier": "1"}},
		"nothing is of production":          {`{"labels":{"Env":"dev"},"tags":{"env":"test"}}`, isProduction, map[string]string{"Env": "dev", "env": "test"}},
		"the value is written in capitals":  {`{"tags":{"ENV":"Prod"}}`, isProduction, map[string]string{"ENV": "Prod", "env": "prod"}},
		"nobody says what is of production": {`{"labels":{"env":"prod"},"tags":{"env":"dev"}}`, nil, map[string]string{"env": "dev"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := strictMapper(t, func(o *MapperOptions) { o.Rules, o.Marked = append(o.Rules, fold), c.marked })
			change := destroy("acme_thing", c.before)
			change.Provider = "example.com/acme/acme"
			if diff := cmp.Diff(c.want, escapes(t, m, &held{changes: []*Change{change}}).Labels); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("too many spellings", func(t *testing.T) {
		change := destroy("acme_thing", `{"tags":{"A":"1","a":"2","B":"1","b":"2","C":"1","c":"2","D":"1","d":"2","E":"1","e":"2","F":"1","f":"2","G":"1","g":"2"}}`)
		change.Provider = "example.com/acme/acme"
		m := strictMapper(t, func(o *MapperOptions) { o.Rules = append(o.Rules, fold) })
		if diff := cmp.Diff([]string{"labels (keys are written in too many ways)"}, escapes(t, m, &held{changes: []*Change{change}}).Unknown); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestAForkUnderAnotherProvidersNameDoesNotHideLabels(t *testing.T) {
	change := destroy("google_container_node_pool", `{"name":"a","project":"p","resource_labels":{"env":"prod"}}`)
	change.Provider = "registry.terraform.io/x/azurerm"
	if diff := cmp.Diff(map[string]string{"env": "prod"}, escapes(t, strictMapper(t, nil), &held{changes: []*Change{change}}).Labels); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDataKeepsItsLabelsInItsOutput(t *testing.T) {
	change := destroy("terraform_data", `{"id":"x","input":null,"output":{"env":"prod"}}`)
	change.Provider = builtin
	if diff := cmp.Diff(map[string]string{"env": "prod"}, escapes(t, strictMapper(t, nil), &held{changes: []*Change{change}}).Labels); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProgramsThatRunBesideThePlanAreToldOf(t *testing.T) {
	head := func(destroys, externals int) Head {
		return Head{
			Managed: 8, Destroys: destroys, Externals: externals,
			Provisioned: map[string]bool{"module.m.null_resource.x": true},
		}
	}
	runner := func(key string, actions ...tfjson.Action) *Change {
		c := destroy("null_resource", `{"id":"1"}`)
		c.Address, c.Actions = `module.m["a"].null_resource.x[`+key+`]`, actions
		if actions[0] == "update" {
			c.After = c.Before
		}
		if actions[0] == "create" && len(actions) == 1 {
			c.Before, c.After = jsontext.Value("null"), jsontext.Value(`{}`)
		}
		return c
	}
	const words = "programs run that are not judged (provisioners)"
	for name, c := range map[string]struct {
		head    Head
		changes []*Change
		want    escaped
	}{
		"on creation": {
			head(0, 0), []*Change{runner("0", "create")},
			escaped{Verb: operation.Unprotect, Changes: []string{words, "1 resource runs provisioners"}, Unsafe: []string{"provisioners"}},
		},
		"on creation, replacement and destruction": {
			head(0, 0), []*Change{runner("0", "create"), runner("1", "create"), runner("2", "create")},
			escaped{Verb: operation.Unprotect, Changes: []string{words, "3 resources run provisioners"}, Unsafe: []string{"provisioners"}},
		},
		"in data that is read": {
			head(0, 2), nil,
			escaped{Verb: operation.Unprotect, Changes: []string{words, "2 data sources run programs (external)"}, Unsafe: []string{"provisioners"}},
		},
		"in one data source": {
			head(0, 1), nil,
			escaped{Verb: operation.Unprotect, Changes: []string{words, "1 data source runs a program (external)"}, Unsafe: []string{"provisioners"}},
		},
		"not on updates, nor when it is forgotten or elsewhere": {
			head(0, 0), []*Change{runner("0", "update"), func() *Change { c := runner("1", "create"); c.Address = "null_resource.x"; return c }()}, escaped{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, escapes(t, strictMapper(t, nil), &held{head: c.head, changes: c.changes})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("of what goes", func(t *testing.T) {
		p := &held{head: head(3, 0), changes: []*Change{runner("0", "delete"), runner("1", "delete", "create"), runner("2", "forget")}}
		for op, err := range operations(t.Context(), p, strictMapper(t, nil), *testWhole()) {
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"removes 38 % (3 of 8) of what is managed", words, "2 resources run provisioners"}
			if diff := cmp.Diff(want, op.Changes); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			break
		}
	})
}

func TestADataSourceExternalCountsWhereTheApplyReadsIt(t *testing.T) {
	for name, c := range map[string]struct {
		change Change
		want   bool
	}{
		"read":           {Change{Mode: tfjson.DataResourceMode, Type: "external", Actions: tfjson.Actions{"read"}}, true},
		"read before":    {Change{Mode: tfjson.DataResourceMode, Type: "external", Actions: tfjson.Actions{"no-op"}}, false},
		"another":        {Change{Mode: tfjson.DataResourceMode, Type: "http", Actions: tfjson.Actions{"read"}}, false},
		"no data source": {Change{Mode: tfjson.ManagedResourceMode, Type: "external", Actions: tfjson.Actions{"read"}}, false},
	} {
		if got := c.change.runsExternal(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
