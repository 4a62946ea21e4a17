package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

const proposal = `{"scope":{"surface":"kubernetes","verbs":["delete"],"targets":[{"ref":"k8s://prod-eu/core/namespaces/shop","name":"shop"}]},"reason":"the shop moves","duration":"1h30m","not_before":"2026-11-21T04:00:00Z"}`

// planDigest is of a Terraform plan, planUse what somebody sends who applies it.
var (
	planDigest = strings.Repeat("ab12cd34", 8)
	planUse    = `{"token":"` + grantToken + `","plan":"plan://sha256:` + planDigest + `","decision":"` + decisionID + `"}`
)

func TestAUseOfAPlanSaysOfWhich(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"no token", `{"plan":"plan://sha256:` + planDigest + `","decision":"d"}`, "token: missing"},
		{"no plan", `{"token":"` + grantToken + `","decision":"d"}`, "plan: not the canonical name of a Terraform plan, plan://sha256:DIGEST"},
		{"a digest alone", `{"token":"` + grantToken + `","plan":"` + planDigest + `","decision":"d"}`, "plan: not the canonical name of a Terraform plan, plan://sha256:DIGEST"},
		{"a field that there is not", `{"token":"` + grantToken + `","target":"x"}`, "target: no such field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			got := s.do(t, "POST", "/v1/uses", aliceToken, tt.body)
			if p := problem(t, got); p.Status != 400 || p.Detail != tt.want || s.desk.asked != nil {
				t.Errorf("got %+v, asked %v", p, s.desk.asked)
			}
			noSecrets(t, got.body+s.log.String())
		})
	}
}

func TestEachRouteAsksTheDeskForWhatItSays(t *testing.T) {
	asked := breakglass.Proposal{
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Verbs: []operation.Verb{operation.Delete},
			Targets: []operation.Reference{{Ref: "k8s://prod-eu/core/namespaces/shop", Name: "shop"}},
		},
		Reason: "the shop moves", Duration: 90 * time.Minute, NotBefore: time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC),
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		asked              []any
	}{
		{"GET", "/v1/whoami", "", 200, nil},
		{"GET", "/v1/break-glass/requests", "", 200, []any{"list"}},
		{"POST", "/v1/break-glass/requests", proposal, 201, []any{"request", alice(), asked}},
		{"GET", "/v1/break-glass/requests/" + handle, "", 200, []any{"view", handle}},
		{"POST", "/v1/break-glass/requests/" + handle + "/approve", `{"reason":"fine"}`, 200, []any{"judge", alice(), handle, breakglass.Approve, "fine"}},
		{"POST", "/v1/break-glass/requests/" + handle + "/deny", `{"reason":"no"}`, 200, []any{"judge", alice(), handle, breakglass.Deny, "no"}},
		{"POST", "/v1/break-glass/requests/" + handle + "/revoke", `{}`, 200, []any{"judge", alice(), handle, breakglass.Revoke, ""}},
		{"POST", "/v1/break-glass/requests/" + handle + "/token", "", 200, []any{"token", alice(), handle}},
		{"POST", "/v1/break-glass/tokens", `{"token":"` + grantToken + `"}`, 200, []any{"import", alice(), grantToken}},
		{"POST", "/v1/uses", planUse, 200, []any{"use", alice(), grantToken, operation.PlanReference(planDigest), decisionID}},
		{"GET", "/v1/decisions/" + decisionID, "", 200, nil},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			s := newServer(t)
			got := s.do(t, tt.method, tt.path, aliceToken, tt.body)
			if got.status != tt.status {
				t.Fatalf("status %d, want %d:\n%s", got.status, tt.status, got.body)
			}
			if diff := cmp.Diff(tt.asked, s.desk.asked); diff != "" {
				t.Errorf("asked the desk (-want +got):\n%s", diff)
			}
			if got := got.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: %s, want no-store", got)
			}
			if got := got.header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options: %s, want nosniff", got)
			}
			if s.log.Len() > 0 {
				t.Errorf("logged: %s", s.log)
			}
			validate(t, tt.method, tt.path, got)
		})
	}
}

