package webhook

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// recorded is an AdmissionReview with the parts of a request that differ.
func recorded(parts map[string]any) []byte {
	request := map[string]any{
		"uid": "u-1", "operation": "DELETE",
		"kind":     map[string]any{"group": "apps", "version": "v1", "kind": "Deployment"},
		"resource": map[string]any{"group": "apps", "version": "v1", "resource": "deployments"},
		"name":     "web", "namespace": "shop",
		"userInfo": map[string]any{"username": "alice@example.com"},
	}
	for key, value := range parts {
		request[key] = value
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if err != nil {
		panic(err)
	}
	return body
}

func configMapRequest(old, new map[string]any) map[string]any {
	return map[string]any{
		"operation": "UPDATE", "kind": map[string]any{"version": "v1", "kind": "ConfigMap"},
		"resource": map[string]any{"version": "v1", "resource": "configmaps"}, "oldObject": old, "object": new,
	}
}

func TestARequestIsReadAsWhatItDoes(t *testing.T) {
	m := testMapper(t)
	update := func(old, new map[string]any) map[string]any {
		return map[string]any{"operation": "UPDATE", "oldObject": old, "object": new}
	}
	scale := func(old, new any) map[string]any {
		r := update(map[string]any{"metadata": map[string]any{"name": "web"}, "spec": old}, map[string]any{"metadata": map[string]any{"name": "web"}, "spec": new})
		r["subResource"] = "scale"
		return r
	}
	namespace := func(r map[string]any) map[string]any {
		r["resource"] = map[string]any{"version": "v1", "resource": "namespaces"}
		return r
	}
	for _, tt := range []struct {
		name    string
		request map[string]any
		want    string // verb, and what changes
	}{
		{"a delete", map[string]any{"oldObject": thing(production, nil)}, "delete"},
		{"a delete of a sub-resource", map[string]any{"subResource": "x", "oldObject": thing(production, nil)}, "unknown: delete of deployments/x"},
		{"an eviction", map[string]any{"operation": "CREATE", "subResource": "eviction", "resource": map[string]any{"version": "v1", "resource": "pods"}, "object": thing(nil, nil)}, "evict"},
		{"an eviction of something that is no pod", map[string]any{"operation": "CREATE", "subResource": "eviction", "object": thing(nil, nil)}, "unknown: create of deployments/eviction"},
		{"a creation", map[string]any{"operation": "CREATE", "object": thing(production, nil)}, "update"},
		{"a creation of a token", map[string]any{"operation": "CREATE", "subResource": "token", "object": thing(nil, nil)}, "unknown: create of deployments/token"},
		{"an operation that Kubernetes does not have yet", map[string]any{"operation": "MELT", "oldObject": thing(nil, nil)}, "unknown: melt"},
		{"an update without the old object", map[string]any{"operation": "UPDATE", "object": thing(nil, nil)}, "unknown: an update without the old object"},
		{"an update without the new object", map[string]any{"operation": "UPDATE", "oldObject": thing(nil, nil)}, "unknown: an update without the new object"},
		{"an update of another sub-resource", map[string]any{"operation": "UPDATE", "subResource": "finalize", "oldObject": thing(nil, nil), "object": thing(nil, nil)}, "unknown: update of deployments/finalize"},

		{"a scale to zero", scale(replicasSpec(2), map[string]any{}), "scale-to-zero: spec.replicas 2 → 0"},
		{"a scale to an explicit zero", scale(replicasSpec(2), replicasSpec(0)), "scale-to-zero: spec.replicas 2 → 0"},
		{"a scale to less than zero", scale(replicasSpec(2), replicasSpec(-1)), "scale-to-zero: spec.replicas 2 → -1"},
		{"a scale up", scale(replicasSpec(2), replicasSpec(3)), "update"},
		{"a scale down", scale(replicasSpec(2), replicasSpec(1)), "update"},
		{"a scale from zero to zero", scale(map[string]any{}, map[string]any{}), "update"},
		{"a scale to a text", scale(replicasSpec(2), replicasSpec("none")), "unknown: spec.replicas 2 → not a number"},
		{"a scale to a number that is a text", scale(replicasSpec(2), replicasSpec("0")), "scale-to-zero: spec.replicas 2 → 0"},
		{"replicas beyond any number", update(thing(production, replicasSpec(2)), thing(production, replicasSpec(json.Number("1e999")))), "unknown: spec.replicas 2 → not a number"},
		{"replicas to zero", update(thing(production, replicasSpec(2)), thing(production, replicasSpec(0))), "scale-to-zero: spec.replicas 2 → 0"},
		{"replicas gone", update(thing(production, replicasSpec(2)), thing(production, map[string]any{})), "scale-to-zero: spec.replicas 2 → 0"},
		{"the whole spec gone", update(thing(production, replicasSpec(2)), thing(production, nil)), "scale-to-zero: spec.replicas 2 → 0"},

		{"a label removed", update(thing(production, nil), thing(nil, nil)), "unprotect: label env=production removed"},
		{"a label changed", update(thing(production, nil), thing(dev, nil)), `unprotect: label env=production changed to "dev"`},
		{"a label emptied", update(thing(production, nil), thing(map[string]any{"env": ""}, nil)), `unprotect: label env=production changed to ""`},
		{"a label changed to another production value", update(thing(production, nil), thing(map[string]any{"env": "prod"}, nil)), "update"},
		{"one of two labels removed", update(thing(map[string]any{"env": "prod", "environment": "live"}, nil), thing(production, nil)), "update"},
		{"both labels removed", update(thing(map[string]any{"env": "prod", "environment": "live"}, nil), thing(nil, nil)), "unprotect: label env=prod removed; label environment=live removed"},
		{"a label added", update(thing(nil, nil), thing(production, nil)), "update"},
		{"a namespace's label removed", namespace(update(thing(map[string]any{"tier": "1"}, nil), thing(nil, nil))), "unprotect: label tier=1 removed"},
		{"a namespace's label swapped for one that marks only itself", namespace(update(thing(map[string]any{"tier": "1"}, nil), thing(production, nil))), "unprotect: label tier=1 removed"},
		{"a namespace's label removed while it is finalized", func() map[string]any {
			r := namespace(update(thing(map[string]any{"tier": "1"}, nil), thing(nil, nil)))
			r["subResource"] = "finalize"
			return r
		}(), "unprotect: label tier=1 removed"},
		{"data emptied with null", configMapRequest(map[string]any{"data": map[string]any{"a": "1"}}, map[string]any{"data": map[string]any{"a": nil}}), "empty: all data removed, entries: 1"},
		{"replicas less than one", update(thing(production, replicasSpec(2)), thing(production, replicasSpec(0.4))), "scale-to-zero: spec.replicas 2 → 0.4"},
		{"that label of another kind", update(thing(map[string]any{"tier": "1"}, nil), thing(nil, nil)), "update"},
		{"label and replicas at once", update(thing(production, replicasSpec(2)), thing(nil, replicasSpec(0))), "scale-to-zero, unprotect: label env=production removed; spec.replicas 2 → 0"},
		{"label and data at once", configMapRequest(map[string]any{"metadata": map[string]any{"labels": production}, "data": map[string]any{"a": "1"}}, map[string]any{}), "empty, unprotect: label env=production removed; all data removed, entries: 1"},

		{"data removed", configMapRequest(map[string]any{"data": map[string]any{"a": "1", "b": "2"}}, map[string]any{}), "empty: all data removed, entries: 2"},
		{"data emptied value by value", configMapRequest(map[string]any{"data": map[string]any{"a": "1"}}, map[string]any{"data": map[string]any{"a": ""}}), "empty: all data removed, entries: 1"},
		{"binaryData removed", configMapRequest(map[string]any{"binaryData": map[string]any{"a": "MQ=="}}, map[string]any{}), "empty: all data removed, entries: 1"},
		{"one entry removed", configMapRequest(map[string]any{"data": map[string]any{"a": "1", "b": "2"}}, map[string]any{"data": map[string]any{"a": "1"}}), "update"},
		{"data that was empty", configMapRequest(map[string]any{"data": map[string]any{"a": ""}}, map[string]any{}), "update"},
		{"data of a custom resource", update(map[string]any{"data": map[string]any{"a": "1"}}, map[string]any{}), "update"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := decode(recorded(tt.request), false)
			if err != nil {
				t.Fatal(err)
			}
			op, _, ours := m.operation(&r.request)
			got := string(op.Verb)
			for _, verb := range op.Also {
				got += ", " + string(verb)
			}
			if len(op.Changes) > 0 {
				got += ": " + strings.Join(op.Changes, "; ")
			}
			if got != tt.want || !ours {
				t.Errorf("got %s (ours: %v), want %s", got, ours, tt.want)
			}
		})
	}
}

