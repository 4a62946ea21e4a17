package tfplan

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// strictMapper is for a configuration that has every way to say what production is.
func strictMapper(t testing.TB, change func(*MapperOptions)) *Mapper {
	t.Helper()
	options := testMapper(t).options
	options.NamespaceLabelsCount, options.ProjectsCount = true, true
	options.Protected = func(address string) bool { return strings.HasPrefix(address, "module.prod.") }
	options.Own = func(target *operation.Target) bool { return target.Namespace == "mollyguard" }
	if change != nil {
		change(&options)
	}
	m, err := NewMapper(options)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// escaped is what is told of a change that was made to look harmless.
type escaped struct {
	Verb                     operation.Verb
	Previous, Cluster        string
	Labels, NamespaceLabels  map[string]string
	Changes, Unknown, Unsafe []string
}

// escapes maps a plan and returns what is told of its last operation, or of none.
func escapes(t *testing.T, m *Mapper, p *held) escaped {
	t.Helper()
	if p.head.Providers == nil {
		p.head.Providers = map[string]map[string]string{"google": {"project": "shop"}}
	}
	var got escaped
	for op, err := range operations(context.Background(), p, m, *testWhole()) {
		if err != nil {
			t.Fatal(err)
		}
		got = escaped{
			Verb: op.Verb, Previous: op.Target.PreviousAddress, Cluster: op.Target.Cluster, Labels: op.Target.Labels,
			NamespaceLabels: op.Target.NamespaceLabels, Changes: op.Changes, Unknown: op.Unknown,
		}
		for _, hazard := range op.Plan.Unsafe {
			got.Unsafe = append(got.Unsafe, string(hazard))
		}
	}
	return got
}

// at is a change of a resource at an address, which may have been at another.
func at(address, previous string, c *Change, actions ...tfjson.Action) *Change {
	c.Address, c.PreviousAddress, c.Actions = address, previous, actions
	if c.After == nil || string(c.After) == "null" {
		c.After = c.Before
	}
	return c
}

func config(kind, before string) *Change {
	c := destroy(kind, before)
	c.Provider = kube
	return c
}

func TestAMovedBlockDoesNotEscapeProductionByAddress(t *testing.T) {
	const old, prod = "module.old.acme_thing.x", "module.prod.acme_thing.x"
	thing := func() *Change { return destroy("acme_thing", `{"name":"x"}`) }
	for name, c := range map[string]struct {
		change *Change
		want   escaped
	}{
		"moved and destroyed": {
			at(old, prod, thing(), "delete"),
			escaped{Verb: operation.Delete, Previous: prod, Changes: []string{"it moves here from " + prod}},
		},
		"moved alone, to be destroyed by the next plan": {
			at(old, prod, thing(), "no-op"),
			escaped{Verb: operation.Unprotect, Previous: prod, Changes: []string{"it moves out of what is production by its address", "it moves here from " + prod}},
		},
		"moved with an update": {
			at(old, prod, thing(), "update"),
			escaped{Verb: operation.Unprotect, Previous: prod, Changes: []string{"it moves out of what is production by its address", "it moves here from " + prod}},
		},
		"moved within production":   {at("module.prod.acme_thing.y", prod, thing(), "no-op"), escaped{}},
		"moved into production":     {at(prod, old, thing(), "no-op"), escaped{}},
		"moved outside of it":       {at("acme_thing.y", old, thing(), "no-op"), escaped{}},
		"moved to where it is":      {at(prod, prod, thing(), "no-op"), escaped{}},
		"updated without a move":    {at(prod, "", thing(), "update"), escaped{}},
		"imported without a change": {func() *Change { c := at(prod, "", thing(), "no-op"); c.Importing = "x"; return c }(), escaped{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := escapes(t, strictMapper(t, nil), &held{changes: []*Change{c.change}})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhatMovedOutOfProductionStillCountsInItsContainer(t *testing.T) {
	p := &held{
		head: Head{Managed: 2, Destroys: 1},
		changes: []*Change{
			at("google_storage_bucket_object.moved", "module.prod.google_storage_bucket_object.x", destroy("google_storage_bucket_object", `{"bucket":"b"}`), "no-op"),
			destroy("google_storage_bucket", `{"name":"b","project":"shop"}`),
		},
		state: []*Resource{
			there("google_storage_bucket_object.moved", "google_storage_bucket_object", `{"bucket":"b"}`),
			there("module.prod.google_storage_bucket_object.y", "google_storage_bucket_object", `{"bucket":"b"}`),
			there("google_storage_bucket_object.z", "google_storage_bucket_object", `{"bucket":"b"}`),
		},
	}
	var last operation.Operation
	for op, err := range operations(t.Context(), p, strictMapper(t, nil), *testWhole()) {
		if err != nil {
			t.Fatal(err)
		}
		last = op
	}
	want := []operation.Dependents{contained("Object", 3, 2, "google_storage_bucket_object.moved", "module.prod.google_storage_bucket_object.y", "google_storage_bucket_object.z")}
	if diff := cmp.Diff(want, last.Dependents); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAMoveDoesNotTakeAnObjectIntoAnotherCluster(t *testing.T) {
	m := strictMapper(t, func(o *MapperOptions) {
		o.NamespaceLabelsCount = false
		o.Cluster = func(address string, provider map[string]string) string {
			switch {
			case strings.HasPrefix(address, "module.prod."):
				return "prod-eu"
			case provider["config_context"] == "nowhere":
				return ""
			}
			return "dev"
		}
		o.Protected = nil
	})
	const previous, now = "module.prod.kubernetes_secret.x", "module.old.kubernetes_secret.x"
	const words = "it counts to cluster dev by where it moves, and to cluster prod-eu by where it was"
	secret := `{"metadata":[{"name":"a"}]}`
	for name, c := range map[string]struct {
		change *Change
		head   Head
		want   escaped
	}{
		"destroyed": {
			at(now, previous, config("kubernetes_secret", secret), "delete"), Head{},
			escaped{Verb: operation.Delete, Previous: previous, Changes: []string{"it moves here from " + previous}, Unknown: []string{"which cluster it is in"}},
		},
		"moved alone": {
			at(now, previous, config("kubernetes_secret", secret), "no-op"), Head{},
			escaped{Verb: operation.Unprotect, Previous: previous, Changes: []string{words, "it moves here from " + previous}, Unknown: []string{"which cluster it is in"}},
		},
		"the provider's configuration by where it was": {
			at("kubernetes_secret.y", "kubernetes_secret.x", config("kubernetes_secret", secret), "delete"),
			Head{Providers: map[string]map[string]string{"kubernetes.x": {"config_context": "nowhere"}}, ProviderOf: map[string]string{"kubernetes_secret.x": "kubernetes.x"}},
			escaped{Verb: operation.Delete, Previous: "kubernetes_secret.x", Changes: []string{"it moves here from kubernetes_secret.x"}, Unknown: []string{"which cluster it is in"}},
		},
		"within a cluster": {at("kubernetes_secret.y", now, config("kubernetes_secret", secret), "no-op"), Head{}, escaped{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, escapes(t, m, &held{head: c.head, changes: []*Change{c.change}})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhatGoesOutOfTheConfigurationHasNoProviderThatIsGuessed(t *testing.T) {
	const source = "registry.terraform.io/hashicorp/google"
	two := map[string][]string{source: {"google", "google.prod"}}
	for name, c := range map[string]struct {
		before string
		head   Head
		want   []string // unknown
	}{
		"of two configurations": {
			`{"name":"s"}`, Head{Configurations: two, Providers: map[string]map[string]string{"google": {"project": "dev"}, "google.prod": {"project": "prod"}}},
			[]string{"which project it is in"},
		},
		"of two that say the same": {
			`{"name":"s"}`, Head{Configurations: two, Providers: map[string]map[string]string{"google": {"project": "dev"}, "google.prod": {"project": "dev"}}}, nil,
		},
		"of two, of which one does not say": {
			`{"name":"s"}`, Head{Configurations: two, Providers: map[string]map[string]string{"google": {"project": "dev"}}}, []string{"which project it is in"},
		},
		"of one with a name of its own": {
			`{"name":"s"}`, Head{Configurations: map[string][]string{source: {"gcp"}}, Providers: map[string]map[string]string{"gcp": {"project": "dev"}, "google": {}}}, nil,
		},
		"still in the configuration": {
			`{"name":"s"}`, Head{
				Configurations: two, ProviderOf: map[string]string{"google_pubsub_schema.x": "google"},
				Providers: map[string]map[string]string{"google": {"project": "dev"}, "google.prod": {"project": "prod"}},
			}, nil,
		},
		"no provider says it":      {`{"name":"s"}`, Head{Providers: map[string]map[string]string{}}, []string{"which project it is in"}},
		"the values say it":        {`{"name":"s","project":"dev"}`, Head{Providers: map[string]map[string]string{}}, nil},
		"the values hide it":       {`{"name":"s","project":"hidden"}`, Head{}, []string{"which project it is in"}},
		"what has a name hides it": {`{"name":"hidden","project":"dev"}`, Head{}, []string{"its name"}},
	} {
		t.Run(name, func(t *testing.T) {
			change := destroy("google_pubsub_schema", c.before)
			change.BeforeSensitive = jsontext.Value(`{}`)
			for _, key := range []string{"project", "name"} {
				if strings.Contains(c.before, `"`+key+`":"hidden"`) {
					change.BeforeSensitive = jsontext.Value(`{"` + key + `":true}`)
				}
			}
			if diff := cmp.Diff(c.want, escapes(t, strictMapper(t, nil), &held{head: c.head, changes: []*Change{change}}).Unknown); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("what is in no project", func(t *testing.T) {
		got := escapes(t, strictMapper(t, nil), &held{changes: []*Change{destroy("acme_thing", `{}`)}})
		if got.Unknown != nil {
			t.Errorf("%q", got.Unknown)
		}
	})
	t.Run("the cluster of one of two", func(t *testing.T) {
		m := strictMapper(t, func(o *MapperOptions) {
			o.NamespaceLabelsCount = false
			o.Cluster = func(_ string, provider map[string]string) string { return provider["config_context"] }
		})
		got := escapes(t, m, &held{
			head: Head{
				Configurations: map[string][]string{kube: {"kubernetes", "kubernetes.prod"}},
				Providers:      map[string]map[string]string{"kubernetes": {"config_context": "dev"}, "kubernetes.prod": {"config_context": "prod"}},
			},
			changes: []*Change{config("kubernetes_secret", `{"metadata":[{"name":"a"}]}`)},
		})
		if diff := cmp.Diff([]string{"which cluster it is in"}, got.Unknown); diff != "" || got.Cluster != "" {
			t.Errorf("cluster %q (-want +got)\n%s", got.Cluster, diff)
		}
	})
}
