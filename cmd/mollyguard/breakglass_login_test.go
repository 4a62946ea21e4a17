package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// loginIssuer is an OpenID Connect issuer with the device authorization grant (RFC
// 8628).
type loginIssuer struct {
	*httptest.Server
	signer jose.Signer
	public jose.JSONWebKey

	lock sync.Mutex
	// answers are what the token endpoint says, one after the other: an error code,
	// or "" for tokens.
	answers []string
	// asked are the grant types that it was asked for.
	asked []string
	// refreshed counts the refresh tokens that were given out.
	refreshed int
	// expired makes ID tokens that are over already; noIDToken gives none.
	expired, noIDToken bool
	// endpoint is where the configuration says that tokens are, if not here.
	endpoint string
	// noDevices leaves the device grant out.
	noDevices bool
}

func startIssuer(t *testing.T, answers ...string) *loginIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &loginIssuer{answers: answers, public: jose.JSONWebKey{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}
	i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.configuration)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.public}})
	})
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_id") != "mollyguard-cli" || !strings.Contains(r.FormValue("scope"), "openid") {
			i.answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_client", "error_description": "unknown\x1b[2J"})
			return
		}
		i.answer(w, http.StatusOK, map[string]any{
			"device_code": "the-device-code", "user_code": "WDJB-MJHT", "verification_uri": i.URL + "/device", "expires_in": 600, "interval": 1,
		})
	})
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *loginIssuer) answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func (i *loginIssuer) configuration(w http.ResponseWriter, _ *http.Request) {
	i.lock.Lock()
	defer i.lock.Unlock()
	c := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"device_authorization_endpoint": i.URL + "/device", "id_token_signing_alg_values_supported": []string{"ES256"},
	}
	if i.endpoint != "" {
		c["token_endpoint"] = i.endpoint
	}
	if i.noDevices {
		delete(c, "device_authorization_endpoint")
	}
	i.answer(w, http.StatusOK, c)
}

func (i *loginIssuer) token(w http.ResponseWriter, r *http.Request) {
	i.lock.Lock()
	defer i.lock.Unlock()
	i.asked = append(i.asked, r.FormValue("grant_type"))
	switch r.FormValue("grant_type") {
	case "urn:ietf:params:oauth:grant-type:device_code":
		if r.FormValue("device_code") != "the-device-code" {
			i.answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return
		}
	case "refresh_token":
		if r.FormValue("refresh_token") != refreshToken(i.refreshed) {
			i.answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return
		}
	}
	if len(i.answers) > 0 {
		next := i.answers[0]
		i.answers = i.answers[1:]
		if next != "" {
			i.answer(w, http.StatusBadRequest, map[string]string{"error": next})
			return
		}
	}
	i.refreshed++
	tokens := map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 3600, "refresh_token": refreshToken(i.refreshed)}
	if !i.noIDToken {
		tokens["id_token"] = i.idToken()
	}
	i.answer(w, http.StatusOK, tokens)
}

func refreshToken(n int) string { return "refresh-" + strings.Repeat("x", n) }

func (i *loginIssuer) idToken() string {
	expiry := time.Now().Add(time.Hour)
	if i.expired {
		expiry = time.Now().Add(-time.Hour)
	}
	text, err := jwt.Signed(i.signer).Claims(jwt.Claims{
		Issuer: i.URL, Subject: "1234", Audience: jwt.Audience{"mollyguard-cli"}, Expiry: jwt.NewNumericDate(expiry), IssuedAt: jwt.NewNumericDate(time.Now()),
	}).Claims(map[string]any{"email": "alice@example.com", "email_verified": true}).Serialize()
	if err != nil {
		panic(err) // the key is good
	}
	return text
}

// options log in at the issuer, whose certificate is its own authority.
func (i *loginIssuer) options(t *testing.T) issuerOptions {
	t.Helper()
	return issuerOptions{Issuer: i.URL, ClientID: "mollyguard-cli", CA: authorityOf(t, i.Server), Scopes: withDefaults(nil)}
}