func testMapper(t testing.TB) *mapper {
	return &mapper{
		cluster:            "prod-eu",
		controlPlane:       []*regexp.Regexp{regexp.MustCompile(`^(?:system:serviceaccount:kube-system:.*)$`)},
		agents:             []*regexp.Regexp{regexp.MustCompile(`^(?:.*-bot)$`)},
		selectors:          selectors(t, "env in (production, prod, live)", "environment in (production, prod, live)"),
		namespaceSelectors: selectors(t, "tier=1"),
	}
}

func TestAReviewIsMappedToAnOperation(t *testing.T) {
	identity := operation.Identity{Name: "alice@example.com", Kind: operation.Human}
	source := operation.Source{UID: "u-1"}
	for _, tt := range []struct {
		name    string
		request map[string]any
		want    operation.Operation
		need    needs
	}{
		{
			"a collection delete takes its name from the object",
			map[string]any{
				"name": "", "dryRun": true,
				"oldObject": map[string]any{"metadata": map[string]any{"name": "web", "namespace": "shop", "uid": "o-1", "labels": production, "annotations": map[string]any{"a": "b"}}},
				"userInfo": map[string]any{"username": "alice@example.com", "uid": "a-1", "groups": []any{"dev"},
					"extra": map[string]any{"authentication.kubernetes.io/credential-id": []any{"X509SHA256=ab"}, "other": []any{"x"}}},
			},
			operation.Operation{
				Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, DryRun: true, Source: source,
				Actor: operation.Actor{Identity: identity, UID: "a-1", Groups: []string{"dev"}, Credential: "X509SHA256=ab"},
				Target: operation.Target{
					Reference: operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "o-1"},
					Group:     "apps", Resource: "deployments", Cluster: "prod-eu",
					Labels: map[string]string{"env": "production"}, Annotations: map[string]string{"a": "b"},
				},
			},
			needs{namespace: "shop"},
		},
		{
			"a namespace is cluster-scoped, though the request repeats its name",
			map[string]any{
				"name": "shop", "namespace": "shop", "kind": map[string]any{"kind": "Namespace"}, "resource": map[string]any{"version": "v1", "resource": "namespaces"},
				"oldObject": map[string]any{"metadata": map[string]any{"name": "shop"}},
			},
			operation.Operation{
				Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Source: source,
				Actor: operation.Actor{Identity: identity},
				Target: operation.Target{
					Reference: operation.Reference{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop"},
					Resource:  "namespaces", Cluster: "prod-eu",
				},
			},
			needs{},
		},
		{
			"an eviction needs the pod",
			map[string]any{
				"operation": "CREATE", "subResource": "eviction", "name": "web-1", "kind": map[string]any{"group": "policy", "kind": "Eviction"},
				"resource": map[string]any{"version": "v1", "resource": "pods"}, "object": map[string]any{"metadata": map[string]any{"name": "other", "labels": dev}},
			},
			operation.Operation{
				Surface: operation.Kubernetes, Verb: operation.Evict, Phase: operation.Requested, Source: source,
				Actor: operation.Actor{Identity: identity},
				Target: operation.Target{
					Reference: operation.Reference{Ref: "k8s://prod-eu/core/pods/shop/web-1", Kind: "Pod", Namespace: "shop", Name: "web-1"},
					Resource:  "pods", Cluster: "prod-eu",
				},
			},
			needs{namespace: "shop", object: true},
		},
		{
			"a scale needs the object behind it, and tells the tool",
			map[string]any{
				"operation": "UPDATE", "subResource": "scale", "kind": map[string]any{"group": "autoscaling", "kind": "Scale"}, "options": map[string]any{"fieldManager": "kubectl-scale"},
				"oldObject": map[string]any{"metadata": map[string]any{"name": "web", "uid": "o-1"}, "spec": replicasSpec(2)}, "object": map[string]any{"spec": map[string]any{}},
			},
			operation.Operation{
				Surface: operation.Kubernetes, Verb: operation.ScaleToZero, Phase: operation.Requested, Source: source, Changes: []string{"spec.replicas 2 → 0"},
				Actor: operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "kubectl-scale"}},
				Target: operation.Target{
					Reference: operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "o-1"},
					Group:     "apps", Resource: "deployments", Cluster: "prod-eu",
				},
			},
			needs{namespace: "shop", object: true},
		},
		{
			"a delete without the object is unknown, not harmless",
			map[string]any{"oldObject": nil},
			operation.Operation{
				Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Source: source,
				Actor:   operation.Actor{Identity: identity},
				Unknown: []string{"the labels of the object (the request does not carry it)"},
				Target: operation.Target{
					Reference: operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web"},
					Group:     "apps", Resource: "deployments", Cluster: "prod-eu",
				},
			},
			needs{namespace: "shop"},
		},
		{
			"labels of the wrong type are unknown",
			map[string]any{"oldObject": map[string]any{"metadata": map[string]any{"name": "web", "labels": "env=production"}}},
			operation.Operation{
				Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Source: source,
				Actor:   operation.Actor{Identity: identity},
				Unknown: []string{"metadata.labels (not as Kubernetes defines it)"},
				Target: operation.Target{
					Reference: operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web"},
					Group:     "apps", Resource: "deployments", Cluster: "prod-eu",
				},
			},
			needs{namespace: "shop"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := decode(recorded(tt.request), true)
			if err != nil {
				t.Fatal(err)
			}
			got, need, ours := testMapper(t).operation(&r.request)
			if !ours {
				t.Error("not ours")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("operation (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.need, need, cmp.AllowUnexported(needs{})); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConnectionsAndStatusUpdatesThatWeakenNothingAreNotOurs(t *testing.T) {
	for _, request := range []map[string]any{
		{"operation": "CONNECT", "subResource": "exec", "object": thing(nil, nil)},
		{"operation": "UPDATE", "subResource": "status", "oldObject": thing(production, replicasSpec(2)), "object": thing(production, nil)},
		{"operation": "UPDATE", "subResource": "approval", "oldObject": thing(dev, nil), "object": thing(nil, nil)},
	} {
		r, err := decode(recorded(request), false)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ours := testMapper(t).operation(&r.request); ours {
			t.Errorf("%v is ours", request)
		}
	}
}

func TestKindsOfActor(t *testing.T) {
	for name, want := range map[string]operation.ActorKind{
		"alice@example.com": operation.Human,
		"deploy-bot":        operation.Agent,
		"system:serviceaccount:kube-system:generic-garbage-collector": operation.Controller,
		"system:serviceaccount:argocd:application-controller":         operation.Service,
		"x:system:serviceaccount:kube-system:a":                       operation.Human,
		"":                                                            operation.Human,
	} {
		if got := testMapper(t).actorKind(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

func TestWhatCannotBeReadIsOneClearErrorThatKeepsTheUID(t *testing.T) {
	whole := string(recorded(map[string]any{"oldObject": thing(production, nil)}))
	review := func(format string, args ...any) string {
		return fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1",`+format+`}}`, args...)
	}
	for _, tt := range []struct{ name, body, uid, want string }{
		{"nothing", "", "", "read AdmissionReview: the text is empty"},
		{"blanks", " \n", "", "read AdmissionReview: the text is empty"},
		{"no JSON", "hello", "", "read AdmissionReview: not JSON at byte 0: invalid character 'h' at start of value"},
		{"truncated", `{"kind":"AdmissionReview","request":{"uid":"u-1","name":"we`, "u-1", "read AdmissionReview: the text ends in the middle: truncated"},
		{"a list", "[]", "", `read AdmissionReview: expected an object at "", found [`},
		{"null", "null", "", `read AdmissionReview: kind is ""`},
		{"another kind", `{"kind":"Pod","apiVersion":"v1"}`, "", `read AdmissionReview: kind is "Pod"`},
		{"another version", strings.Replace(whole, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1), "u-1", `read AdmissionReview: apiVersion is "admission.k8s.io/v1beta1", only admission.k8s.io/v1 is understood: set admissionReviewVersions: [v1]`},
		{"no request", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, "", "read AdmissionReview: no request"},
		{"a null request", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":null}`, "", "read AdmissionReview: no request"},
		{"a response", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"u-1"}}`, "", "read AdmissionReview: no request"},
		{"no uid", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"operation":"DELETE"}}`, "", "read AdmissionReview: request.uid is missing"},
		{"no operation", review(`"resource":{"resource":"pods"}`), "u-1", "read AdmissionReview: request.operation is missing"},
		{"no resource", review(`"operation":"DELETE"`), "u-1", "read AdmissionReview: request.resource is missing"},
		{"a number for a name", review(`"name":1`), "u-1", `read AdmissionReview: expected a string at "/request/name", found number`},
		{"a text for a user", review(`"userInfo":"alice"`), "u-1", `read AdmissionReview: expected an object at "/request/userInfo", found string`},
		{"a text for dryRun", review(`"dryRun":"yes"`), "u-1", `read AdmissionReview: expected true or false at "/request/dryRun", found string`},
		{"a text for groups", review(`"userInfo":{"groups":"dev"}`), "u-1", `read AdmissionReview: expected a list at "/request/userInfo/groups", found string`},
		{"invalid UTF-8", review(`"name":"we%sb"`, "\xff"), "u-1", `read AdmissionReview: byte 94, in "/request/name": invalid UTF-8`},
		{"a key twice", review(`"name":"a","name":"b"`), "u-1", `read AdmissionReview: the name at "/request/name" is there twice`},
		{"a label twice among many", review(`"oldObject":{"metadata":{"labels":{%s"a7":"x"}}}`, manyLabels(40)), "u-1", `read AdmissionReview: the name at "/request/oldObject/metadata/labels/a7" is there twice`},
		{"something behind it", whole + "{}", "u-1", "read AdmissionReview: something follows the AdmissionReview"},
		{"a name of 100 KB", review(`"name":"%s"`, strings.Repeat("x", 100_000)), "u-1", `read AdmissionReview: the text at "/request/name" is longer than 64 KiB`},
		{"ten thousand brackets", review(`"object":%s`, strings.Repeat("[", 10_100)), "u-1", "exceeded max depth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := decode([]byte(tt.body), false)
			if err == nil {
				t.Fatal("it was read")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if r.request.uid != tt.uid {
				t.Errorf("uid %q, want %q", r.request.uid, tt.uid)
			}
		})
	}
}

func TestAMillionLabelsAreNotKept(t *testing.T) {
	for name, value := range map[string]string{"texts": `"x"`, "numbers": "1"} {
		t.Run(name, func(t *testing.T) {
			labels := strings.ReplaceAll(manyLabels(100_000), `"x"`, value)
			body := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"DELETE","resource":{"resource":"pods"},` +
				`"oldObject":{"metadata":{"labels":{` + strings.TrimSuffix(labels, ",") + `}}}}}`
			r, err := decode([]byte(body), false)
			if err != nil {
				t.Fatal(err)
			}
			if kept := len(r.request.oldObject.labels); kept > maxNames {
				t.Errorf("%d labels are kept", kept)
			}
			op, _, _ := testMapper(t).operation(&r.request)
			if len(op.Unknown) == 0 || len(op.Unknown) > 2 {
				t.Errorf("unknown: %.200v", op.Unknown)
			}
		})
	}
}

func manyLabels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"a%d":"x",`, i)
	}
	return b.String()
}

func TestEscapedKeysAndValuesAreTheSameAsPlainOnes(t *testing.T) {
	body := strings.NewReplacer(`"labels"`, `"l\u0061bels"`, `"env":"production"`, `"\u0065nv":"producti\u006fn"`).
		Replace(string(recorded(map[string]any{"oldObject": thing(production, nil)})))
	r, err := decode([]byte(body), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"env": "production"}, r.request.oldObject.labels); diff != "" {
		t.Error(diff)
	}
}

// FuzzReview reads any text: it must never panic, and what is read must not
// depend on annotations being wanted.
func FuzzReview(f *testing.F) {
	f.Add(recorded(map[string]any{"oldObject": thing(production, replicasSpec(2))}))
	f.Add(recorded(map[string]any{"operation": "UPDATE", "oldObject": thing(production, replicasSpec(2)), "object": thing(dev, "x")}))
	f.Add(recorded(configMapRequest(map[string]any{"data": map[string]any{"a": "1"}}, map[string]any{"binaryData": "x"})))
	f.Add([]byte(`{"kind":"AdmissionReview","request":{"uid":"u","oldObject":{"metadata":[1],"spec":null,"data":{"a":null}}}}`))
	f.Add([]byte(`{"request":{"uid":"\ud800"}}`))
	m := testMapper(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		with, withErr := decode(body, true)
		without, withoutErr := decode(body, false)
		op, _, _ := m.operation(&with.request)
		if withoutErr != nil || withErr != nil {
			return
		}
		if op.Verb == "" || op.Target.Ref == "" {
			t.Errorf("an operation without a verb or a target: %+v", op)
		}
		with.request.object.annotations, with.request.oldObject.annotations = nil, nil
		with.request.object.odd, with.request.oldObject.odd = nil, nil // odd annotations are only seen if wanted
		without.request.object.odd, without.request.oldObject.odd = nil, nil
		if diff := cmp.Diff(without, with, cmp.AllowUnexported(review{}, request{}, groupResource{}, user{}, object{})); diff != "" {
			t.Errorf("annotations change the rest:\n%s", diff)
		}
	})
}
