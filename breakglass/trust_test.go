package breakglass

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// trusting lets a keyring trust another by a file.
func trusting(t testing.TB, issuer string, other *Keyring) func(*KeyringOptions) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	writeJWKS(t, path, other)
	return func(o *KeyringOptions) { o.Trusted = append(o.Trusted, TrustedIssuer{Issuer: issuer, File: path}) }
}

func writeJWKS(t testing.TB, path string, k *Keyring) {
	t.Helper()
	if err := os.WriteFile(path, jwksOf(t, k), 0o644); err != nil {
		t.Fatal(err)
	}
}

func jwksOf(t testing.TB, k *Keyring) []byte {
	t.Helper()
	data, err := json.Marshal(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// publisher serves a JWK set as tests tell it to.
type publisher struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func newPublisher(t testing.TB, answer http.HandlerFunc) *publisher {
	t.Helper()
	p := &publisher{}
	p.answer.Store(&answer)
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		(*p.answer.Load())(w, r)
	}))
	p.Config.ErrorLog = nil
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) set(answer http.HandlerFunc) { p.answer.Store(&answer) }

func (p *publisher) trusted(issuer string) func(*KeyringOptions) {
	return func(o *KeyringOptions) {
		o.Trusted = append(o.Trusted, TrustedIssuer{Issuer: issuer, URL: p.URL + "/jwks.json"})
		o.HTTPClient = p.Client()
	}
}