func TestWhatEverybodyMaySee(t *testing.T) {
	s := newServer(t)
	for _, path := range []string{"/.well-known/jwks.json", "/openapi.json"} {
		got := s.do(t, "GET", path, "", "")
		if got.status != 200 || got.header.Get("Cache-Control") != "public, max-age=300" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: status %d, %v", path, got.status, got.header)
		}
		validate(t, "GET", path, got)
	}
	s = newServer(t, func(o *api.HandlerOptions) { o.Keys, o.Decisions = nil, nil })
	for path, token := range map[string]string{"/.well-known/jwks.json": "", "/v1/decisions/" + decisionID: aliceToken} {
		if got := s.do(t, "GET", path, token, ""); got.status != 404 {
			t.Errorf("%s: status %d where there is none, want 404", path, got.status)
		}
	}
}

func TestACaseIsWrittenForPeople(t *testing.T) {
	got := newServer(t).do(t, "GET", "/v1/break-glass/requests/"+handle, aliceToken, "")
	const scope = `{"surface":"kubernetes","audience":"prod-eu","verbs":["delete"],"targets":[{"ref":"k8s://prod-eu/core/namespaces/shop","kind":"Namespace","namespace":"","name":"shop","uid":"7"}],"objects":1}`
	want := `{"id":"bg-k7m4-q9tx","standing":{"state":"active","why":"approved","approvers":["bob@example.com"],"needed":1,"until":"2026-11-21T05:42:47Z","left":1},` +
		`"request":{"id":"bg-k7m4-q9tx","created":"2026-11-21T03:12:47Z","requester":{"name":"alice@example.com","kind":"human","via":"test"},"subject":"alice@example.com","scope":` + scope +
		`,"reason":"the shop moves \u003cout\u003e","ticket":"OPS-7","duration":"1h30m","not_before":"2026-11-21T04:12:47Z","decision":"01JD6QZ0000000000000000000","approvals":2,"plan":{"destroys":4,"managed":9,"names":["gcp://x/y"],"key":"k1"}},` +
		`"verdicts":[{"kind":"approve","by":{"name":"bob@example.com","kind":"human","via":"test"},"at":"2026-11-21T03:13:47Z","reason":"fine","door":"api"}],` +
		`"grant":{"id":"bg-k7m4-q9tx","issuer":"mollyguard/prod-eu","subject":"alice@example.com","credential":"","scope":` + scope +
		`,"reason":"the shop moves \u003cout\u003e","ticket":"OPS-7","approvers":["bob@example.com"],"approvals_digest":"00ff","not_before":"2026-11-21T04:12:47Z","expires":"2026-11-21T05:42:47Z"},` +
		`"uses":[{"grant":"bg-k7m4-q9tx","slot":0,"target":{"ref":"k8s://prod-eu/core/namespaces/shop","kind":"Namespace","namespace":"","name":"shop","uid":"7"},"verb":"delete","actor":"alice@example.com","at":"2026-11-21T05:12:47Z","state":"reserved","decision":"01JD6QZ0000000000000000000"}]}` + "\n"
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("case (-want +got):\n%s", diff)
	}
}

