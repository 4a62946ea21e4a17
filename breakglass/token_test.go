package breakglass

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestATokenCarriesItsGrantToAnotherCluster(t *testing.T) {
	a, _ := newTestRing(t, "hub", 1, nil)
	b, _ := newTestRing(t, "prod-eu", 2, trusting(t, "hub", a))
	for _, g := range []Grant{ringGrant("hub"), func() Grant { g := ringGrant("hub"); g.Credential, g.Ticket = "", ""; return g }()} {
		token := mustSign(t, a, g)
		if len(token.Reveal()) > 1024 {
			t.Errorf("a grant of one target makes a token of %d bytes", len(token.Reveal()))
		}
		got, err := b.Verify(t.Context(), token, ringStart)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g, got, sameSecrets); diff != "" {
			t.Errorf("grant (-want +got):\n%s", diff)
		}
	}
}

func TestATokenIsNotGoodForLongerThanItsGrant(t *testing.T) {
	k, _ := newTestRing(t, "hub", 1, nil)
	g := ringGrant("hub")
	g.NotBefore, g.Expires = g.NotBefore.Add(time.Millisecond), g.Expires.Add(time.Millisecond)
	got, err := k.Verify(t.Context(), mustSign(t, k, g), ringStart)
	if err != nil {
		t.Fatal(err)
	}
	want := [2]time.Time{ringStart.Add(time.Second), ringStart.Add(30 * time.Minute)}
	if diff := cmp.Diff(want, [2]time.Time{got.NotBefore, got.Expires}); diff != "" {
		t.Errorf("window (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBecomeAToken(t *testing.T) {
	k, _ := newTestRing(t, "hub", 1, nil)
	for _, tt := range []struct {
		name   string
		change func(*Grant)
		want   string
	}{
		{"another issuer's grant", func(g *Grant) { g.Issuer = "prod-us" }, "bg-k7m4-q9tx was issued by prod-us, which alone makes tokens of it"},
		{"more targets than fit", func(g *Grant) {
			for i := range 40 {
				g.Scope.Targets = append(g.Scope.Targets, operation.Reference{Ref: fmt.Sprintf("k8s://prod-eu/core/pods/shop/web-%d", i), Kind: "Pod", Namespace: "shop", Name: fmt.Sprintf("web-%d", i)})
			}
		}, "bg-k7m4-q9tx does not fit into a token: it would have 6408 bytes, more than 4096; it can be used without a token in prod-eu, or ask for fewer targets"},
		{"longer than a token may live", func(g *Grant) { g.Expires = g.NotBefore.Add(MaxTokenLife + time.Second) }, "bg-k7m4-q9tx cannot become a token: it is good for longer than 168h0m0s"},
		{"nobody approved it", func(g *Grant) { g.Approvers = nil }, "bg-k7m4-q9tx cannot become a token: nobody approved it"},
		{"what Verify would refuse", func(g *Grant) { g.Scope.Verbs = nil }, "bg-k7m4-q9tx cannot become a token: its claim scope.verbs: missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := ringGrant("hub")
			tt.change(&g)
			token, err := k.Sign(t.Context(), g)
			wantReason(t, tt.want, err)
			if token.Reveal() != "" {
				t.Error("there is a token all the same")
			}
		})
	}
}

// attack is a text that somebody presents as a token.
type attack struct {
	name, text string
	want       string
}

// attacks are those that any keyring must refuse, with the reason of one whose
// issuer is hub and that trusts prod-us.
func attacks(t testing.TB, k, trusted *Keyring) []attack {
	t.Helper()
	good := mustSign(t, k, ringGrant("hub")).Reveal()
	parts := strings.Split(good, ".")
	payload := decodedText(t, parts[1])
	own, id := privateOf(k), k.held.Load().signing().id
	header := func(more string) string {
		return `{"alg":"EdDSA","kid":"` + id + `","typ":"mollyguard-break-glass+jwt"` + more + `}`
	}
	withHeader := func(h string) string { return craft(h, payload, own) }
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strangerID := keyID(stranger.Public().(ed25519.PublicKey))
	with := func(h string, signature []byte) string {
		return encoded(h) + "." + parts[1] + "." + encoded(string(signature))
	}
	hs256 := strings.Replace(header(""), "EdDSA", "HS256", 1)
	mac := hmac.New(sha256.New, own.Public().(ed25519.PublicKey))
	mac.Write([]byte(encoded(hs256) + "." + parts[1]))
	es256, rs256 := strings.Replace(header(""), "EdDSA", "ES256", 1), strings.Replace(header(""), "EdDSA", "RS256", 1)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDigest := sha256.Sum256([]byte(encoded(es256) + "." + parts[1]))
	ecSignature, err := ecKey.Sign(rand.Reader, ecDigest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaDigest := sha256.Sum256([]byte(encoded(rs256) + "." + parts[1]))
	rsaSignature, err := rsa.SignPKCS1v15(rand.Reader, rsaKey, crypto.SHA256, rsaDigest[:])
	if err != nil {
		t.Fatal(err)
	}
	strangerJWK, err := json.Marshal(map[string]string{"kty": "OKP", "crv": "Ed25519", "x": encoded(string(stranger.Public().(ed25519.PublicKey)))})
	if err != nil {
		t.Fatal(err)
	}
	g := ringGrant("hub")
	if g.Seal, err = k.Seal(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	sealPayload, err := sealed(g)
	if err != nil {
		t.Fatal(err)
	}
	sealParts := strings.Split(g.Seal, "..")
	expired := strings.Replace(payload, fmt.Sprint(ringStart.Add(30*time.Minute).Unix()), fmt.Sprint(ringStart.Add(-time.Hour).Unix()), 1)
	claim := func(change func(map[string]any)) string {
		var members map[string]any
		decoder := json.NewDecoder(strings.NewReader(payload))
		decoder.UseNumber()
		if err := decoder.Decode(&members); err != nil {
			t.Fatal(err)
		}
		change(members)
		changed, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		return craft(header(""), string(changed), own)
	}
	set := func(name string, value any) string { return claim(func(m map[string]any) { m[name] = value }) }
	scope := func(name string, value any) string {
		return claim(func(m map[string]any) { m["scope"].(map[string]any)[name] = value })
	}
	target := func(change func(map[string]any)) string {
		return claim(func(m map[string]any) {
			change(m["scope"].(map[string]any)["targets"].([]any)[0].(map[string]any))
		})
	}
	const (
		malformed = "it is not of the form header.payload.signature in base64url"
		forged    = "its signature is not good: it is forged or was changed"
		unsigned  = "it is not signed with EdDSA"
		unknown   = "it is signed with a key that nobody trusted here has"
		otherType = "it is of another type than mollyguard-break-glass+jwt"
		noKeyID   = "its key id is not the thumbprint of a key"
		tooLong   = "it is longer than 4096 bytes"
	)
	list := []attack{
		{"alg none without a signature", encoded(strings.Replace(header(""), "EdDSA", "none", 1)) + "." + parts[1] + ".", malformed},
		{"alg none with the old signature", with(strings.Replace(header(""), "EdDSA", "none", 1), []byte("x")), unsigned},
		{"alg none in other letters", withHeader(strings.Replace(header(""), "EdDSA", "nOnE", 1)), unsigned},
		{"EdDSA in other letters", withHeader(strings.Replace(header(""), "EdDSA", "eddsa", 1)), unsigned},
		{"HS256 with the public key as secret", with(hs256, mac.Sum(nil)), unsigned},
		{"ES256", with(es256, ecSignature), unsigned},
		{"RS256", with(rs256, rsaSignature), unsigned},
		{"EdDSA over a P-256 key", with(header(""), ecSignature), forged},
		{"EdDSA with a signature as long as Ed448's", with(header(""), make([]byte, 114)), forged},
		{"EdDSA with an empty signature of the right length", with(header(""), make([]byte, 64)), forged},
		{"another key under our key id", craft(header(""), payload, stranger), forged},
		{"a key that nobody knows", craft(strings.Replace(header(""), id, strangerID, 1), payload, stranger), unknown},
		{"an embedded jwk", craft(header(`,"jwk":`+string(strangerJWK)), payload, stranger), "its header has jwk: only alg, typ and kid may be there"},
		{"jku", withHeader(header(`,"jku":"https://evil.example/keys"`)), "its header has jku: only alg, typ and kid may be there"},
		{"x5u", withHeader(header(`,"x5u":"https://evil.example/cert"`)), "its header has x5u: only alg, typ and kid may be there"},
		{"x5c", withHeader(header(`,"x5c":["MA=="]`)), "its header has x5c: only alg, typ and kid may be there"},
		{"x5t", withHeader(header(`,"x5t":"AA"`)), "its header has x5t: only alg, typ and kid may be there"},
		{"crit", withHeader(header(`,"crit":["exp"],"exp":1`)), "its header has crit: only alg, typ and kid may be there"},
		{"crit with b64", withHeader(header(`,"b64":false,"crit":["b64"]`)), "its header has b64: only alg, typ and kid may be there"},
		{"zip", withHeader(header(`,"zip":"DEF"`)), "its header has zip: only alg, typ and kid may be there"},
		{"cty", withHeader(header(`,"cty":"JWT"`)), "its header has cty: only alg, typ and kid may be there"},
		{"a header member of its own", withHeader(header(`,"` + parts[2] + `":1`)), "its header has a member other than alg, typ and kid"},
		{"a header member twice", withHeader(header(`,"alg":"none"`)), "its header is not a JSON object with each member once"},
		{"a header member twice in other letters", withHeader(header(`,"Alg":"none"`)), "its header has a member other than alg, typ and kid"},
		{"a header that is a list", withHeader(`["EdDSA"]`), "its header is not a JSON object with each member once"},
		{"a header that is null", withHeader(`null`), unsigned},
		{"a header with more behind it", withHeader(header("") + "{}"), "its header is not a JSON object with each member once"},
		{"an alg that is a list", withHeader(strings.Replace(header(""), `"EdDSA"`, `["EdDSA"]`, 1)), "its header's alg is not a text"},
		{"typ JWT", withHeader(strings.Replace(header(""), "mollyguard-break-glass+jwt", "JWT", 1)), otherType},
		{"typ missing", withHeader(`{"alg":"EdDSA","kid":"` + id + `"}`), otherType},
		{"the seal of a grant", g.Seal, otherType},
		{"the seal of a grant with its payload", sealParts[0] + "." + encoded(string(sealPayload)) + "." + sealParts[1], otherType},
		{"kid missing", withHeader(`{"alg":"EdDSA","typ":"mollyguard-break-glass+jwt"}`), noKeyID},
		{"a path in kid", withHeader(strings.Replace(header(""), id, "../../../../../../../dev/null", 1)), noKeyID},
		{"a path in kid as long as a key id", withHeader(strings.Replace(header(""), id, "../../../../../../../../../../../../dev/null", 1)), noKeyID},
		{"kid and a line break", withHeader(strings.Replace(header(""), id, id+`\n`, 1)), noKeyID},
		{"expired and forged", craft(header(""), expired, stranger), forged},
		{"expired and changed", encoded(header("")) + "." + encoded(expired) + "." + parts[2], forged},

		{"another issuer with our key", set("iss", "prod-us"), "it is signed with a key that is not one of its issuer, prod-us"},
		{"an issuer that is not trusted with our key", set("iss", "staging"), `its issuer "staging" is not trusted here`},
		{"our name with the key of a trusted issuer", mustSign(t, renamed(trusted, "hub"), ringGrant("hub")).Reveal(), "it is signed with a key that is not one of its issuer, hub"},
		{"an issuer that is empty", set("iss", ""), `its issuer "" is not trusted here`},
		{"aud as a list", set("aud", []string{"prod-eu"}), "its claim aud is of the wrong kind"},
		{"aud as a list of two", set("aud", []string{"prod-eu", "prod-us"}), "its claim aud is of the wrong kind"},
		{"aud empty", set("aud", ""), "its claim aud is empty"},
		{"aud as a number", set("aud", 7), "its claim aud is of the wrong kind"},
		{"aud as an object", set("aud", map[string]string{"prod-eu": ""}), "its claim aud is of the wrong kind"},
		{"sub empty", set("sub", " "), "its claim sub is empty"},
		{"exp as a text", set("exp", "1795233600"), "its claim exp is of the wrong kind"},
		{"exp with a fraction", set("exp", 1795233600.5), "its claim exp is of the wrong kind"},
		{"exp beyond all times", set("exp", int64(9e18)), "its claim exp is not a time"},
		{"nbf below zero", set("nbf", int64(-9e18)), "its claim nbf is not a time"},
		{"a life of eight days", set("exp", ringStart.Add(8*24*time.Hour).Unix()), "it is good for longer than 168h0m0s"},
		{"exp before nbf", set("exp", ringStart.Add(-time.Hour).Unix()), "it expires before it begins"},
		{"jti that is a path", set("jti", "../secrets"), "its claim jti is not a handle such as bg-k7m4-q9tx"},
		{"a claim that is not known", set("admin", true), `it has a claim that is not known here: "admin"`},
		{"a claim in other letters", set("SUB", "mallory"), `it has a claim that is not known here: "SUB"`},
		{"a claim twice", craft(header(""), strings.Replace(payload, `{`, `{"sub":"mallory",`, 1), own), "its payload is not a JSON object with each member once"},
		{"a payload with more behind it", craft(header(""), payload+"{}", own), "its payload is not a JSON object with each member once"},
		{"a payload that is not JSON", craft(header(""), "tomorrow", own), "its payload is not a JSON object with each member once"},
		{"a payload that is null", craft(header(""), "null", own), "its claim iss is missing"},
		{"no payload", craft(header(""), "", own), "its payload is not a JSON object with each member once"},
		{"text that is not UTF-8", craft(header(""), strings.Replace(payload, "OPS-7", "OPS-\xff", 1), own), "its payload is not a JSON object with each member once"},
		{"no approvers", set("approvers", []string{}), "nobody approved it"},
		{"an approver twice", set("approvers", []string{"bob@example.com", "bob@example.com"}), "its claim approvers is not sorted, each name once"},
		{"approved by its subject", set("approvers", []string{"alice@example.com"}), "it was approved by whom it is for"},
		{"an approver that is null", set("approvers", []any{nil}), "its claim approvers has a name that is empty or too long"},
		{"a digest that is none", set("approvals_digest", "none"), "its claim approvals_digest is not a SHA-256 in hex"},
		{"a scope that is a list", set("scope", []string{}), "its claim scope is not a JSON object with each member once"},
		{"a verb that destroys nothing", scope("verbs", []string{"update"}), `its claim scope.verbs: "update" is not one of the destructive verbs [delete evict scale-to-zero unprotect replace forget empty unknown]`},
		{"no verbs", scope("verbs", []string{}), "its claim scope.verbs: missing"},
		{"no targets", scope("targets", []string{}), "its claim scope.targets: 0, there must be 1 to 64"},
		{"targets that are a text", scope("targets", "all"), "its claim scope.targets is not a list"},
		{"a target without uid", target(func(m map[string]any) { delete(m, "uid") }), "its claim scope.targets[0].uid is missing"},
		{"a target whose uid is null", target(func(m map[string]any) { m["uid"] = nil }), "its claim scope.targets[0].uid is missing"},
		{"a target without a name", target(func(m map[string]any) { m["name"] = "" }), "its claim scope.targets[0]: without a name: a grant opens objects that are named"},
		{"a target with more in it", target(func(m map[string]any) { m["selector"] = "*" }), `it has a claim that is not known here: "scope.targets.0.selector"`},
		{"no objects", scope("objects", 0), "its claim scope.objects: 0 is not between 1 and 256"},
		{"another surface", scope("surface", "aws"), `its claim scope.surface: "aws" is not one of [kubernetes gcp terraform]`},

		{"nothing", "", malformed},
		{"a megabyte of dots", strings.Repeat(".", 1<<20), tooLong},
		{"four kilobytes of dots", strings.Repeat(".", MaxToken), malformed},
		{"a byte more than fits", good + strings.Repeat("A", MaxToken+1-len(good)), tooLong},
		{"two parts", parts[0] + "." + parts[1], malformed},
		{"four parts", good + ".x", malformed},
		{"five parts, as encrypted ones have", good + "..", malformed},
		{"text behind it", good + "A", forged},
		{"more text behind it", good + "AAA", malformed},
		{"a space before it", " " + good, malformed},
		{"a line break behind it", good + "\n", malformed},
		{"a line break in it", parts[0] + "\r\n." + parts[1] + "." + parts[2], malformed},
		{"a null byte behind it", good + "\x00", malformed},
		{"padding", parts[0] + "=." + parts[1] + "." + parts[2], malformed},
		{"the other base64 alphabet", parts[0] + "+." + parts[1] + "." + parts[2], malformed},
		{"full-width letters", strings.Replace(good, "e", "ｅ", 1), malformed},
		{"a zero-width space in it", parts[0] + "\u200b." + parts[1] + "." + parts[2], malformed},
		{"other bits at the end that say the same", good[:len(good)-1] + sameBits(t, good[len(good)-1]), malformed},
		{"JWS as JSON", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, malformed},
		{"Bearer before it", "Bearer " + good, malformed},
	}
	for _, name := range claimNames {
		list = append(list,
			attack{name + " missing", claim(func(m map[string]any) { delete(m, name) }), "its claim " + name + " is missing"},
			attack{name + " null", set(name, nil), "its claim " + name + " is missing"})
	}
	return list
}

func TestNoAttackGetsThrough(t *testing.T) {
	trusted, _ := newTestRing(t, "prod-us", 2, nil)
	k, _ := newTestRing(t, "hub", 1, trusting(t, "prod-us", trusted))
	for _, a := range attacks(t, k, trusted) {
		t.Run(a.name, func(t *testing.T) {
			g, err := k.Verify(t.Context(), operation.NewSecret(a.text), ringStart)
			wantReason(t, a.want, err)
			if diff := cmp.Diff(Grant{}, g, sameSecrets); diff != "" {
				t.Errorf("something is returned all the same:\n%s", diff)
			}
		})
	}
}

func TestNoRefusalQuotesTheToken(t *testing.T) {
	trusted, _ := newTestRing(t, "prod-us", 2, nil)
	k, _ := newTestRing(t, "hub", 1, trusting(t, "prod-us", trusted))
	const piece = 12 // base64 characters, 72 bits: no accident
	for _, a := range attacks(t, k, trusted) {
		_, err := k.Verify(t.Context(), operation.NewSecret(a.text), ringStart)
		if err == nil {
			t.Fatalf("%s: not refused", a.name)
		}
		for _, part := range strings.Split(a.text, ".") {
			for i := 0; i+piece <= len(part) && i < MaxToken; i++ {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), part[i:i+piece]) {
					t.Errorf("%s: the refusal has %d characters of it: %v", a.name, piece, err)
					break
				}
			}
		}
	}
}

func TestTheCapStandsBeforeAnyParsing(t *testing.T) {
	k, _ := newTestRing(t, "hub", 1, nil)
	dots := operation.NewSecret(strings.Repeat(".", 1<<20))
	// The reason, its text and the number in it; a split would make a million.
	if allocations := testing.AllocsPerRun(100, func() { _, _ = k.Verify(t.Context(), dots, ringStart) }); allocations > 4 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestClocksMayBeThirtySecondsApart(t *testing.T) {
	k, clock := newTestRing(t, "hub", 1, nil)
	g := ringGrant("hub")
	g.NotBefore = ringStart.Add(10 * time.Minute)
	token := mustSign(t, k, g)
	for _, tt := range []struct {
		name string
		at   time.Time
		want string
	}{
		{"31 s before it was issued", ringStart.Add(-31 * time.Second), "it was issued in the future, at 2026-11-21T03:00:00Z: compare the clocks"},
		{"29 s before it was issued", ringStart.Add(-29 * time.Second), "it is not good before 2026-11-21T03:10:00Z"},
		{"31 s before it begins", g.NotBefore.Add(-31 * time.Second), "it is not good before 2026-11-21T03:10:00Z"},
		{"30 s before it begins", g.NotBefore.Add(-30 * time.Second), ""},
		{"29 s before it begins", g.NotBefore.Add(-29 * time.Second), ""},
		{"when it begins", g.NotBefore, ""},
		{"when it ends", g.Expires, ""},
		{"29 s after it ended", g.Expires.Add(29 * time.Second), ""},
		{"30 s after it ended", g.Expires.Add(30 * time.Second), "it expired at 2026-11-21T03:30:00Z"},
		{"31 s after it ended", g.Expires.Add(31 * time.Second), "it expired at 2026-11-21T03:30:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := k.Verify(t.Context(), token, tt.at)
			wantReason(t, tt.want, err)
		})
	}
	t.Run("issued by a clock that is ahead", func(t *testing.T) {
		clock.add(29 * time.Second)
		_, err := k.Verify(t.Context(), mustSign(t, k, ringGrant("hub")), ringStart)
		wantReason(t, "", err)
		clock.add(2 * time.Second)
		_, err = k.Verify(t.Context(), mustSign(t, k, ringGrant("hub")), ringStart)
		wantReason(t, "it was issued in the future, at 2026-11-21T03:00:31Z: compare the clocks", err)
	})
}

// FuzzVerify: nothing but the token that was signed is ever good.
func FuzzVerify(f *testing.F) {
	trusted, _ := newTestRing(f, "prod-us", 2, nil)
	k, _ := newTestRing(f, "hub", 1, trusting(f, "prod-us", trusted))
	good := mustSign(f, k, ringGrant("hub")).Reveal()
	f.Add(good)
	for _, a := range attacks(f, k, trusted) {
		if len(a.text) <= 2*MaxToken {
			f.Add(a.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := k.Verify(t.Context(), operation.NewSecret(text), ringStart)
		if text == good {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if _, ok := errors.AsType[*Refusal](err); !ok {
			t.Fatalf("not refused: %v", err)
		}
		if diff := cmp.Diff(Grant{}, g, sameSecrets); diff != "" {
			t.Fatalf("something is returned all the same:\n%s", diff)
		}
	})
}

// FuzzReadClaims: whatever an issuer signs, what is taken can be signed again and
// says the same.
func FuzzReadClaims(f *testing.F) {
	k, _ := newTestRing(f, "hub", 1, nil)
	f.Add([]byte(decodedText(f, strings.Split(mustSign(f, k, ringGrant("hub")).Reveal(), ".")[1])))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := readClaims(payload)
		if err != nil || c.check() != nil || c.Issuer != "hub" {
			return
		}
		token, err := k.Sign(t.Context(), c.grant())
		if err != nil {
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Fatal(err)
			}
			return // does not fit
		}
		again, err := readClaims([]byte(decodedText(t, strings.Split(token.Reveal(), ".")[1])))
		if err != nil {
			t.Fatal(err)
		}
		again.IssuedAt = c.IssuedAt
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
	})
}

func decodedText(t testing.TB, part string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameBits returns another last character of 64 bytes in base64url that a decoder
// which is not strict reads alike.
func sameBits(t testing.TB, last byte) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := strings.IndexByte(alphabet, last)
	if at < 0 || at&0xf != 0 {
		t.Fatalf("%q does not end 64 bytes", last)
	}
	return alphabet[at+1 : at+2]
}

// renamed returns a keyring with the same keys that signs in another's name.
func renamed(k *Keyring, issuer string) *Keyring {
	other := &Keyring{issuer: issuer, now: k.now}
	other.held.Store(k.held.Load())
	return other
}
