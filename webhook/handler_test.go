package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/operation"
)

// decider is a Decider that denies production by label and remembers what it
// was asked.
type decider struct {
	lock   sync.Mutex
	asked  []operation.Operation
	decide func(ctx context.Context, op operation.Operation) operation.Decision
}

func (d *decider) Decide(ctx context.Context, op operation.Operation) operation.Decision {
	d.lock.Lock()
	d.asked = append(d.asked, op)
	d.lock.Unlock()
	if d.decide != nil {
		return d.decide(ctx, op)
	}
	decision := operation.Decision{
		ID: "01D", Verb: op.Verb, Outcome: operation.OutcomeAllow, Actor: op.Actor.Identity, Target: op.Target.Reference, Changes: op.Changes, Unknown: op.Unknown,
	}
	if op.Target.Labels["env"] == "production" || len(op.Unknown) > 0 {
		decision.Outcome = operation.OutcomeDeny
		decision.Production = operation.Production{Is: true, Because: append([]string{"label env=production"}, op.Unknown...)}
		decision.Violations = []operation.Violation{{Policy: "p", Severity: operation.High, Enforcement: operation.EnforceDeny, Message: "m"}}
	}
	return decision
}

func (d *decider) Undecidable(_ context.Context, op operation.Operation, cause error) operation.Decision {
	return operation.Decision{ID: "01U", Verb: op.Verb, Outcome: operation.OutcomeUndecided, Error: cause.Error(), Actor: op.Actor.Identity, Target: op.Target.Reference}
}

func nothingKnown(t testing.TB) Lookup {
	t.Helper()
	lookup, err := NewFileLookup(strings.NewReader(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return lookup
}

func newTestServer(t *testing.T, d *decider, timeout time.Duration) *httptest.Server {
	t.Helper()
	reviewer := NewReviewer(ReviewerOptions{
		Decider: d, Lookup: nothingKnown(t), Cluster: "prod-eu", Selectors: testMapper(t).selectors,
	})
	server := httptest.NewServer(NewHandler(HandlerOptions{Reviewer: reviewer, Timeout: timeout, Advice: Advice{Help: "ask #platform"}}))
	t.Cleanup(server.Close)
	return server
}

func post(t *testing.T, url string, body io.Reader) (int, *admissionv1.AdmissionReview, string) {
	t.Helper()
	response, err := http.Post(url, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	var review admissionv1.AdmissionReview
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(data, &review); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
	}
	return response.StatusCode, &review, string(data)
}

func TestARefusalIsAnAnswerInTheAPIServersWords(t *testing.T) {
	server := newTestServer(t, &decider{}, 0)
	code, got, _ := post(t, server.URL, bytes.NewReader(recorded(map[string]any{"oldObject": thing(production, nil)})))
	want := &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Response: &admissionv1.AdmissionResponse{
			UID: "u-1",
			Result: &metav1.Status{Status: "Failure", Code: 403, Reason: metav1.StatusReasonForbidden, Message: `Deployment shop/x is production (label env=production): delete refused

  policy    p (high): m
  actor     alice@example.com
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/apps/deployments/shop/x)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
            ask #platform
`},
			AuditAnnotations: map[string]string{"decision": "01D", "verb": "delete", "outcome": "deny", "policies": "p=deny"},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || code != http.StatusOK {
		t.Errorf("%d (-want +got):\n%s", code, diff)
	}
}

func TestEveryReviewWithAUIDIsAnsweredWithIt(t *testing.T) {
	withUID := func(body string) string {
		return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1",` + body
	}
	// The API server writes the uid first.
	big := []byte(withUID(`"oldObject":{"data":{"a":"` + strings.Repeat("x", 20<<20) + `"}}}}`))
	blocked := &decider{decide: func(ctx context.Context, op operation.Operation) operation.Decision {
		<-ctx.Done()
		return operation.Decision{ID: "01D", Verb: op.Verb, Outcome: operation.OutcomeUndecided, Error: "evaluate policies: " + ctx.Err().Error()}
	}}
	panics := &decider{decide: func(context.Context, operation.Operation) operation.Decision { panic("secret") }}
	for _, tt := range []struct {
		name    string
		decider *decider
		body    io.Reader
		query   string
		code    int32
		reason  metav1.StatusReason
		want    string
	}{
		{"20 MB", &decider{}, bytes.NewReader(big), "", 400, "BadRequest", "larger than 12 MiB"},
		{"20 MB of unknown length", &decider{}, io.MultiReader(bytes.NewReader(big)), "", 400, "BadRequest", "larger than 12 MiB"},
		{"truncated JSON", &decider{}, strings.NewReader(withUID(`"oldObject":{"meta`)), "", 400, "BadRequest", "truncated"},
		{"invalid UTF-8", &decider{}, strings.NewReader(withUID("\"name\":\"\xff\"}}")), "", 400, "BadRequest", "invalid UTF-8"},
		{"another version", &decider{}, bytes.NewReader(bytes.Replace(recorded(nil), []byte("admission.k8s.io/v1"), []byte("admission.k8s.io/v1beta1"), 1)), "", 400, "BadRequest", "only admission.k8s.io/v1 is understood"},
		{"a panic", panics, bytes.NewReader(recorded(nil)), "", 500, "InternalError", "an internal error"},
		{"a time-out that the API server tells", blocked, bytes.NewReader(recorded(map[string]any{"oldObject": thing(nil, nil)})), "?timeout=50ms", 504, "Timeout", "deadline exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := newTestServer(t, tt.decider, time.Minute)
			code, review, text := post(t, server.URL+tt.query, tt.body)
			if code != http.StatusOK || review.Response == nil {
				t.Fatalf("%d: %s", code, text)
			}
			got := review.Response
			if got.UID != "u-1" || got.Allowed || got.Result.Code != tt.code || got.Result.Reason != tt.reason || !strings.Contains(got.Result.Message, tt.want) {
				t.Errorf("uid %q, allowed %v, %+v", got.UID, got.Allowed, got.Result)
			}
			if strings.Contains(text, "secret") {
				t.Errorf("the user is shown what panicked: %s", text)
			}
		})
	}
}

func TestAReviewWithoutAUIDIsAnHTTPError(t *testing.T) {
	server := newTestServer(t, &decider{}, 0)
	for _, tt := range []struct{ name, body, want string }{
		{"nothing", "", "mollyguard: read AdmissionReview: the text is empty\n"},
		{"no JSON", "<html>", "mollyguard: read AdmissionReview: not JSON at byte 0: invalid character '<' at start of value\n"},
		{"another kind", `{"kind":"Pod"}`, "mollyguard: read AdmissionReview: kind is \"Pod\"\n"},
		{"an escape sequence", "{\"kind\":\"\\u001b[2J\"}", "mollyguard: read AdmissionReview: kind is \"\\x1b[2J\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, _, text := post(t, server.URL, strings.NewReader(tt.body)); code != http.StatusBadRequest || text != tt.want {
				t.Errorf("%d %q, want %q", code, text, tt.want)
			}
		})
	}
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s", response.Status)
	}
}

