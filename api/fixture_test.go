package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// The tokens of the people in these tests, and one that a grant is given out as.
const (
	aliceToken  = "aliceSecretToken"
	bobToken    = "bobSecretToken"
	grantToken  = "eyJhbGciOiJFZERTQSJ9.grantSecretToken.c2ln"
	handle      = "bg-k7m4-q9tx"
	otherHandle = "bg-0000-0000"
	decisionID  = "01JD6QZ0000000000000000000"
)

var start = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)

func alice() operation.Actor {
	return operation.Actor{
		Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "test"},
		UID:      "u-1", Groups: []string{"sre"}, Credential: "JTI=1",
	}
}

func bob() operation.Actor {
	return operation.Actor{Identity: operation.Identity{Name: "bob@example.com", Kind: operation.Human, Via: "test"}, Groups: []string{"lead"}}
}

func scope() breakglass.Scope {
	return breakglass.Scope{
		Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Objects: 1,
		Targets: []operation.Reference{{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop", UID: "7"}},
	}
}

// view is a case in which everything is filled in.
func view() breakglass.View {
	request := breakglass.Request{
		ID: handle, Created: start, Requester: alice(), Subject: "alice@example.com", Scope: scope(), Reason: "the shop moves <out>", Ticket: "OPS-7",
		Duration: 90 * time.Minute, NotBefore: start.Add(time.Hour), Decision: decisionID, Approvals: 2,
		Plan: &breakglass.PlanFacts{Destroys: 4, Managed: 9, Names: []string{"gcp://x/y"}, Key: "k1"},
	}
	return breakglass.View{
		Case: breakglass.Case{
			Request:  &request,
			Verdicts: []breakglass.Verdict{{Request: handle, Kind: breakglass.Approve, By: bob(), At: start.Add(time.Minute), Reason: "fine", Door: breakglass.DoorAPI}},
			Grant: &breakglass.Grant{
				ID: handle, Issuer: "mollyguard/prod-eu", Subject: "alice@example.com", Scope: scope(), Reason: request.Reason, Ticket: "OPS-7",
				Approvers: []string{"bob@example.com"}, ApprovalsDigest: "00ff", NotBefore: start.Add(time.Hour), Expires: start.Add(150 * time.Minute),
				Seal: "sealSecret", Token: operation.NewSecret(grantToken),
			},
			Uses: []breakglass.Use{{
				Grant: handle, Target: scope().Targets[0], Verb: operation.Delete, Actor: "alice@example.com", At: start.Add(2 * time.Hour),
				State: breakglass.Reserved, Decision: decisionID,
			}},
		},
		Standing: breakglass.Standing{State: breakglass.Active, Why: "approved", Approvers: []string{"bob@example.com"}, Needed: 1, Until: start.Add(150 * time.Minute), Left: 1},
	}
}

// imported is a case of which most is left out.
func imported() breakglass.View {
	return breakglass.View{
		Case:     breakglass.Case{Grant: &breakglass.Grant{ID: otherHandle, Scope: scope()}},
		Standing: breakglass.Standing{State: breakglass.Void},
	}
}

// shown is the part of view that leaves the server.
func shown() breakglass.View {
	v := view()
	v.Request.Requester = operation.Actor{Identity: v.Request.Requester.Identity}
	v.Verdicts[0].By = operation.Actor{Identity: v.Verdicts[0].By.Identity}
	v.Grant.Seal, v.Grant.Token = "", operation.Secret{}
	return v
}

// desk is an api.Desk with one answer, that keeps what it was asked.
type desk struct {
	view  breakglass.View
	err   error
	panic any

	lock  sync.Mutex
	asked []any
}

func (d *desk) ask(what ...any) (breakglass.View, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.asked = append(d.asked, what...)
	if d.panic != nil {
		panic(d.panic)
	}
	return d.view, d.err
}

func (d *desk) Request(_ context.Context, actor operation.Actor, p breakglass.Proposal) (breakglass.View, error) {
	return d.ask("request", actor, p)
}

func (d *desk) Judge(_ context.Context, actor operation.Actor, id string, kind breakglass.VerdictKind, reason string) (breakglass.View, error) {
	return d.ask("judge", actor, id, kind, reason)
}

func (d *desk) View(_ context.Context, id string) (breakglass.View, error) { return d.ask("view", id) }

func (d *desk) List(context.Context) ([]breakglass.View, error) {
	v, err := d.ask("list")
	return []breakglass.View{v, imported()}, err
}

func (d *desk) Token(_ context.Context, actor operation.Actor, id string) (operation.Secret, error) {
	_, err := d.ask("token", actor, id)
	return operation.NewSecret(grantToken), err
}

func (d *desk) Import(_ context.Context, actor operation.Actor, token operation.Secret) (breakglass.View, error) {
	return d.ask("import", actor, token.Reveal())
}

func (d *desk) UsePlan(_ context.Context, actor operation.Actor, token operation.Secret, plan operation.Reference, decision string) (breakglass.View, error) {
	return d.ask("use", actor, token.Reveal(), plan, decision)
}

// people is an Authenticator that knows Alice and Bob.
type people struct{ err error }

func (p people) Authenticate(_ context.Context, bearer operation.Secret) (operation.Actor, error) {
	switch {
	case p.err != nil:
		return operation.Actor{}, p.err
	case bearer.Reveal() == aliceToken:
		actor := alice()
		actor.Via = ""
		return actor, nil
	case bearer.Reveal() == bobToken:
		actor := bob()
		actor.Via = ""
		return actor, nil
	}
	return operation.Actor{}, &identity.Rejection{Reason: "no user has this token", Detail: "seen: " + bearer.Reveal()}
}

// decisions is one decision about something of Alice's.
type decisions struct{}

func (decisions) Recent(id string) (operation.Decision, bool) {
	return decision(), id == decisionID
}

func decision() operation.Decision {
	return operation.Decision{
		ID: decisionID, Time: start, Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Requested, Outcome: operation.OutcomeDeny,
		Actor: alice().Identity, Target: scope().Targets[0],
		Production: operation.Production{Is: true, Target: true, Because: []string{"label env=production"}},
		Changes:    []string{}, GrantRefused: []string{}, Unknown: []string{},
		Dependents: []operation.Dependents{{Kind: "Pod", Via: operation.Owned, Count: 3, Production: 3, Names: []string{"web-1"}}},
		Volumes: []operation.Volume{
			{Claim: "shop/data", Name: "pv-1", ReclaimPolicy: "Delete", Production: true, Snapshot: "nightly", SnapshotTime: start},
			{Claim: "shop/cache"},
		},
		Violations: []operation.Violation{
			{Policy: "production-delete", Severity: operation.High, Enforcement: operation.EnforceDeny, Message: "m", BreakGlass: operation.BreakGlass{Approvals: 1}},
			{Policy: "other", Severity: operation.Low, Enforcement: operation.EnforceDeny, Message: "m", BreakGlass: operation.BreakGlass{Never: true}},
		},
	}
}

// server is the API on 127.0.0.1.
type server struct {
	*httptest.Server
	desk     *desk
	log      *bytes.Buffer
	registry *prometheus.Registry
	now      time.Time
}

func newServer(t testing.TB, change ...func(*api.HandlerOptions)) *server {
	t.Helper()
	s := &server{desk: &desk{view: view()}, log: &bytes.Buffer{}, registry: prometheus.NewRegistry(), now: start}
	options := api.HandlerOptions{
		Desk: s.desk, Authenticator: people{}, Audience: "prod-eu", Decisions: decisions{},
		Keys: func() any { return map[string]any{"keys": []any{map[string]string{"kty": "OKP", "crv": "Ed25519"}}} },
		Now:  func() time.Time { return s.now }, Log: slog.New(slog.NewJSONHandler(s.log, nil)), Registerer: s.registry,
	}
	for _, c := range change {
		c(&options)
	}
	handler, err := api.NewHandler(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	return s
}

type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request as the bearer of a token, or as nobody.
func (s *server) do(t testing.TB, method, path, token, body string) response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("User-Agent", "test")
	return s.send(t, request)
}

func (s *server) send(t testing.TB, request *http.Request) response {
	t.Helper()
	got, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response{got.StatusCode, got.Header, string(text)}
}

func problem(t testing.TB, r response) api.Problem {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("status %d, Content-Type %s, want application/problem+json:\n%s", r.status, got, r.body)
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != r.status {
		t.Errorf("the problem says %d, the status is %d", p.Status, r.status)
	}
	return p
}

// noSecrets fails if a text holds one of the tokens of these tests.
func noSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{aliceToken, bobToken, "strangerSecretToken", "grantSecretToken", "sealSecret"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in %s", secret, text)
		}
	}
}

// anybody takes every token for the name of its bearer.
type anybody struct{}

func (anybody) Authenticate(_ context.Context, bearer operation.Secret) (operation.Actor, error) {
	return operation.Actor{Identity: operation.Identity{Name: bearer.Reveal(), Kind: operation.Human}}, nil
}
