package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// deleted is a review of a deletion with options.
func deleted(t testing.TB, resource, old string, options map[string]any) request {
	t.Helper()
	c := updated(resource, "X", old, "").call(t)
	r, err := decode(recorded(map[string]any{
		"resource": map[string]any{"group": c.group, "version": "v1", "resource": c.resource},
		"name":     c.name, "namespace": c.namespace, "oldObject": c.old, "options": options,
	}), false)
	if err != nil {
		t.Fatal(err)
	}
	return r.request
}

func TestAQuestionHoldsWhatTheObjectSaysOfOthers(t *testing.T) {
	selector := func(text string) labels.Selector { return selectors(t, text)[0] }
	for _, tt := range []struct {
		name, resource, old string
		want                index.Question
	}{
		{"a Service selects pods", "/services", specText(`{"selector":{"app":"web"}}`), index.Question{Selector: selector("app=web")}},
		{"a Service without a selector selects none", "/services", specText(`{"selector":{}}`), index.Question{}},
		{"a budget covers pods", "policy/poddisruptionbudgets", specText(`{"selector":{"matchExpressions":[{"key":"app","operator":"In","values":["a","b"]}]}}`), index.Question{Selector: selector("app in (a,b)")}},
		{"a network policy is about all pods", networkPolicies, specText(`{"podSelector":{}}`), index.Question{Selector: labels.Everything()}},
		{"a network policy without a selector is about none", networkPolicies, specText(`{}`), index.Question{}},
		{"an autoscaler scales", "autoscaling/horizontalpodautoscalers", specText(`{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db"}}`),
			index.Question{Scales: &index.Reference{Resource: schema.GroupResource{Group: "apps", Resource: "statefulsets"}, Name: "db"}}},
		{"KEDA scales a Deployment unless told otherwise", "keda.sh/scaledobjects", specText(`{"scaleTargetRef":{"name":"web"}}`),
			index.Question{Scales: &index.Reference{Resource: schema.GroupResource{Group: "apps", Resource: "deployments"}, Name: "web"}}},
		{"an Ingress sends traffic", "networking.k8s.io/ingresses",
			specText(`{"defaultBackend":{"service":{"name":"z"}},"rules":[{"http":{"paths":[{"backend":{"service":{"name":"b"}}},{"backend":{"service":{"name":"z"}}},{"backend":{"resource":{"name":"r"}}}]}},{"host":"h"}]}`),
			index.Question{Backends: []string{"b", "z"}}},
		{"a binding binds a role to accounts", "rbac.authorization.k8s.io/rolebindings",
			`{"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"ServiceAccount","namespace":"ns","name":"sa"},{"kind":"User","name":"system:serviceaccount:a:b"},{"kind":"User","name":"alice"},{"kind":"Group","name":"system:serviceaccounts:c"},{"kind":"Group","name":"system:serviceaccounts"},{"kind":"Group","name":"devs"}]}`,
			index.Question{RoleKind: "Role", RoleName: "r", Accounts: []string{"*/*", "a/b", "c/*", "ns/sa"}}},
		{"an account without a namespace is in that of its binding", "rbac.authorization.k8s.io/rolebindings",
			`{"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"ServiceAccount","name":"web"}]}`,
			index.Question{RoleKind: "Role", RoleName: "r", Accounts: []string{"shop/web"}}},
		{"another object says nothing", "apps/deployments", specText(`{"selector":{"matchLabels":{"app":"web"}}}`), index.Question{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := deleted(t, tt.resource, tt.old, nil)
			tt.want.Resource = schema.GroupResource{Group: r.resource.group, Resource: r.resource.resource}
			tt.want.Namespace, tt.want.Name = "shop", "x"
			same := cmp.Comparer(func(a, b labels.Selector) bool {
				return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
			})
			if diff := cmp.Diff(tt.want, testMapper(t).question(&r), same); diff != "" {
				t.Errorf("question (-want +got):\n%s", diff)
			}
			if op, _, _ := testMapper(t).operation(&r); len(op.Unknown) > 0 {
				t.Errorf("unknown: %v", op.Unknown)
			}
		})
	}
}

