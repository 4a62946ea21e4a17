package webhook

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// oneObject is a lookup in a cluster with one object, of which it is told the JSON.
type oneObject struct {
	Lookup
	text  string
	asked []ObjectKey
}

func (o *oneObject) Object(context.Context, ObjectKey) (ObjectMeta, error) {
	return ObjectMeta{Kind: "Thing", UID: "u-1"}, nil
}

func (o *oneObject) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return nil, nil
}

func (o *oneObject) Whole(_ context.Context, key ObjectKey) ([]byte, error) {
	o.asked = append(o.asked, key)
	if o.text == "" {
		return nil, errors.New("no answer")
	}
	return []byte(o.text), nil
}

// asked is an index that remembers what it is asked, and knows one production Pod.
type asked struct{ questions []index.Question }

var productionPod = operation.Dependents{Kind: "Pod", Via: operation.Owned, Count: 1, Production: 1, Names: []string{"a"}}

func (a *asked) Lost(q index.Question) index.Answer {
	a.questions = append(a.questions, q)
	return index.Answer{Dependents: []operation.Dependents{productionPod}, Unknown: []string{"the rest"}}
}

// intent keeps what it is to assess.
type intent struct{ op operation.Operation }

func (i *intent) Assess(_ context.Context, op operation.Operation) ([]operation.Violation, error) {
	i.op = op
	return nil, nil
}

func TestWhatSomebodyIntendsIsAssessedWithWhatDependsOnIt(t *testing.T) {
	selector := selectors(t, "app=web")[0]
	asks := func(group, resource, namespace string, more index.Question) []index.Question {
		more.Resource, more.Namespace, more.Name, more.UID = schema.GroupResource{Group: group, Resource: resource}, namespace, "x", "u-1"
		return []index.Question{more}
	}
	type result struct {
		Questions  []index.Question
		Dependents []operation.Dependents
		Unknown    []string
		Fetched    []ObjectKey
	}
	fetches := func(group, resource, namespace string) []ObjectKey {
		return []ObjectKey{{Group: group, Resource: resource, Namespace: namespace, Name: "x"}}
	}
	pods, rest := []operation.Dependents{productionPod}, []string{"the rest"}
	cloud := operation.Dependents{Kind: "Thing", Via: operation.Backs, Count: 1, Names: []string{"orders-eu"}}
	for _, tt := range []struct {
		name                       string
		verb                       operation.Verb
		group, resource, namespace string
		text                       string
		want                       result
	}{
		{"a definition, by its name", operation.Delete, "apiextensions.k8s.io", "customresourcedefinitions", "", "", result{
			asks("apiextensions.k8s.io", "customresourcedefinitions", "", index.Question{}), pods, rest, nil,
		}},
		{"a Secret, of which nobody reads more than its name", operation.Delete, "", "secrets", "shop", "", result{
			asks("", "secrets", "shop", index.Question{}), pods, rest, nil,
		}},
		{"a budget, by the pods that it selects", operation.Delete, "policy", "poddisruptionbudgets", "shop",
			`{"metadata":{"name":"x","namespace":"shop","uid":"u-1"},"spec":{"selector":{"matchLabels":{"app":"web"}}}}`, result{
				asks("policy", "poddisruptionbudgets", "shop", index.Question{Selector: selector}), pods, rest, fetches("policy", "poddisruptionbudgets", "shop"),
			}},
		{"a budget that cannot be fetched", operation.Delete, "policy", "poddisruptionbudgets", "shop", "", result{
			asks("policy", "poddisruptionbudgets", "shop", index.Question{}), pods,
			[]string{"what depends on it (no answer)", "the rest"}, fetches("policy", "poddisruptionbudgets", "shop"),
		}},
		{"a budget that cannot be read", operation.Delete, "policy", "poddisruptionbudgets", "shop", `{"spec":`, result{
			asks("policy", "poddisruptionbudgets", "shop", index.Question{}), pods,
			[]string{"what depends on it (read object: the text ends in the middle: truncated)", "the rest"}, fetches("policy", "poddisruptionbudgets", "shop"),
		}},
		{"what stands for a resource in the cloud", operation.Delete, "sql.cnrm.cloud.google.com", "sqlinstances", "shop",
			`{"metadata":{"name":"x","namespace":"shop","uid":"u-1"},"spec":{"resourceID":"orders-eu"}}`, result{
				asks("sql.cnrm.cloud.google.com", "sqlinstances", "shop", index.Question{}), []operation.Dependents{cloud, productionPod}, rest,
				fetches("sql.cnrm.cloud.google.com", "sqlinstances", "shop"),
			}},
		{"an object whose deletion leaves what it owns in place", operation.Delete, "example.com", "things", "shop",
			`{"metadata":{"name":"x","namespace":"shop","uid":"u-1","finalizers":["orphan"]}}`, result{
				asks("example.com", "things", "shop", index.Question{Orphan: true}), pods, rest, fetches("example.com", "things", "shop"),
			}},
		{"a version that a definition no longer serves", operation.Unprotect, "apiextensions.k8s.io", "customresourcedefinitions", "", "", result{
			asks("apiextensions.k8s.io", "customresourcedefinitions", "", index.Question{}), pods, rest, nil,
		}},
		{"a scale to zero, which takes nobody along", operation.ScaleToZero, "apps", "deployments", "shop", "", result{}},
		{"an update, which destroys nothing", operation.Update, "example.com", "things", "shop", "", result{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cluster, known, assessor := &oneObject{text: tt.text}, &asked{}, &intent{}
			reviewer := NewReviewer(ReviewerOptions{Lookup: cluster, Dependents: known, Cluster: "prod-eu"})
			ref := operation.KubernetesRef("prod-eu", tt.group, tt.resource, tt.namespace, "x")
			if _, err := reviewer.Assess(t.Context(), assessor, operation.Actor{}, tt.verb, operation.Reference{Ref: ref}); err != nil {
				t.Fatal(err)
			}
			got := result{known.questions, assessor.op.Dependents, assessor.op.Unknown, cluster.asked}
			same := cmp.Comparer(func(a, b labels.Selector) bool {
				return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
			})
			if diff := cmp.Diff(tt.want, got, same); diff != "" {
				t.Errorf("assessed (-want +got):\n%s", diff)
			}
		})
	}
}
