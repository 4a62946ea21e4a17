package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/mollyguard/mollyguard/operation"
)

// parsed is an object that is written as JSON; an empty text is none.
func parsed(t testing.TB, text string) map[string]any {
	t.Helper()
	if text == "" {
		return nil
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	// The API server has whole numbers as int64, encoding/json has none.
	o.Object = integers(o.Object).(map[string]any)
	if o.Object["metadata"] == nil {
		o.Object["metadata"] = map[string]any{}
	}
	o.SetName("x")
	return o.Object
}

func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = integers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

// weakeningCase is one update, as the API server sees it.
type weakeningCase struct {
	resource, subResource string // group/resource
	kind                  string
	old, new              string
	user                  string
}

const operatorUser = "system:serviceaccount:operators:some-operator"

func (c weakeningCase) call(t testing.TB) call {
	group, resource, _ := strings.Cut(c.resource, "/")
	k := call{
		operation: admission.Update, group: group, resource: resource, subresource: c.subResource, kind: c.kind,
		namespace: "shop", name: "x", user: "alice", old: parsed(t, c.old), new: parsed(t, c.new),
	}
	if c.user != "" {
		k.user = c.user
	}
	switch resource {
	case "namespaces", "persistentvolumes", "storageclasses", "customresourcedefinitions":
		k.namespace = ""
	}
	if c.old == "" {
		k.operation = admission.Create
	}
	return k
}

// judged is what the mapper makes of a call.
func judgedBy(t testing.TB, m *mapper, c call) (operation.Operation, needs, bool) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
		"uid": "u", "operation": string(c.operation), "name": c.name, "namespace": c.namespace, "subResource": c.subresource,
		"kind":     map[string]any{"kind": c.kind},
		"resource": map[string]any{"group": c.group, "version": "v1", "resource": c.resource},
		"userInfo": map[string]any{"username": c.user}, "object": c.new, "oldObject": c.old,
	}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := decode(body, false)
	if err != nil {
		t.Fatal(err)
	}
	return m.operation(&r.request)
}

// typed is an object as the API server has those of its own kinds.
func typed(t testing.TB, gvk schema.GroupVersionKind, content map[string]any) (runtime.Object, bool) {
	t.Helper()
	o, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil, false // no kind of its own
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, o); err != nil {
		t.Fatalf("%v %v: %v", gvk, content, err)
	}
	return o, true
}

func inWords(op operation.Operation) string {
	text := string(op.Verb)
	for _, verb := range op.Also {
		text += ", " + string(verb)
	}
	if len(op.Changes) > 0 {
		text += ": " + strings.Join(op.Changes, "; ")
	}
	return text
}

const (
	pv      = "/persistentvolumes"
	pvc     = "/persistentvolumeclaims"
	widgets = "example.com/widgets"
)

// TestEachWeakeningIsSeenAndWhatComesNearItIsNot names each weakening with what it looks like and what comes near it.
// sent says that the API server's filter lets it through although it weakens nothing.
func TestEachWeakeningIsSeenAndWhatComesNearItIsNot(t *testing.T) {
	opts := defaultOptions(t)
	opts.WholeCluster = true
	opts.Agents = []string{"system:serviceaccount:agents:.*"}
	configuration := Configuration(opts).Validating
	server := newAPIServer(t)
	mapper := testMapper(t)
	mapper.agents = append(mapper.agents, patterns(t, opts.Agents...)...)
	for _, tt := range weakeningTable() {
		t.Run(tt.name, func(t *testing.T) {
			server.t = t
			c := tt.call(t)
			op, _, ours := judgedBy(t, mapper, c)
			if got := inWords(op); got != tt.want {
				t.Errorf("judged\n%s, want\n%s", got, tt.want)
			}
			harms := op.Verb != operation.Update
			if carried := map[string]bool{"status": true, "resize": true, "approval": true}; carried[c.subresource] && ours != harms {
				t.Errorf("ours: %v", ours)
			}
			for _, c.typed = range []bool{false, true} {
				hooks := server.called(configuration, c)
				if len(hooks) > 1 {
					t.Errorf("typed %v: one request is sent %d times: %v", c.typed, len(hooks), hooks)
				}
				if called := len(hooks) == 1; called != (harms || tt.sent) {
					t.Errorf("typed %v: sent: %v", c.typed, hooks)
				}
			}
		})
	}
}

// FuzzWeakenings reads any text as the old and new object of each weakening: none may
// panic, and what they say is never without words.
func FuzzWeakenings(f *testing.F) {
	for _, tt := range weakeningTable() {
		f.Add(tt.resource, tt.subResource, tt.old, tt.new)
	}
	mapper := testMapper(f)
	f.Fuzz(func(t *testing.T, resource, subResource, old, new string) {
		group, name, _ := strings.Cut(resource, "/")
		if !json.Valid([]byte(old)) || !json.Valid([]byte(new)) {
			return
		}
		resourceText, err := json.Marshal(map[string]string{"group": group, "resource": name})
		if err != nil {
			t.Fatal(err)
		}
		subText, err := json.Marshal(subResource)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"UPDATE", "DELETE"} {
			r, err := decode(fmt.Appendf(nil, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":%q,"resource":%s,"subResource":%s,"oldObject":%s,"object":%s}}`,
				kind, resourceText, subText, old, new), true)
			if err != nil {
				return
			}
			op, _, _ := mapper.operation(&r.request)
			mapper.question(&r.request)
			if op.Verb != operation.Update && op.Verb != operation.Delete && len(op.Changes) == 0 {
				t.Errorf("%s without a word", op.Verb)
			}
		}
	})
}
