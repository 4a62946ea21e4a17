package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// deskServer is the API of a real desk, with the users Alice and Bob.
type deskServer struct {
	*httptest.Server
	// ca and the tokens' files are what a user has of it.
	ca, alice, bob string
}

// aDecision is what the server remembers: Alice was refused.
const aDecision = "01J0000000000000000000000A"

type rememberedDecisions struct{}

func (rememberedDecisions) Recent(id string) (operation.Decision, bool) {
	return operation.Decision{
		ID: id, Surface: operation.Kubernetes, Verb: operation.Unprotect, Actor: alice().Identity,
		Target: target("k8s://prod-eu/core/namespaces/shop", "Namespace", "", "shop", "uid-1"),
	}, id == aDecision
}

// easyRules want one approval, and no reason that says so.
type easyRules struct{}

func (easyRules) Judge(_ context.Context, q breakglass.Question) (breakglass.Answer, error) {
	answer := breakglass.Answer{Approvals: 1}
	if strings.Contains(q.Request.Reason, "refuse me") {
		answer.Refused = []string{"you said so"}
	}
	return answer, nil
}

type forgetful struct{}

func (forgetful) Note(context.Context, breakglass.Event) error { return nil }

func startDesk(t *testing.T) deskServer {
	t.Helper()
	return startDeskWith(t, func() time.Time { return atTheDesk })
}