func TestAnAnswerIsNeverTakenForAFailureNorAFailureForAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		status int
		kind   string
		detail string
		logged bool
	}{
		{"a refusal", &breakglass.Refusal{Reason: "nobody approves their own request"}, 403, "refused", "nobody approves their own request", false},
		{"a refusal with several reasons", &breakglass.Refusal{Reason: "reason: missing\nduration: \x1b[2J"}, 403, "refused", "reason: missing\nduration: \\x1b[2J", false},
		{"a refusal that could not be recorded", errors.Join(&breakglass.Refusal{Reason: "no"}, errors.New("the disk is full")), 403, "refused", "no", true},
		{"nothing there", fmt.Errorf("look: %w", breakglass.ErrNotFound), 404, "not-found", "there is nothing under that name", false},
		{"no answer", errors.New("ask issuing policy: it is broken"), 503, "could-not-decide", "ask issuing policy: it is broken", true},
		{"no answer, with a token in it", errors.New("bad: " + aliceToken), 503, "could-not-decide", "bad: [redacted]", true},
		{"no time left", context.DeadlineExceeded, 503, "could-not-decide", "context deadline exceeded", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.desk.err = tt.err
			for _, path := range []string{"/v1/break-glass/requests/" + handle + "/approve", "/v1/break-glass/requests/" + handle + "/token"} {
				got := s.do(t, "POST", path, aliceToken, `{}`)
				p := problem(t, got)
				if p.Status != tt.status || p.Type != "https://mollyguard.dev/problems/"+tt.kind || p.Detail != tt.detail {
					t.Errorf("got %+v", p)
				}
				validate(t, "POST", path, got)
			}
			if (s.log.Len() > 0) != tt.logged {
				t.Errorf("logged: %q, want something: %v", s.log, tt.logged)
			}
			noSecrets(t, s.log.String())
		})
	}
}

func TestWhoIsNotKnownGetsNothing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers []string
		detail  string
	}{
		{"no header", nil, "0 Authorization headers: expected one with a bearer token"},
		{"two headers", []string{"Bearer " + aliceToken, "Bearer " + bobToken}, "2 Authorization headers: expected one with a bearer token"},
		{"another scheme", []string{"Basic YWxpY2U6"}, "the Authorization header holds no bearer token"},
		{"an empty token", []string{"Bearer "}, "the Authorization header holds no bearer token"},
		{"an unknown token", []string{"Bearer strangerSecretToken"}, "no user has this token"},
		{"a long token", []string{"Bearer " + strings.Repeat("x", 17<<10)}, "the token is longer than 16 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			request, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v1/break-glass/requests", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header["Authorization"] = tt.headers
			got := s.send(t, request)
			p := problem(t, got)
			if p.Status != 401 || p.Detail != tt.detail || got.header.Get("WWW-Authenticate") != `Bearer realm="mollyguard"` {
				t.Errorf("got %+v, %v", p, got.header)
			}
			if len(s.desk.asked) > 0 {
				t.Errorf("the desk was asked: %v", s.desk.asked)
			}
			noSecrets(t, s.log.String()+got.body)
			validate(t, "GET", "/v1/break-glass/requests", got)
		})
	}
	s := newServer(t, func(o *api.HandlerOptions) {
		o.Authenticator = people{errors.New("the API server at 10.0.0.1 is down, " + aliceToken)}
	})
	got := s.do(t, "GET", "/v1/whoami", aliceToken, "")
	if p := problem(t, got); p.Status != 503 || p.Detail != "who is asking could not be found out: try again, or see the server's log" {
		t.Errorf("nobody can tell: got %+v", p)
	}
	if !strings.Contains(s.log.String(), "10.0.0.1") {
		t.Errorf("the log does not say why: %s", s.log)
	}
	noSecrets(t, s.log.String()+got.body)
}

func TestADecisionIsShownToItsActorAlone(t *testing.T) {
	s := newServer(t)
	if got := s.do(t, "GET", "/v1/decisions/"+decisionID, aliceToken, ""); got.status != 200 {
		t.Errorf("its actor: status %d", got.status)
	}
	for name, got := range map[string]response{
		"somebody else":         s.do(t, "GET", "/v1/decisions/"+decisionID, bobToken, ""),
		"a decision of nothing": s.do(t, "GET", "/v1/decisions/unknown", aliceToken, ""),
	} {
		if p := problem(t, got); p.Status != 404 || p.Detail != "there is nothing under that name" {
			t.Errorf("%s: got %+v", name, p)
		}
	}
}