func authorityOf(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoggingInAsksUntilSomebodyHasEnteredTheCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []string
		code    int
		err     string
		slow    bool
	}{
		{"at once", []string{""}, exitAllowed, "", false},
		{"after a while", []string{"authorization_pending", ""}, exitAllowed, "", false},
		{"slowly", []string{"slow_down", ""}, exitAllowed, "", true},
		{"refused", []string{"authorization_pending", "access_denied"}, exitDenied, "the login was refused", false},
		{"too late", []string{"expired_token"}, exitUndecided, "the code has expired: nobody entered it in time", false},
		{"something else", []string{"server_error"}, exitUndecided, "wait for the login: the issuer says server_error: ", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.slow && testing.Short() {
				t.Skip("slow_down adds five seconds (RFC 8628 section 3.5)")
			}
			i := startIssuer(t, tt.answers...)
			c, out, talk := testConsole()
			l, name, err := i.options(t).deviceLogin(t.Context(), c)
			if code := exitOf(err); code != tt.code || err != nil && err.Error() != tt.err {
				t.Fatalf("exit code %d, %v; want %d, %s", code, err, tt.code, tt.err)
			}
			if diff := cmp.Diff("mollyguard: open "+i.URL+"/device and enter the code WDJB-MJHT\n", talk.String()); diff != "" || out.Len() > 0 {
				t.Errorf("talk (-want +got):\n%s\noutput: %s", diff, out)
			}
			if err != nil {
				return
			}
			if name != "alice@example.com" || l.idToken.Reveal() == "" || l.refreshToken.Reveal() != refreshToken(1) {
				t.Errorf("logged in as %q, with refresh token %q", name, l.refreshToken.Reveal())
			}
		})
	}
}

func TestALoginThatCannotBeIsToldAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(i *loginIssuer, o *issuerOptions)
		want   string
	}{
		{"no issuer", func(_ *loginIssuer, o *issuerOptions) { o.Issuer = "" }, "--issuer and --client-id must both be given"},
		{"no https", func(_ *loginIssuer, o *issuerOptions) { o.Issuer = "http://127.0.0.1" }, "is not an https URL"},
		{"another authority", func(_ *loginIssuer, o *issuerOptions) { o.CA = "" }, "certificate"},
		{"another name", func(i *loginIssuer, o *issuerOptions) { o.Issuer = i.URL + "/" }, "ask for its configuration of the issuer"},
		{"no devices", func(i *loginIssuer, _ *issuerOptions) { i.noDevices = true }, "offers no login by device code"},
		{"tokens without https", func(i *loginIssuer, _ *issuerOptions) { i.endpoint = "http://127.0.0.1/token" }, "which is not https"},
		{"an unknown client", func(_ *loginIssuer, o *issuerOptions) { o.ClientID = "x" }, `the issuer says invalid_client: unknown\x1b[2J`},
		{"no ID token", func(i *loginIssuer, _ *issuerOptions) { i.noIDToken = true }, "the issuer gave no ID token"},
		{"an ID token that is over", func(i *loginIssuer, _ *issuerOptions) { i.expired = true }, "an ID token that is not good"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := startIssuer(t)
			i.Config.ErrorLog = discardLog()
			o := i.options(t)
			tt.change(i, &o)
			c, _, _ := testConsole()
			_, _, err := o.deviceLogin(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want an error with %q", err, tt.want)
			}
		})
	}
}

// kept is a login that was saved, at a time.
func kept(t *testing.T, i *loginIssuer, expires time.Time) *logins {
	t.Helper()
	cache := &logins{path: filepath.Join(t.TempDir(), "config", "login.json"), server: "https://guard", now: time.Now}
	l := login{
		issuerOptions: i.options(t), idToken: operation.NewSecret("the-old-token"), refreshToken: operation.NewSecret(refreshToken(0)), expires: expires,
	}
	if err := cache.save(l); err != nil {
		t.Fatal(err)
	}
	return cache
}