// startDeskWith is startDesk with another clock, and other options.
func startDeskWith(t *testing.T, now func() time.Time, change ...func(o *breakglass.DeskOptions)) deskServer {
	t.Helper()
	folder := t.TempDir()
	server := deskServer{alice: filepath.Join(folder, "alice"), bob: filepath.Join(folder, "bob")}
	users := "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Users\nusers:\n"
	for name, file := range map[string]string{alice().Name: server.alice, bob().Name: server.bob} {
		token, hash, err := identity.NewUserToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		users += fmt.Sprintf("- {name: %s, kind: human, token: %q}\n", name, hash)
		if err := os.WriteFile(file, []byte(token.Reveal()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	usersFile := filepath.Join(folder, "users.yaml")
	if err := os.WriteFile(usersFile, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := identity.NewUsers(usersFile)
	if err != nil {
		t.Fatal(err)
	}
	all := identity.Members{Users: []string{".*"}}
	rights, err := identity.NewStatic(identity.StaticOptions{Requesters: all, Approvers: all})
	if err != nil {
		t.Fatal(err)
	}
	book, err := ledger.Open(filepath.Join(folder, "ledger"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := breakglass.NewFileKeyStore(filepath.Join(folder, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := breakglass.NewKeyring(t.Context(), breakglass.KeyringOptions{
		Issuer: "mollyguard/prod-eu", Store: store, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	options := breakglass.DeskOptions{
		Store: book, Keys: keys, Rules: easyRules{}, Authorizer: rightsOf{rights}, Recorder: forgetful{},
		Audience: "prod-eu", Entropy: rand.Reader, Receipt: receiptDesk{}.look, Now: now,
	}
	for _, one := range change {
		one(&options)
	}
	desk, err := breakglass.NewDesk(options)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.NewHandler(api.HandlerOptions{
		Desk: desk, Authenticator: known, Audience: "prod-eu", Decisions: rememberedDecisions{}, Keys: func() any { return keys.Public() },
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Server = httptest.NewTLSServer(handler)
	server.Config.ErrorLog = discardLog()
	t.Cleanup(server.Close)
	server.ca = authorityOf(t, server.Server)
	return server
}

// as runs a command as a user of the server.
func (s deskServer) as(t *testing.T, tokenFile string, args ...string) (out, talk string, err error) {
	t.Helper()
	c, stdout, stderr := testConsole()
	err = deskRun(t, c, append(args, "--server", s.URL, "--ca", s.ca, "--api-token-file", tokenFile)...)
	return stdout.String(), stderr.String(), err
}

func TestTheWholeWayThroughAServer(t *testing.T) {
	server := startDesk(t)
	const ref = "k8s://prod-eu/core/namespaces/shop"

	out, talk, err := server.as(t, server.alice, "request", "delete", ref, "--reason", "moved", "--duration", "45m")
	if err != nil {
		t.Fatal(err)
	}
	handle := aHandle.FindString(out)
	want := `HANDLE         STATE     REQUESTER           WHAT                     CLUSTER   UNTIL    AGE
bg-xxxx-xxxx   pending   alice@example.com   delete namespaces shop   prod-eu   in 1 h   0s
`
	if diff := cmp.Diff(want, plainHandles(out)); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	wantTalk := `mollyguard: bg-xxxx-xxxx asks for delete namespaces shop
mollyguard: warning: nothing was looked up: the grant would be for whatever has this name; with --context NAME it would be for what is there now
mollyguard: somebody who may approve has to: mollyguard approve bg-xxxx-xxxx --server ` + server.URL + `
`
	if diff := cmp.Diff(wantTalk, plainHandles(talk)); diff != "" {
		t.Errorf("talk (-want +got):\n%s", diff)
	}

	if _, _, err := server.as(t, server.alice, "approve", handle); exitOf(err) != exitDenied || err.Error() != "nobody approves their own request" {
		t.Errorf("approved by herself: %v", err)
	}
	if _, _, err := server.as(t, server.alice, "token", handle); exitOf(err) != exitDenied {
		t.Errorf("a token before the approval: %v", err)
	}
	out, talk, err = server.as(t, server.bob, "approve", handle, "--reason", "ok")
	if err != nil || !strings.Contains(out, handle+"   active    alice@example.com") && !strings.Contains(out, handle+"   active   alice@example.com") {
		t.Errorf("approved: %v\n%s", err, out)
	}
	if !strings.HasPrefix(talk, "requester  alice@example.com\n") {
		t.Errorf("the approver reads:\n%s", talk)
	}
	if out, _, err := server.as(t, server.alice, "show", "--wait", handle); err != nil || !strings.Contains(out, "verdicts   approve by bob@example.com, 2026-11-21 04:00:00 CET (now): ok\n") {
		t.Errorf("shown: %v\n%s", err, out)
	}
	out, talk, err = server.as(t, server.alice, "token", handle)
	if err != nil || talk != "" || strings.Count(out, ".") != 2 || strings.Count(out, "\n") != 1 {
		t.Errorf("the token: %v\n%s%s", err, out, talk)
	}
	if _, _, err := server.as(t, server.bob, "token", handle); exitOf(err) != exitDenied || err.Error() != handle+" is somebody else's" {
		t.Errorf("somebody else's token: %v", err)
	}
	if _, _, err := server.as(t, server.alice, "revoke", handle); err != nil {
		t.Errorf("revoked: %v", err)
	}
	if _, _, err := server.as(t, server.alice, "show", "--wait", handle); exitOf(err) != exitDenied {
		t.Errorf("waited for what is revoked: %v", err)
	}
}

func TestADecisionSaysWhatWasRefused(t *testing.T) {
	server := startDesk(t)
	out, talk, err := server.as(t, server.alice, "request", "--for", aDecision, "--reason", "why", "-o", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"decision: " + aDecision, "- unprotect", "uid: uid-1", "duration: 30m"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(talk, "warning") {
		t.Errorf("talk:\n%s", talk)
	}
	for name, file := range map[string]string{"another decision": server.alice, "somebody else's": server.bob} {
		id := aDecision
		if file == server.alice {
			id = "01J0000000000000000000000B"
		}
		if _, _, err := server.as(t, file, "request", "--for", id, "--reason", "why"); exitOf(err) != exitUndecided || !strings.Contains(err.Error(), "does not remember a decision "+id+" about you") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesAreLookedUpInTheClusterThatIsNamed(t *testing.T) {
	server, cluster := startDesk(t), shopCluster(t)
	_, _, err := server.as(t, server.alice, "request", "delete", "deploy", "web", "--reason", "why")
	if exitOf(err) != exitUsage || !strings.Contains(err.Error(), "it is not known in which cluster") {
		t.Errorf("no cluster is named: %v", err)
	}
	out, _, err := server.as(t, server.alice, "request", "delete", "deploy", "web", "--reason", "why", "-o", "json", "--kubeconfig", cluster.kubeconfig(t))
	if err != nil || !strings.Contains(out, `"ref": "k8s://prod-eu/apps/deployments/shop/web"`) || !strings.Contains(out, `"uid": "uid-of-web"`) {
		t.Errorf("looked up: %v\n%s", err, out)
	}
}

func TestWhatAServerSaysEndsACommand(t *testing.T) {
	server := startDesk(t)
	stranger := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(stranger, []byte("mgu_nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token string
		args        []string
		code        int
		want        string
	}{
		{"refused by policy", server.alice, []string{"request", "delete", "k8s://prod-eu/core/namespaces/shop", "--reason", "refuse me"}, exitDenied, "you said so"},
		{"another cluster", server.alice, []string{"request", "delete", "k8s://test/core/namespaces/shop", "--reason", "why"}, exitDenied, "this is prod-eu, the request is for test"},
		{"too long", server.alice, []string{"request", "delete", "k8s://prod-eu/core/namespaces/shop", "--reason", "why", "--duration", "5h"}, exitDenied, "5h0m0s is more than 4h0m0s"},
		{"nothing there", server.alice, []string{"show", "bg-0000-0000"}, exitUndecided, "there is nothing under bg-0000-0000"},
		{"a stranger", stranger, []string{"list"}, exitUndecided, "the server does not know you: no user has this token"},
		{"no token of ours", server.alice, []string{"use", "x"}, exitDenied, "it is not of the form"},
		{"no token at all", filepath.Join(t.TempDir(), "none"), []string{"list"}, exitUsage, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, _, err := server.as(t, tt.token, tt.args...)
			if exitOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) || out != "" {
				t.Errorf("got exit code %d, %v; want %d and %q\n%s", exitOf(err), err, tt.code, tt.want, out)
			}
		})
	}
}

func TestANameThatNothingHasIsNotTakenAsItIs(t *testing.T) {
	server := startDesk(t)
	const nothingLookedUp = "mollyguard: warning: nothing was looked up"
	for _, tt := range []struct{ name, ref, err, warning string }{
		{"a name without its group", "k8s://prod-eu/deployments/shop/web", "there is no API group deployments", ""},
		{"a group that is misspelt", "k8s://prod-eu/app/deployments/shop/web", "there is no API group app:", ""},
		{"another cluster", "k8s://test/core/namespaces/shop", "this is prod-eu", ""},
		{"a singular", "k8s://prod-eu/core/pod/shop/web", "", "k8s://prod-eu/core/pod/shop/web: the resource is written pods: "},
		{"a kind", "k8s://prod-eu/apps/Deployment/shop/web", "", "the resource is written deployments: "},
		{"a kind that is not known", "k8s://prod-eu/example.com/Widgets/shop/web", "", "a resource has no capitals: "},
		{"a plural", "k8s://prod-eu/example.com/widgets/shop/web", "", nothingLookedUp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, talk, err := server.as(t, server.alice, "request", "delete", tt.ref, "--reason", "why")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.HasPrefix(err.Error(), "scope") || talk != "" {
					t.Errorf("got %v, want %q; talk:\n%s", err, tt.err, talk)
				}
				return
			}
			if err != nil || !strings.Contains(talk, tt.warning) || !strings.Contains(talk, nothingLookedUp) {
				t.Errorf("got %v; talk:\n%s", err, talk)
			}
		})
	}
}

func TestWhoMayNotRevokeMayDeny(t *testing.T) {
	server := startDesk(t)
	out, _, err := server.as(t, server.alice, "request", "delete", "k8s://prod-eu/core/namespaces/shop", "--reason", "why")
	if err != nil {
		t.Fatal(err)
	}
	handle := aHandle.FindString(out)
	_, _, err = server.as(t, server.bob, "revoke", handle)
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitDenied || exit.err.Error() != "bob@example.com may not revoke" || !strings.HasSuffix(exit.hint, "; deny ends it too, for those who may approve") {
		t.Errorf("got %+v", exit)
	}
	if _, talk, err := server.as(t, server.bob, "deny", handle); err != nil || !strings.HasPrefix(talk, "mollyguard: denied: ") {
		t.Errorf("denied: %v\n%s", err, talk)
	}
}

func TestWhereNoServerIsTheHintSaysWhatToLookAt(t *testing.T) {
	server := startDesk(t)
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	gone.Close()
	const names, address = "certificates.ips", "is --server the address of the API"
	for _, tt := range []struct {
		name string
		args []string
		hint string
	}{
		{"an authority that is not known", []string{"--server", server.URL}, names},
		{"another name", []string{"--server", strings.Replace(server.URL, "127.0.0.1", "localhost", 1), "--ca", server.ca}, names},
		{"nobody is there", []string{"--server", gone.URL}, address},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, _ := testConsole()
			err := deskRun(t, c, append([]string{"list", "--api-token-file", server.alice}, tt.args...)...)
			var exit *exitError
			if !errors.As(err, &exit) || exit.code != exitUndecided || !strings.Contains(exit.hint, tt.hint) {
				t.Errorf("got %+v", err)
			}
		})
	}
}

func TestAnUnknownAuthorityIsNotTrusted(t *testing.T) {
	server := startDesk(t)
	c, _, _ := testConsole()
	err := deskRun(t, c, "list", "--server", server.URL, "--api-token-file", server.alice)
	if exitOf(err) != exitUndecided || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}

func TestWaitingAtARequestEndsWithTheCommandToRunAgain(t *testing.T) {
	server := startDesk(t)
	cluster := shopCluster(t)
	c, out, talk := testConsole()
	after := c.after
	approved := false
	c.after = func(d time.Duration) <-chan time.Time { // Bob approves while Alice waits
		if handle := aHandle.FindString(talk.String()); !approved && handle != "" {
			approved = true
			if _, _, err := server.as(t, server.bob, "approve", handle); err != nil {
				t.Error(err)
			}
		}
		return after(d)
	}
	const command = "kubectl -n shop delete deploy/web"
	err := deskRun(t, c, "request", "--wait", "--for", command, "--reason", "why", "--kubeconfig", cluster.kubeconfig(t),
		"--server", server.URL, "--ca", server.ca, "--api-token-file", server.alice)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(talk.String(), "is approved: run your command again:\n  "+command+"\n") {
		t.Errorf("talk:\n%s", talk)
	}
	if !strings.Contains(out.String(), "active") {
		t.Errorf("output:\n%s", out)
	}
}