func TestABodyThatEndsTooEarlyIsRefused(t *testing.T) {
	server := newTestServer(t, &decider{}, 0)
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }() // the server has closed it already
	body := recorded(map[string]any{"oldObject": thing(production, nil)})
	fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body)+100, body)
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(answer), `"uid":"u-1","allowed":false`) || !strings.Contains(string(answer), "unexpected EOF") {
		t.Errorf("got %s", answer)
	}
}

func TestManyReviewsAtOnceDoNotMix(t *testing.T) {
	server := newTestServer(t, &decider{}, 0)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			uid, labels := fmt.Sprintf("u-%d", i), dev
			if i%2 == 0 {
				labels = production
			}
			filling := strings.Repeat("x", i*1000) // buffers of all sizes are reused
			body := recorded(map[string]any{"uid": uid, "oldObject": map[string]any{"metadata": map[string]any{"labels": labels, "name": uid}, "x": filling}})
			_, review, text := post(t, server.URL, bytes.NewReader(body))
			if review.Response == nil || string(review.Response.UID) != uid || review.Response.Allowed != (i%2 == 1) {
				t.Errorf("%s: %s", uid, text)
			}
			if i%2 == 0 && !strings.HasPrefix(review.Response.Result.Message, "Deployment shop/"+uid+" is") {
				t.Errorf("%s: %s", uid, review.Response.Result.Message)
			}
		})
	}
	group.Wait()
}

func TestStrangersWhoSendSlowlyDoNotKeepAReviewWaiting(t *testing.T) {
	server := newTestServer(t, &decider{}, time.Minute)
	for range 20 { // each announces 12 MiB and sends one byte
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }() // nobody answers it
		fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", maxBody)
	}
	large := recorded(map[string]any{"oldObject": map[string]any{"metadata": map[string]any{"labels": production}, "x": strings.Repeat("x", 4<<20)}})
	for _, body := range [][]byte{recorded(map[string]any{"oldObject": thing(production, nil)}), large} {
		if _, review, text := post(t, server.URL, bytes.NewReader(body)); review.Response == nil || review.Response.Allowed {
			t.Errorf("%d bytes: %s", len(body), text)
		}
	}
}

func TestASlowSenderIsCutOff(t *testing.T) {
	server := newTestServer(t, &decider{}, time.Minute)
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }() // the server has closed it already
	fmt.Fprintf(connection, "POST /?timeout=50ms HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	answer, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(answer), "400 Bad Request") || !strings.Contains(string(answer), "i/o timeout") {
		t.Errorf("got %s", answer)
	}
}

