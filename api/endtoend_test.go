package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
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

// oneApproval is issuing policy that asks for one approval.
type oneApproval struct{}

func (oneApproval) Judge(context.Context, breakglass.Question) (breakglass.Answer, error) {
	return breakglass.Answer{Approvals: 1}, nil
}

// rights lends identity's rights to the desk.
type rights struct{ identity.Authorizer }

func (r rights) Allowed(ctx context.Context, actor operation.Actor, right breakglass.Right) (bool, string, error) {
	return r.Authorizer.Allowed(ctx, actor, string(right))
}

// site is a whole server without a cluster: users file, lists of rights, ledger,
// keys, desk.
type site struct {
	*httptest.Server
	now       time.Time
	usersFile string
	users     map[string]string // lines of the users file, by name
	tokens    map[string]operation.Secret
	events    *bytes.Buffer
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{
		now: start, usersFile: filepath.Join(dir, "users.yaml"),
		users: map[string]string{}, tokens: map[string]operation.Secret{}, events: &bytes.Buffer{},
	}
	for name, group := range map[string]string{"alice": "dev", "bob": "lead"} {
		token, hash, err := identity.NewUserToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s.tokens[name] = token
		s.users[name] = "- {name: " + name + ", kind: human, groups: [" + group + "], token: '" + hash + "'}\n"
	}
	s.writeUsers(t)
	users, err := identity.NewUsers(s.usersFile)
	if err != nil {
		t.Fatal(err)
	}
	static, err := identity.NewStatic(identity.StaticOptions{
		Requesters: identity.Members{Users: []string{".*"}}, Approvers: identity.Members{Groups: []string{"lead"}}, Current: users.Current,
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := ledger.Open(filepath.Join(dir, "ledger.db"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := ledger.NewLog(s.events)
	t.Cleanup(func() {
		if err := errors.Join(store.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	})
	keyStore, err := breakglass.NewFileKeyStore(filepath.Join(dir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return s.now }
	keys, err := breakglass.NewKeyring(t.Context(), breakglass.KeyringOptions{Issuer: "mollyguard/prod-eu", Store: keyStore, Now: now, Entropy: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := breakglass.NewDesk(breakglass.DeskOptions{
		Store: store, Keys: keys, Rules: oneApproval{}, Authorizer: rights{static}, Recorder: ledger.Events{Log: log, Outbox: store},
		Audience: "prod-eu", Now: now, Entropy: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.NewHandler(api.HandlerOptions{
		Desk: desk, Authenticator: identity.First(users), Audience: "prod-eu", Keys: func() any { return keys.Public() }, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	return s
}

func (s *site) writeUsers(t *testing.T) {
	t.Helper()
	text := "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Users\nusers:\n"
	for _, line := range s.users {
		text += line
	}
	if err := os.WriteFile(s.usersFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *site) client(t *testing.T, name string) *api.Client {
	t.Helper()
	return newClient(t, s.Server, s.tokens[name].Reveal())
}

func refusal(t *testing.T, err error) string {
	t.Helper()
	var refusal *breakglass.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refusal.Reason
}

func TestTheKeysThatAreShownArePublic(t *testing.T) {
	s := &server{Server: newSite(t).Server}
	got := s.do(t, "GET", "/.well-known/jwks.json", "", "")
	validate(t, "GET", "/.well-known/jwks.json", got)
	if !strings.Contains(got.body, `"kty":"OKP"`) || strings.Contains(got.body, `"d":`) {
		t.Errorf("keys: %s", got.body)
	}
}

func TestASecondPersonApprovesAndTheSubjectGetsTheToken(t *testing.T) {
	s := newSite(t)
	alice, bob := s.client(t, "alice"), s.client(t, "bob")
	var nobody operation.Actor

	caller, err := alice.WhoAmI(t.Context())
	if err != nil || caller.Actor.Name != "alice" || caller.Audience != "prod-eu" {
		t.Fatalf("who am I: %+v, %v", caller, err)
	}
	asked, err := alice.Request(t.Context(), nobody, breakglass.Proposal{Scope: scope(), Reason: "the shop moves"})
	if err != nil {
		t.Fatal(err)
	}
	id := asked.ID()
	if asked.Standing.State != breakglass.Pending || asked.Request.Duration != 30*time.Minute {
		t.Errorf("asked: %+v", asked)
	}
	_, err = alice.Token(t.Context(), nobody, id)
	if got, want := refusal(t, err), id+": pending: 0 of 1 approvals"; got != want {
		t.Errorf("a token too early: %q, want %q", got, want)
	}
	_, err = alice.Judge(t.Context(), nobody, id, breakglass.Approve, "me")
	if got, want := refusal(t, err), "nobody approves their own request"; got != want {
		t.Errorf("self-approval: %q, want %q", got, want)
	}
	approved, err := bob.Judge(t.Context(), nobody, id, breakglass.Approve, "fine")
	if err != nil || approved.Standing.State != breakglass.Active {
		t.Fatalf("approved: %+v, %v", approved, err)
	}
	_, err = bob.Token(t.Context(), nobody, id)
	if got, want := refusal(t, err), id+" is somebody else's"; got != want {
		t.Errorf("another's token: %q, want %q", got, want)
	}
	token, err := alice.Token(t.Context(), nobody, id)
	if err != nil || token.Reveal() == "" {
		t.Fatalf("the token: %v", err)
	}
	_, err = bob.Import(t.Context(), nobody, token)
	if got, want := refusal(t, err), "the token is somebody else's"; got != want {
		t.Errorf("a stolen token: %q, want %q", got, want)
	}
	list, err := bob.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %+v, %v", list, err)
	}
	one, err := bob.View(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list[0], one); diff != "" {
		t.Errorf("view and list differ:\n%s", diff)
	}

	delete(s.users, "bob") // bob leaves
	s.writeUsers(t)
	one, err = alice.View(t.Context(), id)
	if err != nil || one.Standing.State != breakglass.Void || !strings.Contains(one.Standing.Why, "bob is not a user here any more") {
		t.Errorf("after the approver has left: %+v, %v", one.Standing, err)
	}
	if _, err := bob.WhoAmI(t.Context()); !errors.As(err, new(*identity.Rejection)) {
		t.Errorf("bob is let in: %v", err)
	}

	ended, err := alice.Judge(t.Context(), nobody, id, breakglass.Revoke, "not needed")
	if err != nil || ended.Standing.State != breakglass.Revoked {
		t.Errorf("revoked: %+v, %v", ended.Standing, err)
	}
	if _, err := alice.View(t.Context(), "bg-0000-0000"); !errors.Is(err, breakglass.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
	for name, secret := range s.tokens {
		if strings.Contains(s.events.String(), secret.Reveal()) {
			t.Errorf("the log has %s's token", name)
		}
	}
	if strings.Contains(s.events.String(), token.Reveal()) {
		t.Error("the log has the grant's token")
	}
}

func TestAPlanIsAppliedOnceWithATokenThatAPipelineBrings(t *testing.T) {
	s := newSite(t)
	alice, bob := s.client(t, "alice"), s.client(t, "bob")
	var nobody operation.Actor
	plan := operation.PlanReference(planDigest)
	asked, err := alice.Request(t.Context(), nobody, breakglass.Proposal{
		Scope: breakglass.Scope{
			Surface: operation.Terraform, Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{plan}, Objects: 300,
		},
		Reason: "the shop moves",
	})
	if err != nil {
		t.Fatal(err)
	}
	id := asked.ID()
	if _, err := bob.Judge(t.Context(), nobody, id, breakglass.Approve, "fine"); err != nil {
		t.Fatal(err)
	}
	token, err := alice.Token(t.Context(), nobody, id)
	if err != nil {
		t.Fatal(err)
	}
	used, err := bob.UsePlan(t.Context(), nobody, token, plan, decisionID)
	if err != nil || used.Standing.State != breakglass.Used || len(used.Uses) != 1 || used.Uses[0].Actor != "bob" {
		t.Fatalf("used: %+v, %v", used, err)
	}
	if _, err := bob.UsePlan(t.Context(), nobody, token, plan, decisionID); err != nil {
		t.Errorf("the same again: %v", err)
	}
	_, err = bob.UsePlan(t.Context(), nobody, token, plan, "01JD6QZ0000000000000000001")
	if got, want := refusal(t, err), id+": used already at 2026-11-21T03:12:47Z for "+decisionID; got != want {
		t.Errorf("another use: %q, want %q", got, want)
	}
	if strings.Contains(s.events.String(), token.Reveal()) {
		t.Error("the log has the grant's token")
	}
}
