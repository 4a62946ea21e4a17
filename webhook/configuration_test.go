package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	authenticationuser "k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/mollyguard/mollyguard/operation"
)

func selectors(t testing.TB, texts ...string) []labels.Selector {
	t.Helper()
	var list []labels.Selector
	for _, text := range texts {
		selector, err := labels.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, selector)
	}
	return list
}

func defaultOptions(t testing.TB) ConfigurationOptions {
	production := selectors(t, "env in (production, prod, live)", "environment in (production, prod, live)")
	return ConfigurationOptions{
		Name: "mollyguard", ServiceNamespace: "mollyguard", ServiceName: "mollyguard", ServicePort: 443,
		TimeoutSeconds: 5, FailProtected: admissionregistrationv1.Fail, FailOther: admissionregistrationv1.Ignore,
		Selectors: production, NamespaceSelectors: production,
		ControlPlane: []string{"system:serviceaccount:kube-system:.*", "system:node:.*"},
	}
}

// apiServer decides which hooks it calls, with the API server's own code for
// match conditions, rules' scope and namespace selectors.
type apiServer struct {
	compiler *cel.CompositedCompiler
	matchers map[string]matchconditions.Matcher // by hook and conditions: compiling is slow
	t        testing.TB
}

func (s apiServer) matcher(hook admissionregistrationv1.ValidatingWebhook) matchconditions.Matcher {
	key := fmt.Sprint(hook.Name, hook.MatchConditions)
	if _, ok := s.matchers[key]; !ok {
		var expressions []cel.ExpressionAccessor
		for _, condition := range hook.MatchConditions {
			expressions = append(expressions, &matchconditions.MatchCondition{Name: condition.Name, Expression: condition.Expression})
		}
		evaluator := s.compiler.CompileCondition(expressions, cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.StoredExpressions)
		fail := admissionregistrationv1.Fail
		s.matchers[key] = matchconditions.NewMatcher(evaluator, &fail, "webhook", "validating", hook.Name)
	}
	return s.matchers[key]
}

// call is one admission request.
type call struct {
	operation       admission.Operation
	group, resource string
	kind            string
	subresource     string
	namespace, name string
	namespaceLabels map[string]string
	user            string
	groups          []string
	old, new        map[string]any
	// typed says that the API server has the objects as its own types, where it has
	// types for them.
	typed bool
}

func (c call) object(t testing.TB, content map[string]any) runtime.Object {
	if content == nil {
		return nil
	}
	if c.typed {
		if o, ok := typed(t, schema.GroupVersionKind{Group: c.group, Version: "v1", Kind: c.kind}, content); ok {
			return o
		}
	}
	o := &unstructured.Unstructured{Object: maps.Clone(content)}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: c.group, Version: "v1", Kind: c.kind})
	return o
}

// called lists the hooks that the API server calls.
func (s apiServer) called(configuration *admissionregistrationv1.ValidatingWebhookConfiguration, c call) []string {
	s.t.Helper()
	gvr := schema.GroupVersionResource{Group: c.group, Version: "v1", Resource: c.resource}
	gvk := schema.GroupVersionKind{Group: c.group, Version: "v1", Kind: c.kind}
	user := &authenticationuser.DefaultInfo{Name: c.user, Groups: c.groups}
	attributes := admission.NewAttributesRecord(c.object(s.t, c.new), c.object(s.t, c.old), gvk, c.namespace, c.name, gvr, c.subresource, c.operation, nil, false, user)
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: gvk, VersionedObject: admission.NewLazyObject(c.object(s.t, c.new)), VersionedOldObject: admission.NewLazyObject(c.object(s.t, c.old))}
	var hooks []string
	for _, hook := range configuration.Webhooks {
		if !slices.ContainsFunc(hook.Rules, func(rule admissionregistrationv1.RuleWithOperations) bool { return s.ruleMatches(rule, c) }) {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(hook.NamespaceSelector)
		if err != nil {
			s.t.Fatal(err)
		}
		if c.namespace != "" && !selector.Matches(labels.Set(c.namespaceLabels)) {
			continue
		}
		result := s.matcher(hook).Match(s.t.Context(), versioned, nil, nil)
		if result.Error != nil {
			s.t.Fatalf("%s: a match condition fails, which would refuse the request: %v", hook.Name, result.Error)
		}
		if result.Matches {
			hooks = append(hooks, strings.TrimSuffix(hook.Name, ".mollyguard.dev"))
		}
	}
	return hooks
}