func serve(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

func away(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

func TestAnIssuerThatCannotBeTrusted(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "jwks.json")
	for _, tt := range []struct {
		name    string
		trusted []TrustedIssuer
		want    string
	}{
		{"without a name", []TrustedIssuer{{URL: "https://a.example/jwks"}}, "trusted[0]: issuer: missing"},
		{"without keys", []TrustedIssuer{{Issuer: "a"}}, "trusted[0]: one of file and url must be given"},
		{"with two sets of keys", []TrustedIssuer{{Issuer: "a", File: "x", URL: "https://a.example"}}, "trusted[0]: one of file and url must be given"},
		{"http", []TrustedIssuer{{Issuer: "a", URL: "http://127.0.0.1/jwks"}}, `trusted[0]: url: "http://127.0.0.1/jwks" is not an https:// address`},
		{"a file address", []TrustedIssuer{{Issuer: "a", URL: "file:///etc/keys"}}, `trusted[0]: url: "file:///etc/keys" is not an https:// address`},
		{"a password", []TrustedIssuer{{Issuer: "a", URL: "https://u:p@a.example"}}, "trusted[0]: url: has a user or a fragment, which are no use here"},
		{"ourselves", []TrustedIssuer{{Issuer: "hub", URL: "https://a.example"}}, `trusted[0]: issuer: "hub" is there already`},
		{"one twice", []TrustedIssuer{{Issuer: "a", URL: "https://a.example"}, {Issuer: "a", URL: "https://b.example"}}, `trusted[1]: issuer: "a" is there already`},
		{"a file that is not there", []TrustedIssuer{{Issuer: "a", File: missing}}, "trusted[0]: keys of issuer a: stat " + missing + ": no such file or directory"},
		{"too many", make([]TrustedIssuer, maxTrusted+1), "trusted: 17 issuers, at most 16\n" + strings.TrimSuffix(strings.Join(func() (lines []string) {
			for i := range maxTrusted + 1 {
				lines = append(lines, fmt.Sprintf("trusted[%d]: issuer: missing", i))
			}
			return lines
		}(), "\n"), "\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewKeyring(t.Context(), KeyringOptions{Issuer: "hub", Store: &memoryKeyStore{}, Trusted: tt.trusted})
			if err == nil || err.Error() != "break-glass keys: "+tt.want {
				t.Errorf("got  %v\nwant break-glass keys: %s", err, tt.want)
			}
		})
	}
}

func TestNoIssuerSignsInAnothersName(t *testing.T) {
	a, _ := newTestRing(t, "a", 1, nil)
	b, _ := newTestRing(t, "b", 2, nil)
	k, _ := newTestRing(t, "hub", 3, func(o *KeyringOptions) { trusting(t, "a", a)(o); trusting(t, "b", b)(o) })
	_, err := k.Verify(t.Context(), mustSign(t, renamed(a, "b"), ringGrant("b")), ringStart)
	wantReason(t, "it is signed with a key that is not one of its issuer, b", err)
	_, err = k.Verify(t.Context(), mustSign(t, renamed(a, "hub"), ringGrant("hub")), ringStart)
	wantReason(t, "it is signed with a key that is not one of its issuer, hub", err)
	for _, ring := range []*Keyring{a, b, k} {
		_, err = k.Verify(t.Context(), mustSign(t, ring, ringGrant(ring.Issuer())), ringStart)
		wantReason(t, "", err)
	}
}

func TestAnIssuerThatPublishesAnothersKeyChangesNothing(t *testing.T) {
	a, _ := newTestRing(t, "a", 1, nil)
	pa := newPublisher(t, serve(jwksOf(t, a)))
	thief := newPublisher(t, serve(jwksOf(t, a)))
	k, _ := newTestRing(t, "hub", 3, func(o *KeyringOptions) {
		pa.trusted("a")(o)
		thief.trusted("thief")(o)
		o.HTTPClient = pa.Client() // both servers have httptest's certificate
	})
	g := ringGrant("a")
	for _, other := range k.others { // whichever is known first
		if _, ok, err := other.key(t.Context(), a.List()[0].ID); !ok || err != nil {
			t.Fatal(ok, err)
		}
		got, err := k.Verify(t.Context(), mustSign(t, a, g), ringStart)
		wantReason(t, "", err)
		if diff := cmp.Diff(g, got, sameSecrets); diff != "" {
			t.Errorf("grant (-want +got):\n%s", diff)
		}
	}
}

func TestAFileOfKeysIsReadAgain(t *testing.T) {
	a, aClock := newTestRing(t, "a", 1, nil)
	path := filepath.Join(t.TempDir(), "jwks.json")
	writeJWKS(t, path, a)
	k, clock := newTestRing(t, "hub", 3, func(o *KeyringOptions) { o.Trusted = []TrustedIssuer{{Issuer: "a", File: path}} })
	old := mustSign(t, a, ringGrant("a"))
	if _, err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	writeJWKS(t, path, a)
	clock.add(askAgainAfter)
	_, err := k.Verify(t.Context(), mustSign(t, a, ringGrant("a")), ringStart)
	wantReason(t, "", err)

	aClock.add(DefaultOverlap) // the first key is withdrawn
	writeJWKS(t, path, a)
	clock.add(freshFor)
	_, err = k.Verify(t.Context(), old, ringStart)
	wantReason(t, "it is signed with a key that is not one of its issuer, a", err)
}

func TestAnIssuerIsAskedOnceForManyTokens(t *testing.T) {
	a, _ := newTestRing(t, "a", 1, nil)
	stranger, _ := newTestRing(t, "stranger", 9, nil)
	p := newPublisher(t, serve(jwksOf(t, a)))
	k, clock := newTestRing(t, "hub", 3, p.trusted("a"))
	if p.asked.Load() != 0 {
		t.Error("it was asked at start")
	}
	token, unknown := mustSign(t, a, ringGrant("a")), mustSign(t, stranger, ringGrant("stranger"))
	verify := func() (string, string) {
		_, good := k.Verify(t.Context(), token, ringStart)
		_, bad := k.Verify(t.Context(), unknown, ringStart)
		return reasonOf(good), reasonOf(bad)
	}
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  int32
	}{
		{"at first", 0, 1},
		{"at once", 0, 1},
		{"a second before the cool-down ends", askAgainAfter - time.Second, 1},
		{"for an unknown key after it", time.Second, 2},
	} {
		clock.add(tt.after)
		good, bad := verify()
		if good != "" || bad != "it is signed with a key that nobody trusted here has" || p.asked.Load() != tt.want {
			t.Errorf("%s: %q, %q, asked %d times, want %d", tt.name, good, bad, p.asked.Load(), tt.want)
		}
	}
}

func TestAnIssuerThatIsAwayIsTrustedForADay(t *testing.T) {
	a, _ := newTestRing(t, "a", 1, nil)
	p := newPublisher(t, away)
	k, clock := newTestRing(t, "hub", 3, p.trusted("a"))
	token := mustSign(t, a, ringGrant("a"))
	never := "undecided: keys of issuer a: get " + p.URL + "/jwks.json: 503 Service Unavailable"
	verify := func() string { _, err := k.Verify(t.Context(), token, ringStart); return reasonOf(err) }
	if got := verify(); got != never {
		t.Errorf("never reached: %s", got)
	}
	p.set(serve(jwksOf(t, a)))
	if got := verify(); got != never || p.asked.Load() != 1 {
		t.Errorf("in the cool-down: %s, asked %d times", got, p.asked.Load())
	}
	clock.add(askAgainAfter)
	if got := verify(); got != "" {
		t.Errorf("reached: %s", got)
	}
	p.set(away)
	clock.add(staleFor - time.Second)
	if got := verify(); got != "" || p.asked.Load() != 3 {
		t.Errorf("away for almost a day: %s, asked %d times", got, p.asked.Load())
	}
	clock.add(askAgainAfter)
	if got := verify(); got != never {
		t.Errorf("away for more than a day: %s", got)
	}
	own := mustSign(t, k, ringGrant("hub"))
	if _, err := k.Verify(t.Context(), own, clock.now()); reasonOf(err) != "it expired at 2026-11-21T03:30:00Z" {
		t.Errorf("a token of our own: %s", reasonOf(err))
	}
}