func TestALoginIsKeptForItsOwnerAlone(t *testing.T) {
	cache := kept(t, startIssuer(t), time.Now().Add(time.Hour))
	info, err := os.Stat(cache.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
	if token, err := cache.token(t.Context()); err != nil || token.Reveal() != "the-old-token" {
		t.Errorf("got %q, %v", token.Reveal(), err)
	}
	other := &logins{path: cache.path, server: "https://elsewhere", now: time.Now}
	if _, err := other.token(t.Context()); err == nil || !strings.Contains(err.Error(), "a login to another server") {
		t.Errorf("a login to another server: got %v", err)
	}
	if err := os.Chmod(cache.path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.token(t.Context()); err == nil || !strings.Contains(err.Error(), "is open to others (mode 0640)") {
		t.Errorf("a file that others can read: got %v", err)
	}
	if err := os.Remove(cache.path); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.token(t.Context()); err == nil || err.Error() != "you are not logged in to https://guard" {
		t.Errorf("no file: got %v", err)
	}
}

func TestALoginIsRenewedOnceWhenItsTimeIsOver(t *testing.T) {
	i := startIssuer(t)
	cache := kept(t, i, time.Now().Add(renewBefore/2))
	var wait sync.WaitGroup
	tokens := make([]operation.Secret, 4)
	for n := range tokens {
		wait.Go(func() {
			var err error
			if tokens[n], err = cache.token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, token := range tokens {
		if token.Reveal() == "the-old-token" || !token.Equal(tokens[0]) {
			t.Errorf("got the tokens %q", []string{tokens[0].Reveal(), token.Reveal()})
		}
	}
	if diff := cmp.Diff([]string{"refresh_token"}, i.asked); diff != "" {
		t.Errorf("the issuer was asked (-want +got):\n%s", diff)
	}
	l, err := cache.load()
	if err != nil || l.refreshToken.Reveal() != refreshToken(1) {
		t.Errorf("kept is the refresh token %q, %v", l.refreshToken.Reveal(), err)
	}
}

func TestALoginThatIsNotRenewedHasExpired(t *testing.T) {
	i := startIssuer(t)
	i.refreshed = 7 // the issuer has taken it back
	for name, change := range map[string]func(*login){
		"taken back":       func(*login) {},
		"no refresh token": func(l *login) { l.refreshToken = operation.NewSecret("") },
	} {
		t.Run(name, func(t *testing.T) {
			cache := kept(t, i, time.Now())
			l, err := cache.load()
			if err != nil {
				t.Fatal(err)
			}
			change(&l)
			if err := cache.save(l); err != nil {
				t.Fatal(err)
			}
			var exit *exitError
			if _, err := cache.token(t.Context()); !errors.As(err, &exit) || exit.Error() != "your login has expired" || exit.code != exitUndecided {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnInterruptedLoginSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	i := startIssuer(t, "authorization_pending")
	c, _, talk := testConsole()
	c.err = writerFunc(func(text []byte) (int, error) {
		cancel() // somebody has seen the code, and does not want to
		return talk.Write(text)
	})
	if _, _, err := i.options(t).deviceLogin(ctx, c); err == nil || err.Error() != "interrupted" {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

func FuzzDecodeLogin(f *testing.F) {
	f.Add([]byte(`{"server":"https://guard","issuer":"https://issuer","client_id":"x","scopes":["openid"],"id_token":"a","refresh_token":"b","expires":"2026-11-21T03:00:00Z"}`))
	f.Add([]byte(`{"server":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := decodeLogin(text, "https://guard")
		if err == nil && (l.Issuer == "" || l.idToken.Reveal() == "") {
			t.Errorf("a login without issuer or token: %s", text)
		}
	})
}

// discardLog is for servers whose clients break off the handshake.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