// brokenLookup knows nothing.
type brokenLookup struct{}

func (brokenLookup) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return nil, errors.New("cache not synced")
}

func (brokenLookup) Object(context.Context, ObjectKey) (ObjectMeta, error) {
	return ObjectMeta{}, errors.New("forbidden")
}

func (brokenLookup) Whole(context.Context, ObjectKey) ([]byte, error) {
	return nil, errors.New("no answer")
}

func (brokenLookup) Owner(context.Context, string, ObjectRef) (bool, error) {
	return false, errors.New("no answer")
}

func TestWhatCannotBeLookedUpIsUnknown(t *testing.T) {
	d := &decider{}
	reviewer := NewReviewer(ReviewerOptions{Decider: d, Lookup: brokenLookup{}, Cluster: "prod-eu"})
	body := recorded(map[string]any{"operation": "UPDATE", "subResource": "scale", "oldObject": thing(nil, replicasSpec(2)), "object": thing(nil, map[string]any{})})
	reviewer.Review(t.Context(), body, "")
	want := []string{"the labels of Deployment shop/x (forbidden)", "the labels of namespace shop (cache not synced)"}
	if diff := cmp.Diff(want, d.asked[0].Unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

func TestLabelsBehindAScaleAndAnEvictionAreLookedUp(t *testing.T) {
	file, err := os.Open("testdata/objects.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	lookup, err := NewFileLookup(file)
	if err != nil {
		t.Fatal(err)
	}
	d := &decider{}
	reviewer := NewReviewer(ReviewerOptions{Decider: d, Lookup: lookup, Cluster: "prod-eu"})
	for _, tt := range []struct {
		name    string
		request map[string]any
		want    operation.Target
	}{
		{
			"a Deployment behind its scale",
			map[string]any{"operation": "UPDATE", "subResource": "scale", "name": "web", "oldObject": map[string]any{"metadata": map[string]any{"uid": "o-1"}}, "object": map[string]any{}},
			operation.Target{
				Reference: operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "o-1"},
				Group:     "apps", Resource: "deployments", Cluster: "prod-eu",
				Labels: map[string]string{"env": "production"}, NamespaceLabels: map[string]string{"team": "shop"},
			},
		},
		{
			"a custom resource behind its scale",
			map[string]any{"operation": "UPDATE", "subResource": "scale", "name": "w", "resource": map[string]any{"group": "example.com", "version": "v1", "resource": "widgets"}, "oldObject": map[string]any{}, "object": map[string]any{}},
			operation.Target{
				Reference: operation.Reference{Ref: "k8s://prod-eu/example.com/widgets/shop/w", Kind: "Widget", Namespace: "shop", Name: "w", UID: "o-2"},
				Group:     "example.com", Resource: "widgets", Cluster: "prod-eu", Annotations: map[string]string{"a": "b"}, NamespaceLabels: map[string]string{"team": "shop"},
			},
		},
		{
			"a Pod behind its eviction",
			map[string]any{"operation": "CREATE", "subResource": "eviction", "name": "web-1", "resource": map[string]any{"version": "v1", "resource": "pods"}, "object": map[string]any{}},
			operation.Target{
				Reference: operation.Reference{Ref: "k8s://prod-eu/core/pods/shop/web-1", Kind: "Pod", Namespace: "shop", Name: "web-1"},
				Resource:  "pods", Cluster: "prod-eu", Labels: map[string]string{"env": "production"}, NamespaceLabels: map[string]string{"team": "shop"},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := reviewer.Review(t.Context(), recorded(tt.request), "").Operation
			if diff := cmp.Diff(tt.want, got.Target); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if len(got.Unknown) > 0 {
				t.Errorf("unknown: %v", got.Unknown)
			}
		})
	}
}

func TestObjectsThatAreNoneAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no JSON", "NAME READY", "not what kubectl get -o json prints: invalid character"},
		{"YAML", "apiVersion: v1", "not what kubectl get -o json prints: invalid character"},
		{"no kind", `{"metadata":{"name":"x"}}`, "an object without kind or metadata.name"},
		{"no name", `{"kind":"List","items":[{"kind":"Pod"}]}`, "items[0]: an object without kind or metadata.name"},
		{"an item that is none", `{"kind":"List","items":[1]}`, "items[0]: json: cannot unmarshal number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewFileLookup(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func FuzzObjects(f *testing.F) {
	f.Add(`{"kind":"List","items":[{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"}}]}`)
	f.Add(`{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"x"}}]} {"kind":"X","metadata":{"name":"y"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		lookup, err := NewFileLookup(strings.NewReader(text))
		if (lookup == nil) == (err == nil) {
			t.Errorf("lookup %v, error %v", lookup, err)
		}
	})
}
