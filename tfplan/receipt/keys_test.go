package receipt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/operation"
)

func TestAKeyIsNamedByItsThumbprint(t *testing.T) {
	// RFC 8037 appendix A.1 and A.3.
	public, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	id, err := keyID(public)
	if err != nil || id != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("%q, %v", id, err)
	}
}

func TestSigningKeysAreEd25519InPEM(t *testing.T) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("a", ed25519.SeedSize)))
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := privatePEM(t, private)
	for _, tt := range []struct{ name, text, want string }{
		{"one", good, ""},
		{"one with words around it", "# key\n" + good + "\n\n", ""},
		{"one from a variable", strings.ReplaceAll(good, "\n", `\n`), ""},
		{"nothing", "", "the signing key is not PEM: " + makeKey},
		{"the name of its file", "/etc/mollyguard/receipts.pem\n", "the signing key is not PEM, it looks like a path: this holds the PEM text, not a file name"},
		{"the name of its file in this folder", "receipts.pem", "the signing key is not PEM, it looks like a path: this holds the PEM text, not a file name"},
		{"half of one", "/qX0+aB3=", "the signing key is not PEM: " + makeKey},
		{"two", good + good, "the signing key's text has more than one key"},
		{"a public one", publicPEM(t, private.Public()), "the signing key is a public key: the private one signs"},
		{"one of another sort", privatePEM(t, ecKey), "the signing key is not an Ed25519 key: " + makeKey},
		{"one in another form", strings.ReplaceAll(good, "PRIVATE KEY", "EC PRIVATE KEY"), "the signing key is not PKCS #8 (-----BEGIN PRIVATE KEY-----): " + makeKey},
		{"one with a password", strings.ReplaceAll(good, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "the signing key is encrypted with a password: openssl pkey takes it off"},
		{"one that is too long", good + strings.Repeat(" ", maxKeyText), "the signing key has more than 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := ReadKey(operation.NewSecret(tt.text))
			if err == nil && key.ID() != keyOf(t, 'a').ID() {
				t.Errorf("another key: %s", key)
			}
			if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	key := keyOf(t, 'a')
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if got := fmt.Sprintf(form, key); got != key.ID() {
			t.Errorf("%s shows %s", form, got)
		}
	}
}

func TestPublicKeysAreReadFromPEMAndSets(t *testing.T) {
	a, b := keyOf(t, 'a'), keyOf(t, 'b')
	pemA, pemB := publicPEM(t, a.private.Public()), publicPEM(t, b.private.Public())
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := func(k Key, more string) string {
		return `{"kty":"OKP","crv":"Ed25519","kid":"` + k.ID() + `","x":"` + base64url(string(k.private.Public().(ed25519.PublicKey))) + `"` + more + `}`
	}
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	for _, tt := range []struct {
		name, text string
		want       []string
		wantErr    string
	}{
		{"one in PEM", pemA, []string{a.ID()}, ""},
		{"two in PEM", pemA + "\n" + pemB, []string{a.ID(), b.ID()}, ""},
		{"a set", set(jwk(a, ""), jwk(b, `,"use":"sig","alg":"EdDSA"`)), []string{a.ID(), b.ID()}, ""},
		{"a set with others", " " + set(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`, jwk(b, `,"use":"enc"`), jwk(a, "")), []string{a.ID()}, ""},
		{"nothing", "", nil, "there is no Ed25519 key for signatures"},
		{"an empty set", "{}", nil, "there is no Ed25519 key for signatures"},
		{"words", "key", nil, "the keys are neither PEM (-----BEGIN PUBLIC KEY-----) nor a JWK set"},
		{"words behind one", pemA + "key", nil, "the keys are neither PEM (-----BEGIN PUBLIC KEY-----) nor a JWK set"},
		{"a private one in PEM", pemA + privatePEM(t, b.private), nil, "there is a private key where public ones belong: openssl pkey -pubout makes the public one of it"},
		{"another sort in PEM", pemA + publicPEM(t, ecKey.Public()), nil, "key 2 is not an Ed25519 public key"},
		{"a private one in a set", set(jwk(a, ""), jwk(b, `,"d":"AAAA"`)), nil, "keys[1] is a private or symmetric key: take it out of use, it was published"},
		{"one under another's id", set(strings.Replace(jwk(a, ""), a.ID(), b.ID(), 1)), nil, "keys[0]: its kid is not its RFC 7638 thumbprint"},
		{"half a key", set(`{"kty":"OKP","crv":"Ed25519","kid":"x","x":"AAAA"}`), nil, "keys[0]: its x is not 32 bytes in base64url"},
		{"a member twice", set(jwk(a, `,"kid":"x"`)), nil, "the keys are not a JWK set with each member once"},
		{"too much", strings.Repeat(" ", maxKeyText+1), nil, "the keys have more than 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := ReadKeys([]byte(tt.text))
			if got := fmt.Sprint(err); got != tt.wantErr && (err != nil || tt.wantErr != "") {
				t.Errorf("got  %s\nwant %s", got, tt.wantErr)
			}
			for _, id := range tt.want {
				if keys[id] == nil {
					t.Errorf("%s is missing", id)
				}
			}
			if len(keys) != len(tt.want) {
				t.Errorf("keys %v, want %v", keys.IDs(), tt.want)
			}
		})
	}
}
