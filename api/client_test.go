package api_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

func newClient(t *testing.T, server *httptest.Server, token string) *api.Client {
	t.Helper()
	client, err := api.NewClient(api.ClientOptions{
		URL: server.URL, HTTPClient: server.Client(),
		Token: func(context.Context) (operation.Secret, error) { return operation.NewSecret(token), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAClientIsTheDeskFromAfar(t *testing.T) {
	s := newServer(t)
	client := newClient(t, s.Server, aliceToken)
	proposal := breakglass.Proposal{
		Subject: "system:serviceaccount:ci:deployer", Scope: scope(), Reason: "r", Ticket: "OPS-7", Duration: 45 * time.Minute, NotBefore: start, Decision: decisionID, Approvals: 2,
		Receipt: []byte(`{"kind":"PlanReceipt"}`),
	}
	self := operation.Actor{} // who acts is found out from the token
	caller := alice()
	caller.Via = "mollyguard"
	for _, tt := range []struct {
		name  string
		call  func() (any, error)
		want  any
		asked []any
	}{
		{"request", func() (any, error) { return client.Request(t.Context(), self, proposal) }, shown(), []any{"request", caller, proposal}},
		{"approve", func() (any, error) { return client.Judge(t.Context(), self, handle, breakglass.Approve, "fine") }, shown(), []any{"judge", caller, handle, breakglass.Approve, "fine"}},
		{"deny", func() (any, error) { return client.Judge(t.Context(), self, handle, breakglass.Deny, "no") }, shown(), []any{"judge", caller, handle, breakglass.Deny, "no"}},
		{"revoke", func() (any, error) { return client.Judge(t.Context(), self, handle, breakglass.Revoke, "") }, shown(), []any{"judge", caller, handle, breakglass.Revoke, ""}},
		{"view", func() (any, error) { return client.View(t.Context(), handle) }, shown(), []any{"view", handle}},
		{"list", func() (any, error) { return client.List(t.Context()) }, []breakglass.View{shown(), imported()}, []any{"list"}},
		{"token", func() (any, error) { return client.Token(t.Context(), self, handle) }, operation.NewSecret(grantToken), []any{"token", caller, handle}},
		{"import", func() (any, error) { return client.Import(t.Context(), self, operation.NewSecret(grantToken)) }, shown(), []any{"import", caller, grantToken}},
		{
			"use", func() (any, error) {
				return client.UsePlan(t.Context(), self, operation.NewSecret(grantToken), operation.PlanReference(planDigest), decisionID)
			},
			shown(), []any{"use", caller, grantToken, operation.PlanReference(planDigest), decisionID},
		},
		{"whoami", func() (any, error) { return client.WhoAmI(t.Context()) }, api.Caller{Actor: caller, Audience: "prod-eu"}, nil},
		{"decision", func() (any, error) { return client.Decision(t.Context(), decisionID) }, decision(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.desk.asked = nil
			got, err := tt.call()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.asked, s.desk.asked); diff != "" {
				t.Errorf("asked the desk (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsComeOutAsTheyWentIn(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"a refusal", &breakglass.Refusal{Reason: "line\nand line"}, &breakglass.Refusal{Reason: "line\nand line"}},
		{"nothing there", breakglass.ErrNotFound, breakglass.ErrNotFound},
		{"no answer", errors.New("the store is down"), &api.Problem{
			Type: "https://mollyguard.dev/problems/could-not-decide", Title: "it could not be decided", Status: 503, Detail: "the store is down",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.desk.err = tt.err
			client := newClient(t, s.Server, aliceToken)
			_, err := client.View(t.Context(), handle)
			if diff := cmp.Diff(tt.want, err, cmpopts.EquateErrors()); diff != "" && !cmp.Equal(tt.want, err) {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if _, err := client.Token(t.Context(), operation.Actor{}, handle); err == nil {
				t.Error("a token came with an error")
			}
		})
	}
	s := newServer(t)
	_, err := newClient(t, s.Server, "stranger").WhoAmI(t.Context())
	var rejection *identity.Rejection
	if !errors.As(err, &rejection) || rejection.Reason != "no user has this token" {
		t.Errorf("a token that is not good: %v", err)
	}
}

func TestATokenGoesToOneServerOnly(t *testing.T) {
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(other.Close)
	server := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	_, err := newClient(t, server, aliceToken).List(t.Context())
	if err == nil || !strings.Contains(err.Error(), "answered 307 Temporary Redirect: is it a Mollyguard server?") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoAnswerOfOursIsNotTakenForOne(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"a proxy's 403", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "forbidden", http.StatusForbidden) }, "answered 403 Forbidden: is it a Mollyguard server?"},
		{"a proxy's 404 in JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"status":404}`))
		}, "answered 404 Not Found: is it a Mollyguard server?"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "not JSON at byte 0"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "the body is empty or ends in the middle"},
		{"without an end", func(w http.ResponseWriter, _ *http.Request) {
			line := []byte(strings.Repeat(" ", 1<<20))
			for range 33 {
				_, _ = w.Write(line)
			}
		}, "is larger than 32 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewTLSServer(tt.answer)
			t.Cleanup(server.Close)
			_, err := newClient(t, server, aliceToken).View(t.Context(), handle)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, breakglass.ErrNotFound) || errors.As(err, new(*breakglass.Refusal)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			noSecrets(t, err.Error())
		})
	}
}

func TestAPathThatIsNoAPIIsSaid(t *testing.T) {
	s := newServer(t)
	page := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	for name, server := range map[string]*httptest.Server{"a path of ours that there is not": s.Server, "another server": page} {
		client, err := api.NewClient(api.ClientOptions{
			URL: server.URL + "/foo/", HTTPClient: server.Client(),
			Token: func(context.Context) (operation.Secret, error) { return operation.NewSecret(aliceToken), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.List(t.Context()); err == nil || !strings.HasSuffix(err.Error(), " has no API under /foo: leave the path out of the server's URL") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAServerThatIsNotThereIsUnreachable(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	client := newClient(t, server, aliceToken)
	server.Close()
	_, err := client.List(t.Context())
	var unreachable *api.UnreachableError
	if !errors.As(err, &unreachable) || !errors.As(err, new(*net.OpError)) || !strings.HasPrefix(err.Error(), "ask the server: ") {
		t.Errorf("got %v", err)
	}
}

func TestAClientKnowsWhatItDoesNotUnderstandIsNoReasonToStop(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"id":"bg-k7m4-q9tx","standing":{"state":"active","mood":"good"},"weather":"fine"}`))
	}))
	t.Cleanup(server.Close)
	got, err := newClient(t, server, aliceToken).View(t.Context(), handle)
	if err != nil || got.Standing.State != breakglass.Active {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAClientAsksOnlyWhereATokenIsSafe(t *testing.T) {
	token := func(context.Context) (operation.Secret, error) { return operation.NewSecret(aliceToken), nil }
	for name, options := range map[string]api.ClientOptions{
		"in clear":           {URL: "http://127.0.0.1:1", Token: token},
		"nowhere":            {Token: token},
		"with a user":        {URL: "https://a:b@127.0.0.1", Token: token},
		"without a token":    {URL: "https://127.0.0.1"},
		"with a query in it": {URL: "https://127.0.0.1/?x=y", Token: token},
	} {
		if _, err := api.NewClient(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s := newServer(t)
	client := newClient(t, s.Server, aliceToken)
	for _, id := range []string{"", "../whoami", "a b", "%2e%2e"} {
		if _, err := client.View(t.Context(), id); err == nil {
			t.Errorf("%q was asked for", id)
		}
	}
	errNoToken := errors.New("log in first")
	client, err := api.NewClient(api.ClientOptions{
		URL: s.URL, HTTPClient: s.Client(),
		Token: func(context.Context) (operation.Secret, error) { return operation.Secret{}, errNoToken },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.List(t.Context()); !errors.Is(err, errNoToken) {
		t.Errorf("got %v, want %v", err, errNoToken)
	}
	if len(s.desk.asked) > 0 {
		t.Errorf("the desk was asked: %v", s.desk.asked)
	}
}

func TestDurationsReadAsPeopleWriteThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Minute: "30m", time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 0: "0s", 10 * time.Hour: "10h",
	} {
		text, err := api.Duration(d).MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("%v: got %s, %v, want %s", d, text, err, want)
		}
		var back api.Duration
		if err := back.UnmarshalText(text); err != nil || time.Duration(back) != d {
			t.Errorf("%s reads back as %v, %v", text, time.Duration(back), err)
		}
	}
}
