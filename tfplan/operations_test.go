package tfplan

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// held is a plan in memory.
type held struct {
	head    Head
	changes []*Change
	state   []*Resource
	err     error
	passes  int
}

func (h *held) Head() Head { return h.head }

func (h *held) Changes(context.Context) iter.Seq2[*Change, error] {
	return func(yield func(*Change, error) bool) {
		h.passes++
		for _, c := range h.changes {
			if !yield(c, nil) {
				return
			}
		}
		if h.err != nil {
			yield(nil, h.err)
		}
	}
}

func (h *held) State(context.Context) iter.Seq2[*Resource, error] {
	return func(yield func(*Resource, error) bool) {
		h.passes++
		for _, r := range h.state {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func destroy(kind, before string) *Change {
	return &Change{
		Kind: Planned, Address: kind + ".x", Mode: tfjson.ManagedResourceMode, Type: kind, Name: "x", Provider: google,
		Actions: tfjson.Actions{"delete"}, Before: jsontext.Value(before), After: jsontext.Value("null"),
	}
}

func there(address, kind, values string) *Resource {
	return &Resource{Address: address, Type: kind, Provider: google, Mode: tfjson.ManagedResourceMode, Values: jsontext.Value(values)}
}

func contained(kind string, count, production int, names ...string) operation.Dependents {
	return operation.Dependents{Kind: kind, Via: operation.Contained, Count: count, Production: production, Names: names}
}

func TestWhatLivesInAContainerGoesWithIt(t *testing.T) {
	for name, c := range map[string]struct {
		change *Change
		head   Head
		state  []*Resource
		want   []operation.Dependents
	}{
		"node pools of a cluster, by name and by id": {
			destroy("google_container_cluster", `{"name":"eu","project":"p","location":"l","id":"projects/p/locations/l/clusters/eu"}`), Head{},
			[]*Resource{
				there("google_container_node_pool.a", "google_container_node_pool", `{"name":"a","cluster":"eu","project":"p"}`),
				there("google_container_node_pool.b", "google_container_node_pool", `{"name":"b","cluster":"projects/p/locations/l/clusters/eu","labels":{"env":"prod"}}`),
				there("google_container_node_pool.c", "google_container_node_pool", `{"name":"c","cluster":"eu","project":"other"}`),
				there("google_container_node_pool.d", "google_container_node_pool", `{"name":"d","cluster":"projects/other/locations/l/clusters/eu"}`),
				there("google_container_node_pool.e", "google_container_node_pool", `{"name":"e"}`),
				{Address: "google_container_node_pool.f", Type: "google_container_node_pool", Mode: tfjson.DataResourceMode, Values: jsontext.Value(`{"cluster":"eu"}`)},
				{Address: "google_container_node_pool.g", Type: "google_container_node_pool", Deposed: "ab", Values: jsontext.Value(`{"cluster":"eu"}`)},
			},
			[]operation.Dependents{contained("NodePool", 2, 1, "google_container_node_pool.b", "google_container_node_pool.a")},
		},
		"everything in a project, by id and by number": {
			destroy("google_project", `{"project_id":"p","number":"123","name":"P"}`), Head{},
			[]*Resource{
				there("google_project.x", "google_project", `{"project_id":"p"}`),
				there("google_storage_bucket.a", "google_storage_bucket", `{"name":"a","project":"p"}`),
				there("google_storage_bucket.b", "google_storage_bucket", `{"name":"b","project":"123","labels":7}`),
				there("google_storage_bucket.c", "google_storage_bucket", `{"name":"c","project":"q"}`),
				there("acme_thing.d", "acme_thing", `{"project":"p"}`),
			},
			[]operation.Dependents{contained("Bucket", 2, 1, "google_storage_bucket.b", "google_storage_bucket.a"), contained("acme_thing", 1, 0, "acme_thing.d")},
		},
		"objects of a cluster, where the provider's context says so": {
			destroy("google_container_cluster", `{"name":"eu","project":"p","location":"l"}`),
			Head{Providers: map[string]map[string]string{"kubernetes": {"config_context": "gke_p_l_eu"}}},
			[]*Resource{
				{Address: "kubernetes_secret.a", Type: "kubernetes_secret", Provider: kube, Values: jsontext.Value(`{"metadata":[{"name":"a","labels":{"env":"prod"}}]}`)},
			},
			[]operation.Dependents{contained("Secret", 1, 1, "kubernetes_secret.a")},
		},
		"objects of a namespace, of the same cluster": {
			func() *Change {
				c := destroy("kubernetes_namespace_v1", `{"metadata":[{"name":"shop"}]}`)
				c.Provider = kube
				return c
			}(),
			Head{ProviderOf: map[string]string{"kubernetes_secret.b": "kubernetes:other"}},
			[]*Resource{
				{Address: "kubernetes_secret.a", Type: "kubernetes_secret", Provider: kube, Values: jsontext.Value(`{"metadata":[{"name":"a","namespace":"shop"}]}`)},
				{Address: "kubernetes_secret.b", Type: "kubernetes_secret", Provider: kube, Values: jsontext.Value(`{"metadata":[{"name":"a","namespace":"shop"}]}`)},
				{Address: "kubernetes_manifest.c", Type: "kubernetes_manifest", Provider: kube, Values: jsontext.Value(`{"manifest":{"metadata":{"namespace":"shop"}}}`)},
			},
			[]operation.Dependents{contained("Secret", 1, 0, "kubernetes_secret.a"), contained("kubernetes_manifest", 1, 0, "kubernetes_manifest.c")},
		},
		"more of a kind than are named": {
			destroy("google_storage_bucket", `{"name":"b"}`), Head{},
			[]*Resource{
				there("o.1", "google_storage_bucket_object", `{"bucket":"b"}`), there("o.2", "google_storage_bucket_object", `{"bucket":"b"}`),
				there("o.3", "google_storage_bucket_object", `{"bucket":"b"}`), there("o.4", "google_storage_bucket_object", `{"bucket":"b"}`),
				there("o.5", "google_storage_bucket_object", `{"bucket":"b"}`), there("o.6", "google_storage_bucket_object", `{"bucket":"b","labels":{"env":"prod"}}`),
			},
			[]operation.Dependents{contained("Object", 6, 1, "o.6", "o.1", "o.2", "o.3", "o.4")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.head.Managed, c.head.Destroys = len(c.state), 1
			p := &held{head: c.head, changes: []*Change{c.change}, state: c.state}
			var ops []operation.Operation
			for op, err := range operations(t.Context(), p, testMapper(t), *testWhole()) {
				if err != nil {
					t.Fatal(err)
				}
				ops = append(ops, op)
			}
			if len(ops) != 2 || ops[0].Target.Kind != operation.PlanKind {
				t.Fatalf("%d operations: %+v", len(ops), ops)
			}
			if diff := cmp.Diff(c.want, ops[1].Dependents); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhatWasLeftOutIsSaidInWords(t *testing.T) {
	w := *testWhole()
	w.Unsafe = []operation.Hazard{operation.Incomplete, operation.NoLock}
	var ops []operation.Operation
	for op, err := range operations(t.Context(), &held{head: Head{Managed: 85}}, testMapper(t), w) {
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	want := []operation.Operation{{
		Surface: operation.Terraform, Verb: operation.Unprotect, Phase: operation.Requested,
		Plan:    operation.Plan{Workspace: "default", Managed: 85, Unsafe: w.Unsafe},
		Target:  operation.Target{Reference: w.Plan, Resource: "plans", Within: w.Plan.Ref},
		Changes: []string{"changes were left for a later plan", "the state is not locked, and others may change it at the same time"},
	}}
	if diff := cmp.Diff(want, ops, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

func TestThePlanAsAWholeComesFirst(t *testing.T) {
	p := &held{head: Head{Managed: 85, Destroys: 52}, changes: []*Change{destroy("google_pubsub_schema", `{"name":"s","project":"p"}`)}}
	var ops []operation.Operation
	w := *testWhole()
	w.MaxDestroys, w.MaxShare = 20, 30
	for op, err := range operations(t.Context(), p, testMapper(t), w) {
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	plan := operation.Plan{Workspace: "default", Managed: 85, Destroys: 52, Share: 62, MaxDestroys: 20, MaxShare: 30}
	want := []operation.Operation{{
		Surface: operation.Terraform, Verb: operation.Delete, Phase: operation.Requested, Plan: plan,
		Target:  operation.Target{Reference: w.Plan, Resource: "plans", Within: w.Plan.Ref},
		Changes: []string{"removes 62 % (52 of 85) of what is managed"},
	}, {
		Surface: operation.Terraform, Verb: operation.Delete, Phase: operation.Requested, Plan: plan,
		Target: operation.Target{
			Reference: operation.Reference{Ref: "gcp://pubsub.googleapis.com/projects/p/schemas/s", Kind: "Schema", Name: "s"},
			Group:     "pubsub.googleapis.com", Resource: "google_pubsub_schema", Project: "p",
			Address: "google_pubsub_schema.x", Within: w.Plan.Ref,
		},
	}}
	if diff := cmp.Diff(want, ops); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAfterAnErrorNoOperationFollows(t *testing.T) {
	broken := errors.New("broken")
	p := &held{head: Head{}, changes: []*Change{destroy("acme_thing", `{}`)}, err: broken}
	count := 0
	var last error
	for _, err := range operations(t.Context(), p, testMapper(t), *testWhole()) {
		count++
		last = err
	}
	if count != 2 || !errors.Is(last, broken) {
		t.Errorf("%d, %v", count, last)
	}
	p.head.Destroys = 1
	for _, err := range operations(t.Context(), p, testMapper(t), *testWhole()) {
		if !errors.Is(err, broken) {
			t.Errorf("an operation of a broken plan: %v", err)
		}
	}
}

func TestAPlanIsReadNoMoreOftenThanNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		destroys int
		change   *Change
		passes   int
	}{
		"nothing goes":      {0, sql(nil, "update"), 1},
		"no container goes": {1, destroy("google_pubsub_schema", `{"name":"s"}`), 2},
		"a container goes":  {1, destroy("google_pubsub_topic", `{"name":"s"}`), 3},
	} {
		p := &held{head: Head{Destroys: c.destroys}, changes: []*Change{c.change}}
		for _, err := range operations(t.Context(), p, testMapper(t), *testWhole()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if p.passes != c.passes {
			t.Errorf("%s: %d passes", name, p.passes)
		}
	}
}

func TestWhatIsNotCountedIsUnknown(t *testing.T) {
	p := &held{head: Head{Destroys: maxContainers + 1}}
	for i := range maxContainers + 1 {
		c := destroy("google_pubsub_topic", `{"name":"t"}`)
		c.Address += strconv.Itoa(i)
		p.changes = append(p.changes, c)
	}
	var last operation.Operation
	for op, err := range operations(t.Context(), p, testMapper(t), *testWhole()) {
		if err != nil {
			t.Fatal(err)
		}
		if last.Unknown != nil {
			t.Errorf("%s: %q", last.Target.Address, last.Unknown)
		}
		last = op
	}
	if diff := cmp.Diff([]string{"what lives in it (the plan destroys too much to count)"}, last.Unknown); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestADocumentBecomesOperations(t *testing.T) {
	text := []byte(`{"format_version":"1.2","terraform_version":"1.14.0","complete":true,
"resource_changes":[{"address":"terraform_data.shop","mode":"managed","type":"terraform_data","name":"shop","provider_name":"terraform.io/builtin/terraform",
 "change":{"actions":["delete"],"before":{"id":"x","input":{"env":"prod"}},"after":null,"after_unknown":{},"before_sensitive":{"input":{}},"after_sensitive":false}}],
"prior_state":{"format_version":"1.0","values":{"root_module":{"resources":[{"address":"terraform_data.shop","mode":"managed","type":"terraform_data","name":"shop",
 "provider_name":"terraform.io/builtin/terraform","values":{"id":"x","input":{"env":"prod"}},"sensitive_values":{}}]}}}}`)
	d, err := Open(t.Context(), bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for op, err := range Operations(t.Context(), d, testMapper(t), *testWhole()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(op.Verb)+" "+op.Target.Ref+" "+op.Target.Labels["env"])
	}
	want := []string{"delete " + testWhole().Plan.Ref + " ", "delete terraform://lineage-1/terraform_data.shop prod"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