func TestWhatCannotBeReadForAQuestionIsUnknown(t *testing.T) {
	r := deleted(t, "/services", specText(`{"selector":{"app":1}}`), nil)
	op, _, _ := testMapper(t).operation(&r)
	if diff := cmp.Diff([]string{"what depends on it (spec.selector.app is not a text)"}, op.Unknown); diff != "" {
		t.Error(diff)
	}
}

func TestADeletionSaysWhetherItLeavesDependentsInPlace(t *testing.T) {
	orphan, none := metaText(`{"finalizers":["orphan"]}`), metaText(`{}`)
	for _, tt := range []struct {
		name, old string
		options   map[string]any
		want      bool
	}{
		{"nothing said", none, nil, false},
		{"Orphan", none, map[string]any{"propagationPolicy": "Orphan"}, true},
		{"Background", none, map[string]any{"propagationPolicy": "Background"}, false},
		{"the older way to say it", none, map[string]any{"orphanDependents": true}, true},
		{"the object says it", orphan, nil, true},
		{"the object says it, the options say otherwise", orphan, map[string]any{"propagationPolicy": "Foreground"}, false},
		{"the object says it, the options say otherwise in the older way", orphan, map[string]any{"orphanDependents": false}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := deleted(t, "apps/deployments", tt.old, tt.options)
			_, need, _ := testMapper(t).operation(&r)
			if question := testMapper(t).question(&r); need.orphan != tt.want || question.Orphan != tt.want {
				t.Errorf("orphan %v, in the question %v, want %v", need.orphan, question.Orphan, tt.want)
			}
		})
	}
}

func TestWhatStandsBehindAnObjectGoesWithIt(t *testing.T) {
	behind := func(name string) []operation.Dependents {
		return []operation.Dependents{{Kind: "Deployment", Via: operation.Backs, Count: 1, Names: []string{name}}}
	}
	const instances, buckets = "sql.cnrm.cloud.google.com/sqlinstances", "s3.aws.upbound.io/buckets"
	for _, tt := range []struct {
		name, resource, old string
		want                []operation.Dependents
	}{
		{"Config Connector's", instances, specText(`{}`), behind("x")},
		{"Config Connector's, by its own name", instances, specText(`{"resourceID":"main-db"}`), behind("main-db")},
		{"Config Connector's, abandoned", instances, annotationText(connectorPolicy, "abandon"), nil},
		{"Config Connector's settings", "core.cnrm.cloud.google.com/configconnectors", specText(`{}`), nil},
		{"Crossplane's", buckets, specText(`{"providerConfigRef":{"name":"default"}}`), behind("x")},
		{"Crossplane's, by the provider's name", buckets, `{"metadata":{"annotations":{"crossplane.io/external-name":"shop-data"}},"spec":{"deletionPolicy":"Delete"}}`, behind("shop-data")},
		{"Crossplane's, orphaned", buckets, specText(`{"deletionPolicy":"Orphan","providerConfigRef":{}}`), nil},
		{"Crossplane's, observed only", buckets, specText(`{"managementPolicies":["Observe"]}`), nil},
		{"Crossplane's, managed in all", buckets, specText(`{"managementPolicies":["*"],"deletionPolicy":"Delete"}`), behind("x")},
		{"Crossplane's, with a policy that can't be read", buckets, specText(`{"deletionPolicy":["Orphan"]}`), behind("x")},
		{"any other object", "apps/deployments", specText(`{"replicas":1}`), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := deleted(t, tt.resource, tt.old, nil)
			op, _, _ := testMapper(t).operation(&r)
			if diff := cmp.Diff(tt.want, op.Dependents); diff != "" {
				t.Errorf("dependents (-want +got):\n%s", diff)
			}
		})
	}
	c := updated(instances, "SQLInstance", specText(`{}`), specText(`{"replicas":1}`)).call(t)
	if op, _, _ := judgedBy(t, testMapper(t), c); c.operation != admission.Update || op.Dependents != nil {
		t.Errorf("an update loses %v", op.Dependents)
	}
}
