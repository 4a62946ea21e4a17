package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// issuer is an OpenID Connect issuer on 127.0.0.1.
type issuer struct {
	oidctest.Server
	url    string
	caFile string
	key    *ecdsa.PrivateKey
	now    time.Time
	// down makes it answer 500; asked counts questions by path.
	down        atomic.Bool
	discoveries atomic.Int32
	fetches     atomic.Int32
	// instead answers, if it is not nil and returns true.
	instead func(http.ResponseWriter, *http.Request) bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, now: time.Unix(1_800_000_000, 0)}
	i.publish("k1", key.Public())
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			i.fetches.Add(1)
		} else {
			i.discoveries.Add(1)
		}
		if i.down.Load() {
			http.Error(w, "down", http.StatusInternalServerError)
			return
		}
		if i.instead != nil && i.instead(w, r) {
			return
		}
		i.Server.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	i.SetIssuer(server.URL)
	i.caFile = filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, i.caFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return i
}

func (i *issuer) publish(id string, key crypto.PublicKey) {
	i.PublicKeys = append(i.PublicKeys, oidctest.PublicKey{PublicKey: key, KeyID: id, Algorithm: oidc.ES256})
}

// claims returns those of alice, with some changed, or removed if nil.
func (i *issuer) claims(changed map[string]any) string {
	all := map[string]any{
		"iss": i.url, "aud": "mollyguard", "sub": "1234", "email": "alice@example.com", "email_verified": true,
		"groups": []string{"sre", "oncall"}, "exp": i.now.Add(time.Hour).Unix(), "iat": i.now.Unix(), "jti": "t-1", "hd": "example.com",
	}
	maps.Copy(all, changed)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // of numbers, texts and lists
	}
	return string(text)
}

func (i *issuer) token(changed map[string]any) operation.Secret {
	return operation.NewSecret(oidctest.SignIDToken(i.key, "k1", oidc.ES256, i.claims(changed)))
}

// options are for names by verified e-mail address.
func (i *issuer) options() identity.OIDCOptions {
	return identity.OIDCOptions{
		Issuer: i.url, ClientID: "mollyguard", UsernameClaim: "email", GroupsClaim: "groups", CAFile: i.caFile,
		KindOf: func(name string) operation.ActorKind {
			if strings.HasPrefix(name, "agent-") {
				return operation.Agent
			}
			return operation.Human
		},
		Now: func() time.Time { return i.now },
	}
}

func (i *issuer) authenticator(t *testing.T, options identity.OIDCOptions) *identity.OIDC {
	t.Helper()
	a, err := identity.NewOIDC(options)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNamesAreThoseThatTheAPIServerMakes(t *testing.T) {
	i := newIssuer(t)
	actor := func(name string, kind operation.ActorKind, groups ...string) operation.Actor {
		return operation.Actor{Identity: operation.Identity{Name: name, Kind: kind}, Groups: groups, Credential: "JTI=t-1"}
	}
	for _, tt := range []struct {
		name    string
		options func(*identity.OIDCOptions)
		claims  map[string]any
		want    operation.Actor
		refused string
	}{
		{"an e-mail address has no prefix", nil, nil, actor("alice@example.com", operation.Human, "sre", "oncall"), ""},
		{"any other claim has the issuer's", func(o *identity.OIDCOptions) { o.UsernameClaim = "" }, nil, actor(i.url+"#1234", operation.Human, "sre", "oncall"), ""},
		{"unless a dash says none", func(o *identity.OIDCOptions) { o.UsernameClaim, o.UsernamePrefix = "sub", "-" }, nil, actor("1234", operation.Human, "sre", "oncall"), ""},
		{"prefixes as configured", func(o *identity.OIDCOptions) { o.UsernamePrefix, o.GroupsPrefix = "corp:", "corp-" }, nil, actor("corp:alice@example.com", operation.Human, "corp-sre", "corp-oncall"), ""},
		{"a group that is a text", nil, map[string]any{"groups": "sre"}, actor("alice@example.com", operation.Human, "sre"), ""},
		{"no groups", nil, map[string]any{"groups": nil}, actor("alice@example.com", operation.Human), ""},
		{"groups that are not asked for", func(o *identity.OIDCOptions) { o.GroupsClaim = "" }, nil, actor("alice@example.com", operation.Human), ""},
		{"an agent", nil, map[string]any{"email": "agent-7@example.com"}, actor("agent-7@example.com", operation.Agent, "sre", "oncall"), ""},
		{"what is required", func(o *identity.OIDCOptions) { o.RequiredClaims = map[string]string{"hd": "example.com"} }, nil, actor("alice@example.com", operation.Human, "sre", "oncall"), ""},
		{"another value than required", func(o *identity.OIDCOptions) { o.RequiredClaims = map[string]string{"hd": "example.org"} }, nil, operation.Actor{}, `the token's claim "hd" is not what is required`},
		{"an address that was not verified", nil, map[string]any{"email_verified": false}, operation.Actor{}, "the token's issuer did not verify the e-mail address"},
		{"an address of which nothing is said", nil, map[string]any{"email_verified": nil}, operation.Actor{}, "the token's issuer did not verify the e-mail address"},
		{"verified in words", nil, map[string]any{"email_verified": "true"}, operation.Actor{}, "the token's issuer did not verify the e-mail address"},
		{"no name", nil, map[string]any{"email": nil}, operation.Actor{}, `the token has no claim "email" that is a text`},
		{"a name that is a number", nil, map[string]any{"email": 7}, operation.Actor{}, `the token has no claim "email" that is a text`},
		{"groups that are numbers", nil, map[string]any{"groups": []int{1}}, operation.Actor{}, `the token's claim "groups" is neither a text nor a list of texts`},
		{"a group that only a cluster gives", nil, map[string]any{"groups": []string{"system:masters"}}, operation.Actor{}, `the token claims "system:masters", which only a cluster gives`},
		{"a name that only a cluster gives", func(o *identity.OIDCOptions) { o.UsernameClaim, o.UsernamePrefix = "sub", "-" }, map[string]any{"sub": "system:admin"}, operation.Actor{}, `the token claims "system:admin", which only a cluster gives`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := i.options()
			if tt.options != nil {
				tt.options(&options)
			}
			got, err := i.authenticator(t, options).Authenticate(t.Context(), i.token(tt.claims))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
			if text(err) != tt.refused || tt.refused != "" && !errors.As(err, new(*identity.Rejection)) {
				t.Errorf("got %v, want the rejection %q", err, tt.refused)
			}
		})
	}
}