func (s apiServer) ruleMatches(rule admissionregistrationv1.RuleWithOperations, c call) bool {
	resource := c.resource
	if c.subresource != "" {
		resource += "/" + c.subresource
	}
	fits := slices.ContainsFunc(rule.Resources, func(pattern string) bool {
		switch {
		case pattern == "*":
			return c.subresource == ""
		case strings.HasPrefix(pattern, "*/"):
			return c.subresource == pattern[2:]
		}
		return pattern == resource
	})
	switch *rule.Scope {
	case admissionregistrationv1.ClusterScope:
		fits = fits && c.namespace == ""
	case admissionregistrationv1.NamespacedScope:
		fits = fits && c.namespace != ""
	}
	return fits && slices.Contains(rule.Operations, admissionregistrationv1.OperationType(c.operation)) && (rule.APIGroups[0] == "*" || rule.APIGroups[0] == c.group)
}

func newAPIServer(t testing.TB) apiServer {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	return apiServer{compiler: compiler, matchers: map[string]matchconditions.Matcher{}, t: t}
}

// thing is an object with labels and, if not nil, a spec.
func thing(labels map[string]any, spec any) map[string]any {
	metadata := map[string]any{"name": "x", "namespace": "shop"}
	if labels != nil {
		metadata["labels"] = labels
	}
	o := map[string]any{"metadata": metadata}
	if spec != nil {
		o["spec"] = spec
	}
	return o
}

// many is data with n entries of the same value.
func many(n int, value string) map[string]any {
	entries := map[string]any{}
	for i := range n {
		entries[fmt.Sprint("k", i)] = value
	}
	return entries
}

func replicasSpec(n any) map[string]any { return map[string]any{"replicas": n} }

var (
	production = map[string]any{"env": "production"}
	dev        = map[string]any{"env": "dev"}
	live       = map[string]string{"environment": "live"}
	both       = map[string]string{"environment": "live", "env": "prod"}
)