func TestPathsAndMethodsThatAreNotThere(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/", 404, ""},
		{"GET", "/v2/whoami", 404, ""},
		{"POST", "/v1/break-glass/requests/" + handle + "/force", 404, ""},
		{"DELETE", "/v1/break-glass/requests", 405, "GET, POST"},
		{"GET", "/v1/break-glass/requests/" + handle + "/approve", 405, "POST"},
		{"OPTIONS", "/v1/whoami", 405, "GET"},
	} {
		got := s.do(t, tt.method, tt.path, aliceToken, "")
		p := problem(t, got)
		if p.Status != tt.status || got.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: got %d, Allow %q, want %d, %q", tt.method, tt.path, p.Status, got.header.Get("Allow"), tt.status, tt.allow)
		}
	}
}

func TestAPanicIsAFaultOfTheServerAndTellsNothing(t *testing.T) {
	s := newServer(t)
	s.desk.panic = "index out of range: " + grantToken
	got := s.do(t, "POST", "/v1/break-glass/tokens", aliceToken, `{"token":"`+grantToken+`"}`)
	if p := problem(t, got); p.Status != 500 || p.Detail != "" {
		t.Errorf("got %+v", p)
	}
	if !strings.Contains(s.log.String(), "panic in the API") {
		t.Errorf("the log does not say so: %s", s.log)
	}
	noSecrets(t, s.log.String()+got.body)
	s.desk.panic = nil
	if got := s.do(t, "GET", "/v1/whoami", aliceToken, ""); got.status != 200 {
		t.Errorf("afterwards: status %d", got.status)
	}
}

func TestRequestsAreCountedByRouteAndStatus(t *testing.T) {
	s := newServer(t)
	s.do(t, "GET", "/v1/whoami", aliceToken, "")
	s.do(t, "GET", "/v1/whoami", "", "")
	s.do(t, "GET", "/v1/break-glass/requests/"+handle, aliceToken, "")
	s.do(t, "GET", "/v1/break-glass/requests/"+otherHandle, aliceToken, "")
	s.do(t, "GET", "/anything", "", "")
	want := `# HELP mollyguard_api_requests_total Requests to the break-glass API, by route and HTTP status.
# TYPE mollyguard_api_requests_total counter
mollyguard_api_requests_total{code="200",route="/v1/break-glass/requests/{id}"} 2
mollyguard_api_requests_total{code="200",route="/v1/whoami"} 1
mollyguard_api_requests_total{code="401",route="/v1/whoami"} 1
mollyguard_api_requests_total{code="404",route="other"} 1
`
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want), "mollyguard_api_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestOnlyOneAnswerHoldsAToken(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/v1/whoami", ""},
		{"GET", "/v1/break-glass/requests", ""},
		{"POST", "/v1/break-glass/requests", proposal},
		{"GET", "/v1/break-glass/requests/" + handle, ""},
		{"POST", "/v1/break-glass/requests/" + handle + "/approve", `{}`},
		{"POST", "/v1/break-glass/tokens", `{"token":"` + grantToken + `"}`},
		{"POST", "/v1/uses", planUse},
	} {
		got := s.do(t, tt.method, tt.path, aliceToken, tt.body)
		noSecrets(t, got.body)
	}
	got := s.do(t, "POST", "/v1/break-glass/requests/"+handle+"/token", aliceToken, "")
	if want := `{"token":"` + grantToken + `"}` + "\n"; got.body != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
	noSecrets(t, s.log.String())
}

func TestAHandlerNeedsWhatItCannotDoWithout(t *testing.T) {
	full := api.HandlerOptions{Desk: &desk{}, Authenticator: people{}, Audience: "prod-eu"}
	if _, err := api.NewHandler(full); err != nil {
		t.Fatal(err)
	}
	without := []func(*api.HandlerOptions){
		func(o *api.HandlerOptions) { o.Desk = nil },
		func(o *api.HandlerOptions) { o.Authenticator = nil },
		func(o *api.HandlerOptions) { o.Audience = "" },
	}
	for i, change := range without {
		options := full
		change(&options)
		if _, err := api.NewHandler(options); err == nil {
			t.Errorf("%d: no error", i)
		}
	}
}
