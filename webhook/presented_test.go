package webhook

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// annotated is an object with annotations.
func annotated(annotations map[string]any) map[string]any {
	o := thing(nil, nil)
	o["metadata"].(map[string]any)["annotations"] = annotations
	return o
}

func revealed(secrets []operation.Secret) []string {
	var texts []string
	for _, s := range secrets {
		texts = append(texts, s.Reveal())
	}
	return texts
}

func TestWhatIsPresentedIsFoundAndKeptFromPolicies(t *testing.T) {
	lookup, err := NewFileLookup(strings.NewReader(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}
		{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop","name":"web-1","annotations":{"mollyguard.dev/break-glass":"bg-0003-0000","a":"b"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	extra := map[string]any{"username": "alice", "extra": map[string]any{"mollyguard.dev/break-glass": []any{"bg-0001-0000"}, "other": []any{"x"}}}
	for _, tt := range []struct {
		name    string
		request map[string]any
		want    []string
	}{
		{"nothing", map[string]any{"oldObject": annotated(map[string]any{"a": "b"})}, nil},
		{"by the user's extra", map[string]any{"userInfo": extra, "oldObject": thing(nil, nil)}, []string{"bg-0001-0000"}},
		{"on the object that goes", map[string]any{"oldObject": annotated(map[string]any{"mollyguard.dev/break-glass": "bg-0002-0000", "a": "b"})}, []string{"bg-0002-0000"}},
		{"on the object as it will be", map[string]any{
			"operation": "UPDATE", "oldObject": thing(nil, replicasSpec(2)), "object": annotated(map[string]any{"mollyguard.dev/break-glass": "bg-0002-0000"}),
		}, []string{"bg-0002-0000"}},
		{"twice the same", map[string]any{
			"userInfo": extra, "oldObject": annotated(map[string]any{"mollyguard.dev/break-glass": "bg-0001-0000"}),
		}, []string{"bg-0001-0000"}},
		{"behind an eviction", map[string]any{
			"operation": "CREATE", "subResource": "eviction", "name": "web-1", "resource": map[string]any{"version": "v1", "resource": "pods"}, "object": map[string]any{},
		}, []string{"bg-0003-0000"}},
		{"more than anybody needs", map[string]any{
			"userInfo": map[string]any{"username": "alice", "extra": map[string]any{"mollyguard.dev/break-glass": []any{"1", "2", "3", "4", "5"}}}, "oldObject": thing(nil, nil),
		}, []string{"1", "2", "3", "4"}},
		{"longer than any token, which keeps nothing from being read", map[string]any{"oldObject": annotated(map[string]any{"mollyguard.dev/break-glass": strings.Repeat("x", 70<<10), "a": strings.Repeat("y", 200<<10)})}, []string{strings.Repeat("x", maxPresentedText)}},
		{"not a text", map[string]any{"oldObject": annotated(map[string]any{"mollyguard.dev/break-glass": 1})}, nil},
	} {
		for _, reads := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				d := &decider{}
				reviewer := NewReviewer(ReviewerOptions{Decider: d, Lookup: lookup, Cluster: "prod-eu", ReadsAnnotations: func() bool { return reads }})
				op := reviewer.Review(t.Context(), recorded(tt.request), "").Operation
				if diff := cmp.Diff(tt.want, revealed(op.Presented)); diff != "" {
					t.Errorf("presented (-want +got):\n%s", diff)
				}
				if text, ok := op.Target.Annotations[BreakGlassKey]; ok {
					t.Errorf("policies see %s", text)
				}
			})
		}
	}
}

func TestOnlyTheAPIServerIsTrusted(t *testing.T) {
	const unproven = "nothing proves that this call is the API server's (see server.clientCA)"
	const wrong = "this call did not come by the path that the API server was told: if it is the API server's, its webhook configuration is out of date"
	known := func(secret string) bool { return secret == "s3cret" || secret == "bef0re" }
	for _, tt := range []struct {
		name, path string
		known      func(string) bool
		trusted    bool
		want       string
	}{
		{"no secret and no client certificate", Path, nil, false, unproven},
		{"a client certificate", Path, nil, true, ""},
		{"a client certificate, whatever the secret", Path + "/0lder", known, true, ""},
		{"the secret", Path + "/s3cret", known, false, ""},
		{"the one before", Path + "/bef0re", known, false, ""},
		{"an older one", Path + "/0lder", known, false, wrong},
		{"no secret where one is expected", Path, known, false, wrong},
		{"another secret", Path + "/s3creT", known, false, wrong},
		{"the secret and more", Path + "/s3cret/", known, false, wrong},
		{"any secret where none is expected", Path + "/s3cret", nil, false, unproven},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &decider{}
			reviewer := NewReviewer(ReviewerOptions{Decider: d, Lookup: nothingKnown(t), Cluster: "prod-eu"})
			server := httptest.NewServer(NewHandler(HandlerOptions{
				Reviewer: reviewer, Caller: Caller{Known: tt.known, Trusted: tt.trusted},
			}))
			t.Cleanup(server.Close)
			code, _, _ := post(t, server.URL+tt.path, bytes.NewReader(recorded(map[string]any{"oldObject": thing(nil, nil)})))
			if code != 200 || len(d.asked) != 1 {
				t.Fatalf("code %d, judged %d times: an untrusted call is judged like any other", code, len(d.asked))
			}
			if got := d.asked[0].Untrusted; got != tt.want {
				t.Errorf("untrusted %q, want %q", got, tt.want)
			}
		})
	}
}
