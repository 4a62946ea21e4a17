package tfplan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

func TestObjectsOfAClusterAreCalledAsTheAPIDoes(t *testing.T) {
	type result struct {
		Ref, Kind, Group, Resource, Namespace, Name, Cluster string
		Annotations                                          map[string]string
		Verb                                                 operation.Verb
		Changes, Unknown                                     []string
	}
	web := result{
		Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Group: "apps", Resource: "deployments",
		Namespace: "shop", Name: "web", Cluster: "prod-eu", Verb: operation.Delete,
	}
	with := func(change func(*result)) result { r := web; change(&r); return r }
	elsewhere := func(c *Change) { c.Address = "kubernetes_deployment.elsewhere" }
	for name, c := range map[string]struct {
		kind, before, after, sensitive string
		change                         func(*Change)
		want                           result
	}{
		"a typed object": {
			"kubernetes_deployment_v1", `{"metadata":[{"name":"web","namespace":"shop","annotations":{"a":"b","kubectl.kubernetes.io/last-applied-configuration":"{}"}}]}`, "", "", nil,
			with(func(r *result) { r.Annotations = map[string]string{"a": "b"} }),
		},
		"of a cluster that is not known": {
			"kubernetes_deployment", `{"metadata":[{"name":"web","namespace":"shop"}]}`, "", "", elsewhere,
			with(func(r *result) {
				r.Ref, r.Cluster = "terraform://lineage-1/kubernetes_deployment.elsewhere", ""
				r.Unknown = []string{"which cluster it is in"}
			}),
		},
		"of the cluster": {
			"kubernetes_namespace", `{"metadata":[{"name":"shop"}]}`, "", "", nil,
			result{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Resource: "namespaces", Name: "shop", Cluster: "prod-eu", Verb: operation.Delete},
		},
		"a manifest": {
			"kubernetes_manifest", `{"manifest":{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"}}}`, "", "", nil, web,
		},
		"a text": {
			"kubectl_manifest", `{"yaml_body":"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\n"}`, "", "", nil, web,
		},
		"a text that is sensitive, and one that is not": {
			"kubectl_manifest", `{"yaml_body":"x: y","yaml_body_parsed":"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"}`, "", `{"yaml_body":true}`, nil, web,
		},
		"a text that cannot be read": {
			"kubectl_manifest", `{"yaml_body":"{"}`, "", "", nil,
			result{Ref: "terraform://lineage-1/x.y", Kind: "kubectl_manifest", Resource: "kubectl_manifest", Name: "", Verb: operation.Delete, Unknown: []string{"which object of the cluster it is"}},
		},
		"a scaled manifest": {
			"kubernetes_manifest", `{"manifest":{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"replicas":3}}}`,
			`{"manifest":{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"replicas":0}}}`, "", nil,
			with(func(r *result) {
				r.Verb = operation.ScaleToZero
				r.Changes = []string{"it is scaled to zero (manifest.spec.replicas: 3 → 0)"}
			}),
		},
		"a scaled text": {
			"kubectl_manifest", `{"yaml_body_parsed":"{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 2}}"}`,
			`{"yaml_body_parsed":"{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 0}}"}`, "", nil,
			with(func(r *result) {
				r.Verb = operation.ScaleToZero
				r.Changes = []string{"it is scaled to zero (yaml_body_parsed.spec.replicas: 2 → 0)"}
			}),
		},
		"replicas as text": {
			"kubernetes_deployment", `{"metadata":[{"name":"web","namespace":"shop"}],"spec":[{"replicas":"3"}]}`,
			`{"metadata":[{"name":"web","namespace":"shop"}],"spec":[{"replicas":"0"}]}`, "", nil,
			with(func(r *result) {
				r.Verb = operation.ScaleToZero
				r.Changes = []string{"it is scaled to zero (spec.0.replicas: 3 → 0)"}
			}),
		},
		"a release": {
			"helm_release", `{"name":"web","namespace":"shop","metadata":{"name":"other"}}`, "", "", func(c *Change) { c.Provider = "registry.terraform.io/hashicorp/helm" },
			result{Ref: "k8s://prod-eu/helm.sh/releases/shop/web", Kind: "Release", Group: "helm.sh", Resource: "releases", Namespace: "shop", Name: "web", Cluster: "prod-eu", Verb: operation.Delete},
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := &Change{
				Kind: Planned, Address: "x.y", Type: c.kind, Provider: kube, Actions: tfjson.Actions{"delete"},
				Before: jsontext.Value(c.before), After: jsontext.Value(c.after), BeforeSensitive: jsontext.Value(c.sensitive),
			}
			if c.after != "" {
				change.Actions = tfjson.Actions{"update"}
			}
			if c.change != nil {
				c.change(change)
			}
			w := testWhole()
			w.Head.Providers["kubernetes:elsewhere"] = map[string]string{"config_context": "elsewhere"}
			w.Head.ProviderOf = map[string]string{"kubernetes_deployment.elsewhere": "kubernetes:elsewhere"}
			op, _, err := testMapper(t).Map(change, w)
			if err != nil {
				t.Fatal(err)
			}
			got := result{
				op.Target.Ref, op.Target.Kind, op.Target.Group, op.Target.Resource, op.Target.Namespace, op.Target.Name,
				op.Target.Cluster, op.Target.Annotations, op.Verb, op.Changes, op.Unknown,
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
