package fault

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// shop has production in a namespace that is none itself, beside what is none; live is a
// namespace that is production; sandbox has none, nor has later, which becomes production.
const shop = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: live, labels: {env: production}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: sandbox}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: later}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: later}, data: {a: "1"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web, env: production}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, env: production}}
    spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dev, namespace: sandbox, labels: {app: dev}}
spec:
  replicas: 1
  selector: {matchLabels: {app: dev}}
  template:
    metadata: {labels: {app: dev}}
    spec: {containers: [{name: dev, image: example.com/dev}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {env: production}}
spec: {containers: [{name: web, image: example.com/web, envFrom: [{configMapRef: {name: used}}]}]}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: used, namespace: shop}, data: {a: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop, labels: {env: production}}, data: {a: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: live}, data: {a: "1"}}
---
{apiVersion: example.com/v1, kind: Widget, metadata: {name: one, namespace: shop, labels: {env: production}}}
`

var (
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	widgets     = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

// object is one object.
type object struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// attempt is something that somebody asks for.
type attempt struct {
	name string
	do   func(ctx context.Context, a actor) error
	// floored says that the floor refuses it before anybody is asked: it judges updates
	// of labels, and of those the webhook is asked last.
	floored bool
	// twice says that the API server may ask two times, one after the other.
	twice bool
	// pod says that it is about a pod, which controllers may change at any time.
	pod bool
}

func deletion(name string, o object) attempt {
	return attempt{name: name, do: func(ctx context.Context, a actor) error {
		return a.objects.Resource(o.resource).Namespace(o.namespace).Delete(ctx, o.name, metav1.DeleteOptions{})
	}}
}

func change(name string, o object, patch string) attempt {
	return attempt{name: name, do: func(ctx context.Context, a actor) error {
		_, err := a.objects.Resource(o.resource).Namespace(o.namespace).Patch(ctx, o.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}}
}

func floored(a attempt) attempt {
	a.floored = true
	return a
}

// busy is a change of what others change at the same time, as the controller does a
// Deployment that it rolls out. An API server that is refused an update looks whether it
// had the newest state, and asks once more if not (k8s.io/apiserver pkg/storage/etcd3,
// GuaranteedUpdate).
func busy(a attempt) attempt {
	a.twice = true
	return a
}

func scaling(name string, o object, replicas int32) attempt {
	return attempt{name: name, do: func(ctx context.Context, a actor) error {
		scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: o.name}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
		_, err := a.clients.AppsV1().Deployments(o.namespace).UpdateScale(ctx, o.name, scale, metav1.UpdateOptions{})
		return err
	}}
}

func eviction(name string, o object) attempt {
	return attempt{name: name, do: func(ctx context.Context, a actor) error {
		return a.clients.PolicyV1().Evictions(o.namespace).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: o.name}})
	}}
}

// The objects that production is.
var (
	web      = object{deployments, "shop", "web"}
	webPod   = object{pods, "shop", "web"}
	settings = object{configMaps, "shop", "settings"}
	plain    = object{configMaps, "live", "plain"}
	widget   = object{widgets, "shop", "one"}
	inShop   = object{namespaces, "", "shop"}
	live     = object{namespaces, "", "live"}
	kind     = object{definitions, "", "widgets.example.com"}

	production = []object{web, webPod, settings, plain, widget, inShop, live, kind}
)

// destructive is what must never go through, whatever fails.
var destructive = []attempt{
	deletion("delete a labelled Deployment", web),
	deletion("delete a labelled custom resource", widget),
	deletion("delete what is in a labelled namespace", plain),
	deletion("delete a labelled namespace", live),
	deletion("delete a namespace that holds production", inShop),
	deletion("delete a definition with production instances", kind),
	deletion("delete a labelled pod", webPod),
	{name: "delete all of a kind", do: func(ctx context.Context, a actor) error {
		return a.objects.Resource(configMaps).Namespace("shop").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "env=production"})
	}},
	busy(floored(change("take the label off", web, `{"metadata":{"labels":{"env":null}}}`))),
	floored(change("take a namespace's label off", live, `{"metadata":{"labels":{"env":"dev"}}}`)),
	busy(scaling("scale to zero", web, 0)),
	busy(change("patch to zero", web, `{"spec":{"replicas":0}}`)),
	eviction("evict", webPod),
	change("empty a ConfigMap", settings, `{"data":null}`),
	change("empty a ConfigMap in a labelled namespace", plain, `{"data":{"a":""}}`),
}

// refused reports what of a list is not refused in time, by who says no. Each is tried
// once, all of them at the same time.
func (w *world) refused(t *testing.T, list []attempt, want *regexp.Regexp) error {
	t.Helper()
	return each(list, func(a attempt) error {
		ctx, cancel := within(t, w.wait(a))
		defer cancel()
		by := want
		if a.floored {
			by = byPolicy
		}
		if err := refusedBy(a.do(ctx, w.olga), by); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		return nil
	})
}

// hold holds that nothing goes through, whatever becomes of the requests.
func (w *world) hold(t *testing.T, limit func() (context.Context, context.CancelFunc)) {
	t.Helper()
	if err := each(destructive, func(a attempt) error {
		ctx, cancel := limit()
		defer cancel()
		if err := a.do(ctx, w.olga); err == nil {
			return fmt.Errorf("%s: it went through", a.name)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// trace is what shows that an object was not touched.
type trace struct {
	Name, UID string
	Leaving   bool
	Labels    map[string]string
	Replicas  any
	Data      any
}

// unmarked is destructive too, by what depends on it: a pod of production reads this
// ConfigMap. Only the server knows, so it goes on without an answer. Nothing comes of it.
var unmarked = attempt{name: "delete what production needs", do: func(ctx context.Context, a actor) error {
	return a.objects.Resource(configMaps).Namespace("shop").Delete(ctx, "used", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
}}

// traces looks at all production.
func (w *world) traces(t *testing.T) []trace {
	t.Helper()
	var list []trace
	for _, o := range production {
		ctx, cancel := within(t, 0)
		found, err := w.admin.objects.Resource(o.resource).Namespace(o.namespace).Get(ctx, o.name, metav1.GetOptions{})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, traceOf(o, found))
	}
	return list
}

func traceOf(o object, found *unstructured.Unstructured) trace {
	one := trace{Name: o.resource.Resource + " " + o.namespace + "/" + o.name, UID: string(found.GetUID()), Leaving: found.GetDeletionTimestamp() != nil, Labels: found.GetLabels()}
	one.Replicas, _, _ = unstructured.NestedFieldNoCopy(found.Object, "spec", "replicas")
	one.Data, _, _ = unstructured.NestedFieldNoCopy(found.Object, "data")
	return one
}

// untouched holds that production is as it was.
func (w *world) untouched(t *testing.T, before []trace) {
	t.Helper()
	if diff := cmp.Diff(before, w.traces(t)); diff != "" {
		t.Errorf("production was touched (-before +after):\n%s", diff)
	}
}