func TestAForgedTokenIsRefused(t *testing.T) {
	i := newIssuer(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	good := i.token(nil).Reveal()
	parts := strings.Split(good, ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	const notGood = "the token is not good: signature, audience or times"
	for _, tt := range []struct{ name, token, want string }{
		{"no signature", encode(`{"alg":"none"}`) + "." + parts[1] + ".", notGood},
		{"signed with the public key", oidctest.SignIDToken(public, "k1", "HS256", i.claims(nil)), notGood},
		{"signed by somebody else", oidctest.SignIDToken(other, "k1", oidc.ES256, i.claims(nil)), notGood},
		{"another algorithm under the same key id", oidctest.SignIDToken(rsaKey, "k1", oidc.RS256, i.claims(nil)), notGood},
		{"an unknown key id", oidctest.SignIDToken(other, "../../etc/passwd", oidc.ES256, i.claims(nil)), notGood},
		{"other claims under the same signature", parts[0] + "." + encode(i.claims(map[string]any{"email": "eve@example.com"})) + "." + parts[2], notGood},
		{"for another client", i.token(map[string]any{"aud": "other"}).Reveal(), notGood},
		{"for nobody", i.token(map[string]any{"aud": nil}).Reveal(), notGood},
		{"for a list without us", i.token(map[string]any{"aud": []string{}}).Reveal(), notGood},
		{"expired", i.token(map[string]any{"exp": i.now.Add(-time.Second).Unix()}).Reveal(), "the token expired at 2027-01-15T07:59:59Z"},
		{"without an end", i.token(map[string]any{"exp": nil}).Reveal(), "the token does not say when it ends"},
		{"not yet good", i.token(map[string]any{"nbf": i.now.Add(time.Hour).Unix()}).Reveal(), notGood},
		{"of another issuer", i.token(map[string]any{"iss": "https://evil.example.com"}).Reveal(), "not a token of " + i.url},
		{"a megabyte of dots", strings.Repeat(".", 1<<20), "the token is longer than 16 KiB"},
		{"no token at all", "alice", "not a token of " + i.url},
	} {
		t.Run(tt.name, func(t *testing.T) {
			authenticator := i.authenticator(t, i.options())
			_, err := authenticator.Authenticate(t.Context(), operation.NewSecret(tt.token))
			var rejection *identity.Rejection
			if !errors.As(err, &rejection) || rejection.Reason != tt.want {
				t.Fatalf("got %v, want the rejection %q", err, tt.want)
			}
			for part := range strings.SplitSeq(tt.token, ".") {
				if part != "" && strings.Contains(rejection.Reason+rejection.Detail, part) && part != "alice" {
					t.Errorf("the rejection quotes the token: %+v", rejection)
				}
			}
		})
	}
}

func TestAnIssuerThatIsDownIsAskedAgainAfterAWhile(t *testing.T) {
	i := newIssuer(t)
	i.down.Store(true)
	authenticator := i.authenticator(t, i.options()) // starts all the same
	ask := func() error {
		_, err := authenticator.Authenticate(t.Context(), i.token(nil))
		return err
	}
	for range 3 {
		if err := ask(); err == nil || errors.As(err, new(*identity.Rejection)) {
			t.Fatalf("an issuer that is down must be no answer: %v", err)
		}
	}
	if got := i.discoveries.Load(); got != 1 {
		t.Errorf("it was asked %d times within ten seconds, want once", got)
	}
	i.down.Store(false)
	i.now = i.now.Add(10 * time.Second)
	if err := ask(); err != nil {
		t.Errorf("it is up again: %v", err)
	}
	i.down.Store(true)
	if err := ask(); err != nil {
		t.Errorf("what is known is enough while it is down: %v", err)
	}
}

func TestTokensWithUnknownKeysDoNotFloodTheIssuer(t *testing.T) {
	i := newIssuer(t)
	authenticator := i.authenticator(t, i.options())
	next, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	withNext := func() error {
		token := operation.NewSecret(oidctest.SignIDToken(next, "k2", oidc.ES256, i.claims(nil)))
		_, err := authenticator.Authenticate(t.Context(), token)
		return err
	}
	if err := withNext(); !errors.As(err, new(*identity.Rejection)) {
		t.Errorf("an unknown key: got %v, want a rejection", err)
	}
	for range 3 {
		if err := withNext(); err == nil || errors.As(err, new(*identity.Rejection)) {
			t.Errorf("the keys were read a moment ago, a newer one may be there: got %v, want no answer", err)
		}
	}
	if got := i.fetches.Load(); got != 1 {
		t.Errorf("the keys were fetched %d times, want once", got)
	}
	i.publish("k2", next.Public())
	i.now = i.now.Add(10 * time.Second)
	if err := withNext(); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
}

func TestOtherTokensAreNoReasonToAskTheIssuer(t *testing.T) {
	i := newIssuer(t)
	authenticator := i.authenticator(t, i.options())
	userToken, _ := newToken(t, 1)
	for _, token := range []operation.Secret{userToken, i.token(map[string]any{"iss": "https://kubernetes.default.svc"}), operation.NewSecret("a.b.c")} {
		_, err := authenticator.Authenticate(t.Context(), token)
		var rejection *identity.Rejection
		if !errors.As(err, &rejection) || !rejection.Foreign {
			t.Errorf("got %v, want that it is foreign", err)
		}
	}
	if got := i.discoveries.Load(); got != 0 {
		t.Errorf("the issuer was asked %d times", got)
	}
}

func TestAnIssuerHasToBeOneThatCanBeTrusted(t *testing.T) {
	i := newIssuer(t)
	for name, change := range map[string]func(*identity.OIDCOptions){
		"in clear":              func(o *identity.OIDCOptions) { o.Issuer = "http://127.0.0.1" },
		"without a host":        func(o *identity.OIDCOptions) { o.Issuer = "https://" },
		"with a query":          func(o *identity.OIDCOptions) { o.Issuer += "?a=b" },
		"without a client id":   func(o *identity.OIDCOptions) { o.ClientID = "" },
		"with a missing CA":     func(o *identity.OIDCOptions) { o.CAFile = "missing.pem" },
		"with a CA that is not": func(o *identity.OIDCOptions) { o.CAFile = "oidc_test.go" },
	} {
		options := i.options()
		change(&options)
		if _, err := identity.NewOIDC(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	options := i.options()
	options.CAFile = "" // the system's certificates do not sign it
	if _, err := i.authenticator(t, options).Authenticate(t.Context(), i.token(nil)); err == nil || errors.As(err, new(*identity.Rejection)) {
		t.Errorf("an issuer whose certificate nobody vouches for: got %v, want no answer", err)
	}
}

func FuzzIDToken(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5pbnZhbGlkIn0.")
	authenticator, err := identity.NewOIDC(identity.OIDCOptions{
		Issuer: "https://issuer.invalid", ClientID: "c", KindOf: func(string) operation.ActorKind { return operation.Human },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if strings.Contains(token, "."+"eyJpc3Mi") {
			t.Skip() // could be of the issuer, which is not there to be asked
		}
		if actor, err := authenticator.Authenticate(t.Context(), operation.NewSecret(token)); err == nil {
			t.Errorf("%q is %s's", token, actor.Name)
		}
	})
}