func TestBadAnswersOfAnIssuer(t *testing.T) {
	a, _ := newTestRing(t, "a", 1, nil)
	good := jwksOf(t, a)
	elsewhere := newPublisher(t, serve(good))
	token := mustSign(t, a, ringGrant("a"))
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"more than 64 KiB", serve(append(good, strings.Repeat(" ", maxJWKSBytes)...)), "get URL: the key set has more than 65536 bytes"},
		{"a redirect to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/jwks.json", http.StatusFound)
		}, `Get "` + elsewhere.URL + `/jwks.json": sent on to another host`},
		{"a redirect to http", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/jwks.json", http.StatusFound)
		}, `Get "http://HOST/jwks.json": sent on to another host`},
		{"a redirect to itself", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/jwks.json", http.StatusFound)
		}, `Get "/jwks.json": sent on more than 3 times`},
		{"a redirect on the host", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/jwks.json" {
				http.Redirect(w, r, "/v2/jwks.json", http.StatusFound)
				return
			}
			_, _ = w.Write(good)
		}, ""},
		{"an empty answer", serve(nil), "get URL: not a JWK set with each member once"},
		{"a page", serve([]byte("<html>")), "get URL: not a JWK set with each member once"},
		{"an error page with keys", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write(good)
		}, "get URL: 404 Not Found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPublisher(t, tt.answer)
			k, _ := newTestRing(t, "hub", 3, p.trusted("a"))
			_, err := k.Verify(t.Context(), token, ringStart)
			want := tt.want
			if want != "" {
				want = "undecided: keys of issuer a: " + want
			}
			wantReason(t, strings.NewReplacer("URL", p.URL+"/jwks.json", "HOST", p.Listener.Addr().String()).Replace(want), err)
		})
	}
}

func TestASlowIssuerIsNotWaitedFor(t *testing.T) {
	a, _ := newTestRing(t, "a", 1, nil)
	k, clock := newTestRing(t, "hub", 3, func(o *KeyringOptions) {
		o.Trusted = []TrustedIssuer{{Issuer: "a", URL: "https://a.example/jwks.json"}}
	})
	asked := 0
	k.others["a"].fetch = func(ctx context.Context) (map[string]ed25519.PublicKey, error) {
		asked++
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > fetchTimeout {
			t.Errorf("it may take until %v, %v", deadline, ok)
		}
		return nil, context.DeadlineExceeded
	}
	left, leave := context.WithCancel(t.Context())
	token := mustSign(t, a, ringGrant("a"))
	const want = "undecided: keys of issuer a: context deadline exceeded"
	_, err := k.Verify(left, token, ringStart)
	wantReason(t, want, err)
	clock.add(askAgainAfter)
	leave()
	_, err = k.Verify(left, token, ringStart)
	wantReason(t, "undecided: context canceled", err)
	_, err = k.Verify(t.Context(), token, ringStart)
	wantReason(t, want, err)
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

func TestRunKeepsTheKeysOfIssuersFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newTestRing(t, "a", 1, nil)
		k, _ := newTestRing(t, "hub", 3, func(o *KeyringOptions) {
			o.Trusted = []TrustedIssuer{{Issuer: "a", URL: "https://a.example/jwks.json"}}
			o.Now = time.Now // the bubble's
		})
		var asked []time.Duration
		start := time.Now()
		k.others["a"].fetch = func(context.Context) (map[string]ed25519.PublicKey, error) {
			asked = append(asked, time.Since(start))
			return parseJWKS(jwksOf(t, a))
		}
		go func() {
			if err := k.Run(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(2*freshFor + pollInterval/2)
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, freshFor, 2 * freshFor}, asked); diff != "" {
			t.Errorf("asked after (-want +got):\n%s", diff)
		}
	})
}