func TestTheAPIServerCallsOnceAndOnlyForWhatConcernsUs(t *testing.T) {
	server := newAPIServer(t)
	configuration := Configuration(defaultOptions(t)).Validating
	deployment := func(op admission.Operation, old, new map[string]any) call {
		return call{operation: op, group: "apps", resource: "deployments", kind: "Deployment", namespace: "shop", user: "alice", old: old, new: new}
	}
	in := func(c call, namespaceLabels map[string]string) call { c.namespaceLabels = namespaceLabels; return c }
	by := func(c call, user string) call { c.user = user; return c }
	of := func(c call, group, resource string) call { c.group, c.resource = group, resource; return c }
	scoped := func(c call) call { c.namespace = ""; return c }
	sub := func(c call, subresource string) call { c.subresource = subresource; return c }
	configMap := func(old, new map[string]any) call {
		return call{operation: admission.Update, resource: "configmaps", kind: "ConfigMap", namespace: "shop", user: "alice", old: old, new: new}
	}
	binding := func(resource, subresource string, labels map[string]any) call {
		return call{operation: admission.Create, resource: resource, subresource: subresource, kind: "Binding", namespace: "shop", user: "alice", new: thing(labels, nil)}
	}
	data := func(labels map[string]any, content map[string]any) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": "x", "labels": labels}, "data": content}
	}
	for _, tt := range []struct {
		name string
		call call
		want []string
	}{
		{"a production delete", deployment(admission.Delete, thing(production, nil), nil), []string{"object.delete"}},
		{"a dev delete", deployment(admission.Delete, thing(dev, nil), nil), []string{"other-1.delete"}},
		{"an unlabelled delete", deployment(admission.Delete, thing(nil, nil), nil), []string{"other-1.delete"}},
		{"an unlabelled delete in a live namespace", in(deployment(admission.Delete, thing(nil, nil), nil), live), []string{"namespace-2.delete"}},
		{"one in a namespace that two selectors match", in(deployment(admission.Delete, thing(nil, nil), nil), both), []string{"namespace-1.delete"}},
		{"a labelled delete in a live namespace", in(deployment(admission.Delete, thing(production, nil), nil), live), []string{"object.delete"}},
		{"a delete without the old object", deployment(admission.Delete, nil, nil), []string{"object.delete"}},
		{"a namespace", of(scoped(deployment(admission.Delete, thing(nil, nil), nil)), "", "namespaces"), []string{"cluster.delete"}},
		{"a custom resource definition", of(scoped(deployment(admission.Delete, thing(nil, nil), nil)), "apiextensions.k8s.io", "customresourcedefinitions"), []string{"cluster.delete"}},
		{"a persistent volume", of(scoped(deployment(admission.Delete, thing(nil, nil), nil)), "", "persistentvolumes"), []string{"cluster.delete"}},
		{"another cluster-scoped object", of(scoped(deployment(admission.Delete, thing(nil, nil), nil)), "karpenter.sh", "nodeclaims"), []string{"cluster-other.delete"}},
		{"another cluster-scoped object, marked", of(scoped(deployment(admission.Delete, thing(production, nil), nil)), "karpenter.sh", "nodeclaims"), []string{"cluster.delete"}},
		{"a node", of(scoped(deployment(admission.Delete, thing(nil, nil), nil)), "", "nodes"), nil},
		{"a certificate request", of(scoped(deployment(admission.Delete, thing(production, nil), nil)), "certificates.k8s.io", "certificatesigningrequests"), nil},
		{"a lease", of(deployment(admission.Delete, thing(production, nil), nil), "coordination.k8s.io", "leases"), nil},
		{"an event", of(deployment(admission.Delete, thing(production, nil), nil), "events.k8s.io", "events"), nil},
		{"an endpoint slice", of(deployment(admission.Delete, thing(production, nil), nil), "discovery.k8s.io", "endpointslices"), nil},
		{"endpoints", of(deployment(admission.Delete, thing(production, nil), nil), "", "endpoints"), nil},
		{"a custom resource that is called events", of(deployment(admission.Delete, thing(production, nil), nil), "example.com", "events"), []string{"object.delete"}},
		{"a production pod", of(deployment(admission.Delete, thing(production, nil), nil), "", "pods"), []string{"object.delete"}},
		{"a pod of kube-system", call{operation: admission.Delete, resource: "pods", namespace: "kube-system", user: "alice", old: thing(production, nil)}, nil},
		{"a ConfigMap of kube-system", call{operation: admission.Delete, resource: "configmaps", namespace: "kube-system", user: "alice", old: thing(production, nil)}, []string{"object.delete"}},
		{"the garbage collector", by(deployment(admission.Delete, thing(production, nil), nil), "system:serviceaccount:kube-system:generic-garbage-collector"), nil},
		{"a node's own kubelet", by(of(deployment(admission.Delete, thing(production, nil), nil), "", "pods"), "system:node:n1"), nil},
		{"a user with the garbage collector's name in his", by(deployment(admission.Delete, thing(production, nil), nil), "x system:serviceaccount:kube-system:a"), []string{"object.delete"}},

		{"a label removed", deployment(admission.Update, thing(production, nil), thing(nil, nil)), []string{"object.update"}},
		{"all metadata.labels gone", deployment(admission.Update, thing(production, nil), map[string]any{"metadata": map[string]any{}}), []string{"object.update"}},
		{"a label changed away", deployment(admission.Update, thing(production, nil), thing(dev, nil)), []string{"object.update"}},
		{"a label changed to another production value", deployment(admission.Update, thing(production, nil), thing(map[string]any{"env": "live"}, nil)), nil},
		{"a label moved to the other key", deployment(admission.Update, thing(production, nil), thing(map[string]any{"environment": "prod"}, nil)), nil},
		{"a label added", deployment(admission.Update, thing(nil, nil), thing(production, nil)), nil},
		{"a namespace's label removed", of(scoped(deployment(admission.Update, thing(production, nil), thing(nil, nil))), "", "namespaces"), []string{"cluster.update"}},
		{"a namespace's label removed while it is finalized", sub(of(scoped(deployment(admission.Update, thing(production, nil), thing(nil, nil))), "", "namespaces"), "finalize"), []string{"cluster.update"}},
		{"a namespace finalized", sub(of(scoped(deployment(admission.Update, thing(production, nil), thing(production, nil))), "", "namespaces"), "finalize"), nil},
		{"a namespace annotated", of(scoped(deployment(admission.Update, thing(production, nil), thing(production, nil))), "", "namespaces"), nil},
		{"production scaled to zero", deployment(admission.Update, thing(production, replicasSpec(int64(2))), thing(production, replicasSpec(int64(0)))), []string{"object.update"}},
		{"dev scaled to zero", deployment(admission.Update, thing(dev, replicasSpec(int64(2))), thing(dev, replicasSpec(int64(0)))), []string{"other-1.update"}},
		{"dev scaled to zero in a live namespace", in(deployment(admission.Update, thing(dev, replicasSpec(int64(2))), thing(dev, replicasSpec(int64(0)))), live), []string{"namespace-2.update"}},
		{"replicas dropped", deployment(admission.Update, thing(production, replicasSpec(int64(2))), thing(production, map[string]any{})), []string{"object.update"}},
		{"replicas null", deployment(admission.Update, thing(production, replicasSpec(int64(2))), thing(production, replicasSpec(nil))), []string{"object.update"}},
		{"replicas a text", deployment(admission.Update, thing(production, replicasSpec(int64(2))), thing(production, replicasSpec("none"))), []string{"object.update"}},
		{"replicas a fraction of nothing", deployment(admission.Update, thing(production, replicasSpec(float64(2))), thing(production, replicasSpec(float64(0)))), []string{"object.update"}},
		{"replicas were a text", deployment(admission.Update, thing(production, replicasSpec("many")), thing(production, replicasSpec("none"))), nil},
		{"a spec that is a text", deployment(admission.Update, thing(production, "text"), thing(production, "text")), nil},
		{"a spec that is a list", deployment(admission.Update, thing(production, []any{"a"}), thing(production, nil)), nil},
		{"scaled down, not to zero", deployment(admission.Update, thing(production, replicasSpec(int64(2))), thing(production, replicasSpec(int64(1)))), nil},
		{"zero that stays zero", deployment(admission.Update, thing(production, replicasSpec(int64(0))), thing(production, replicasSpec(int64(0)))), nil},

		{"a ConfigMap emptied", configMap(data(production, map[string]any{"a": "1"}), thing(production, nil)), []string{"object.update"}},
		{"a ConfigMap emptied value by value", configMap(data(production, map[string]any{"a": "1"}), data(production, map[string]any{"a": ""})), []string{"object.update"}},
		{"a Secret emptied with null", of(configMap(data(production, map[string]any{"a": "MQ=="}), data(production, map[string]any{"a": nil})), "", "secrets"), []string{"object.update"}},
		{"large data emptied", configMap(data(production, many(300, "x")), data(production, many(300, ""))), []string{"object.update"}},
		{"large data changed, which the mapper looks at", configMap(data(production, many(300, "x")), data(production, many(301, "x"))), []string{"object.update"}},
		{"large data left alone", configMap(data(production, many(300, "")), data(dev, many(300, ""))), []string{"object.update"}},
		{"large data left alone, and the label", configMap(data(production, many(300, "")), data(production, many(300, ""))), nil},
		{"a ConfigMap emptied, in a live namespace", in(configMap(data(nil, map[string]any{"a": "1"}), data(nil, map[string]any{})), live), []string{"namespace-2.update"}},
		{"a Secret emptied", of(configMap(data(production, map[string]any{"a": "MQ=="}), data(production, nil)), "", "secrets"), []string{"object.update"}},
		{"a ConfigMap changed", configMap(data(production, map[string]any{"a": "1"}), data(production, map[string]any{"b": "1"})), nil},
		{"a ConfigMap moved to binaryData", configMap(data(production, map[string]any{"a": "1"}), map[string]any{"metadata": map[string]any{"labels": production}, "binaryData": map[string]any{"a": "MQ=="}}), nil},
		{"a custom resource with data of another kind", of(configMap(map[string]any{"data": "x"}, map[string]any{"data": int64(1)}), "example.com", "configmaps"), nil},
		{"an object without metadata", deployment(admission.Update, map[string]any{}, map[string]any{}), nil},

		{"a scale to zero", sub(deployment(admission.Update, thing(nil, replicasSpec(int64(2))), thing(nil, map[string]any{})), "scale"), []string{"scale"}},
		{"a scale up", sub(deployment(admission.Update, thing(nil, replicasSpec(int64(2))), thing(nil, replicasSpec(int64(3)))), "scale"), nil},
		{"a scale by the autoscaler", by(sub(deployment(admission.Update, thing(nil, replicasSpec(int64(2))), thing(nil, map[string]any{})), "scale"), "system:serviceaccount:kube-system:horizontal-pod-autoscaler"), nil},
		{"a status", sub(deployment(admission.Update, thing(production, replicasSpec(int64(2))), thing(production, replicasSpec(int64(0)))), "status"), nil},
		{"a status that takes the label off", sub(deployment(admission.Update, thing(production, nil), thing(nil, nil)), "status"), []string{"labels"}},
		{"a pod resized, and its label taken off", sub(of(deployment(admission.Update, thing(production, nil), thing(nil, nil)), "", "pods"), "resize"), []string{"labels"}},
		{"another kind resized", sub(deployment(admission.Update, thing(production, nil), thing(nil, nil)), "resize"), nil},
		{"an eviction", call{operation: admission.Create, resource: "pods", subresource: "eviction", namespace: "shop", user: "alice", new: thing(nil, nil)}, []string{"evict"}},
		{"an eviction in kube-system", call{operation: admission.Create, resource: "pods", subresource: "eviction", namespace: "kube-system", user: "alice", new: thing(nil, nil)}, nil},
		{"an eviction of ourselves", call{operation: admission.Create, resource: "pods", subresource: "eviction", namespace: "mollyguard", user: "alice", new: thing(nil, nil)}, nil},
		{"a creation", deployment(admission.Create, nil, thing(production, nil)), nil},
		{"a binding that brings a label", binding("pods", "binding", dev), []string{"bind"}},
		{"a binding that brings a label, the older way", binding("bindings", "", dev), []string{"bind"}},
		{"a binding that brings labels of the node", binding("pods", "binding", map[string]any{"topology.kubernetes.io/zone": "a"}), nil},
		{"a binding without labels", binding("pods", "binding", nil), nil},
		{"a binding by a scheduler of kube-system", by(binding("pods", "binding", dev), "system:serviceaccount:kube-system:scheduler"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.t = t
			if diff := cmp.Diff(tt.want, server.called(configuration, tt.call)); diff != "" {
				t.Errorf("hooks called (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheFilterAndTheMapperAgree holds the CEL filter against the mapper: an
// update that the mapper would call destructive must not be filtered out.
func TestTheFilterAndTheMapperAgree(t *testing.T) {
	server := newAPIServer(t)
	opts := defaultOptions(t)
	opts.WholeCluster = true // no split by namespace: one question, filtered or not
	opts.NamespaceSelectors = selectors(t, "environment=prod", "tier=1")
	configuration := Configuration(opts).Validating
	m := mapper{selectors: opts.Selectors, namespaceSelectors: opts.NamespaceSelectors}

	labelSets := []any{nil, production, dev, map[string]any{"environment": "prod"}, map[string]any{"env": "prod", "environment": "dev"}, map[string]any{"env": "prod", "tier": "1"}}
	specs := []any{nil, "text", []any{}, map[string]any{}, replicasSpec(nil), replicasSpec(int64(0)), replicasSpec(int64(3)), replicasSpec(float64(0.5)), replicasSpec(int64(-1)), replicasSpec("3"), replicasSpec(true)}
	var specObjects []map[string]any
	for _, l := range labelSets {
		for _, spec := range specs {
			metadata := map[string]any{"name": "x"}
			if l != nil {
				metadata["labels"] = l
			}
			o := map[string]any{"metadata": metadata}
			if spec != nil {
				o["spec"] = spec
			}
			specObjects = append(specObjects, o)
		}
	}
	var dataObjects []map[string]any
	for _, field := range []string{"data", "binaryData"} {
		for _, content := range []any{nil, map[string]any{}, map[string]any{"a": ""}, map[string]any{"a": "MQ=="}, map[string]any{"a": "", "b": "MQ=="}, map[string]any{"a": nil}, map[string]any{"a": nil, "b": ""}} {
			o := map[string]any{"metadata": map[string]any{"name": "x"}}
			if content != nil {
				o[field] = content
			}
			dataObjects = append(dataObjects, o)
		}
	}
	compared := 0
	check := func(group, resource string, old, new map[string]any) {
		c := call{operation: admission.Update, group: group, resource: resource, kind: "X", namespace: "shop", user: "alice", old: old, new: new}
		if resource == "namespaces" {
			c.namespace = ""
		}
		body, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
			"uid": "u", "operation": "UPDATE", "resource": map[string]any{"group": group, "version": "v1", "resource": resource},
			"object": new, "oldObject": old,
		}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := decode(body, false)
		if err != nil {
			t.Fatal(err)
		}
		op, _, _ := m.operation(&r.request)
		destructive := op.Verb != operation.Update
		if called := len(server.called(configuration, c)) > 0; called != destructive {
			t.Errorf("%s/%s %v → %v: called %v, but the mapper says %s %v", group, resource, old, new, called, op.Verb, op.Changes)
		}
		compared++
	}
	for _, old := range specObjects {
		for _, new := range specObjects {
			check("example.com", "widgets", old, new)
		}
	}
	for i := 0; i < len(specObjects); i += 3 { // every set of labels, several specs
		for j := 1; j < len(specObjects); j += 2 {
			check("", "namespaces", specObjects[i], specObjects[j])
		}
	}
	for _, old := range dataObjects {
		for _, new := range dataObjects {
			check("", "configmaps", old, new)
			check("", "secrets", old, new)
		}
	}
	t.Logf("%d updates compared", compared)
}

func TestNamespacesAreSplitIntoClassesThatDoNotOverlap(t *testing.T) {
	for _, texts := range [][]string{
		{},
		{"env=production"},
		{"env in (production, prod)", "environment in (live)"},
		{"tier=1,env!=dev", "critical", "!sandbox,env notin (test, dev)"},
	} {
		t.Run(strings.Join(texts, " | "), func(t *testing.T) {
			list := selectors(t, texts...)
			marked, unmarked := partition(list)
			for _, set := range labelSets() {
				isMarked := slices.ContainsFunc(list, func(s labels.Selector) bool { return s.Matches(set) })
				inMarked, inUnmarked := count(t, marked, set), count(t, unmarked, set)
				want := [2]int{0, 1}
				if isMarked {
					want = [2]int{1, 0}
				}
				if got := [2]int{inMarked, inUnmarked}; got != want {
					t.Errorf("%v is in %d marked and %d unmarked classes, want %v", set, inMarked, inUnmarked, want)
				}
			}
		})
	}
}

func labelSets() []labels.Set {
	sets := []labels.Set{{}}
	for key, values := range map[string][]string{
		"env": {"production", "prod", "dev", "test"}, "environment": {"live", "dev"}, "tier": {"1", "2"}, "critical": {""}, "sandbox": {"x"},
	} {
		for _, set := range slices.Clone(sets) {
			for _, value := range values {
				with := maps.Clone(set)
				with[key] = value
				sets = append(sets, with)
			}
		}
	}
	return sets
}

func count(t *testing.T, classes []metav1.LabelSelector, set labels.Set) int {
	n := 0
	for _, class := range classes {
		selector, err := metav1.LabelSelectorAsSelector(&class)
		if err != nil {
			t.Fatal(err)
		}
		if selector.Matches(set) {
			n++
		}
	}
	return n
}

func TestTooManyClassesBecomeOneHookThatFailsClosed(t *testing.T) {
	opts := defaultOptions(t)
	var texts []string
	for i := range 4 {
		texts = append(texts, fmt.Sprintf("a%d=x,b%d=y,c%d=z", i, i, i))
	}
	opts.NamespaceSelectors = selectors(t, texts...)
	configuration := Configuration(opts).Validating
	for _, hook := range configuration.Webhooks {
		if *hook.FailurePolicy != admissionregistrationv1.Fail && !strings.HasPrefix(hook.Name, "cluster-other") && !strings.HasPrefix(hook.Name, "own.") && !strings.HasPrefix(hook.Name, "isolate.") && !strings.HasPrefix(hook.Name, "identity-other.") {
			t.Errorf("%s fails open", hook.Name)
		}
	}
	got := newAPIServer(t).called(configuration, call{operation: admission.Delete, resource: "pods", namespace: "shop", user: "alice", old: thing(nil, nil)})
	if diff := cmp.Diff([]string{"namespace-1.delete"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsProductionByNameFailsClosed(t *testing.T) {
	opts := defaultOptions(t)
	opts.Names, opts.Namespaces = []string{"db-.*"}, []string{"prod-.*", `we"ird\.x`}
	configuration := Configuration(opts).Validating
	server := newAPIServer(t)
	named := thing(nil, nil)
	named["metadata"].(map[string]any)["name"] = "db-main"
	for _, tt := range []struct {
		name string
		call call
		want []string
	}{
		{"by the object's name, in a collection delete", call{operation: admission.Delete, resource: "pods", namespace: "shop", user: "alice", old: named}, []string{"object.delete"}},
		{"by the namespace's name", call{operation: admission.Delete, resource: "pods", namespace: "prod-eu", user: "alice", old: thing(nil, nil)}, []string{"object.delete"}},
		{"not by a part of the name", call{operation: admission.Delete, resource: "pods", namespace: "preprod-eu", user: "alice", old: thing(nil, nil)}, []string{"other-1.delete"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.t = t
			if diff := cmp.Diff(tt.want, server.called(configuration, tt.call)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithAFloorDeletionsAreAskedAboutFirst(t *testing.T) {
	opts := defaultOptions(t)
	opts.Cases = true
	plain := Configuration(opts)
	opts.Floor = true
	floored := Configuration(opts)
	if plain.Mutating != nil {
		t.Error("without a floor there are mutating hooks")
	}
	names := func(list []admissionregistrationv1.ValidatingWebhook, deletions bool) []string {
		var names []string
		for _, hook := range list {
			if strings.HasSuffix(hook.Name, ".delete.mollyguard.dev") == deletions {
				names = append(names, hook.Name)
			}
		}
		return names
	}
	var early []string
	for i, hook := range floored.Mutating.Webhooks {
		early = append(early, hook.Name)
		if hook.ReinvocationPolicy == nil || *hook.ReinvocationPolicy != admissionregistrationv1.NeverReinvocationPolicy {
			t.Errorf("%s may be called twice", hook.Name)
		}
		before := plain.Validating.Webhooks[slices.IndexFunc(plain.Validating.Webhooks, func(h admissionregistrationv1.ValidatingWebhook) bool { return h.Name == hook.Name })]
		if diff := cmp.Diff([]any{before.Rules, before.MatchConditions, before.FailurePolicy, before.NamespaceSelector}, []any{hook.Rules, hook.MatchConditions, hook.FailurePolicy, hook.NamespaceSelector}); diff != "" {
			t.Errorf("hook %d, %s, without and with a floor (-want +got):\n%s", i, hook.Name, diff)
		}
	}
	if diff := cmp.Diff(names(plain.Validating.Webhooks, true), early); diff != "" {
		t.Errorf("hooks for deletions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(names(plain.Validating.Webhooks, false), names(floored.Validating.Webhooks, false)); diff != "" {
		t.Errorf("all others (-want +got):\n%s", diff)
	}
	if left := names(floored.Validating.Webhooks, true); left != nil {
		t.Errorf("asked twice: %q", left)
	}
}
