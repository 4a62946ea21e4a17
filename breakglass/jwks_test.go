package breakglass

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyEd25519KeysForSignaturesAreTaken(t *testing.T) {
	k, _ := newTestRing(t, "hub", 1, nil)
	public := k.held.Load().signing().public
	id, x := keyID(public), encoded(string(public))
	jwk := func(more string) string {
		return `{"kty":"OKP","crv":"Ed25519","kid":"` + id + `","x":"` + x + `"` + more + `}`
	}
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	const (
		rsaKey  = `{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB","use":"sig","alg":"RS256"}`
		ecKey   = `{"kty":"EC","crv":"P-256","kid":"e","x":"AA","y":"AA"}`
		ed448   = `{"kty":"OKP","crv":"Ed448","kid":"4","x":"AA"}`
		x25519  = `{"kty":"OKP","crv":"X25519","kid":"x","x":"AA"}`
		noKey   = "the key set has no Ed25519 key for signatures"
		private = "it is a private or symmetric key: take it out of use, it was published"
	)
	many := make([]string, maxKeys+1)
	for i := range many {
		many[i] = rsaKey
	}
	for _, tt := range []struct {
		name, data string
		want       string
	}{
		{"ours", string(jwksOf(t, k)), ""},
		{"one with no more than it needs", set(jwk("")), ""},
		{"one with alg Ed25519", set(jwk(`,"alg":"Ed25519","key_ops":["verify"]`)), ""},
		{"one among others", set(rsaKey, ecKey, ed448, x25519, jwk("")), ""},
		{"one twice", set(jwk(""), jwk("")), ""},
		{"members of the set that are not known", `{"issuer":"x","keys":[` + jwk(`,"iat":1`) + `]}`, ""},
		{"none", set(), noKey},
		{"none at all", `{}`, noKey},
		{"null", `null`, noKey},
		{"none of ours", set(rsaKey, ecKey, ed448, x25519), noKey},
		{"one for encryption", set(jwk(`,"use":"enc"`)), noKey},
		{"one for another algorithm", set(jwk(`,"alg":"ES256"`)), noKey},
		{"a private key", set(jwk(`,"d":"AAAA"`)), "keys[0]: " + private},
		{"a private key that is null", set(jwk(`,"d":null`)), "keys[0]: " + private},
		{"a private RSA key beside a good one", set(jwk(""), `{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}`), "keys[1]: " + private},
		{"a symmetric key", set(`{"kty":"oct","k":"AAAA"}`), "keys[0]: " + private},
		{"a symmetric key under our id", set(`{"kty":"oct","kid":"` + id + `","k":"` + x + `"}`), "keys[0]: " + private},
		{"a key under another name", set(strings.Replace(jwk(""), id, "main", 1)), "keys[0]: its kid is not its RFC 7638 thumbprint"},
		{"a key under the name of a path", set(strings.Replace(jwk(""), id, "../../keys", 1)), "keys[0]: its kid is not its RFC 7638 thumbprint"},
		{"a key without a name", set(`{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}`), "keys[0]: its kid is not its RFC 7638 thumbprint"},
		{"half a key", set(strings.Replace(jwk(""), x, x[:20], 1)), "keys[0]: its x is not 32 bytes in base64url"},
		{"a key with padding", set(strings.Replace(jwk(""), x, x+"=", 1)), "keys[0]: its x is not 32 bytes in base64url"},
		{"a member twice", set(jwk(`,"kid":"` + id + `"`)), "not a JWK set with each member once"},
		{"more behind it", set(jwk("")) + "{}", "not a JWK set with each member once"},
		{"a list", `[]`, "not a JWK set with each member once"},
		{"too many keys", set(many...), fmt.Sprintf("the key set has %d keys, more than %d", maxKeys+1, maxKeys)},
		{"too many bytes", set(jwk("")) + strings.Repeat(" ", maxJWKSBytes), fmt.Sprintf("the key set has more than %d bytes", maxJWKSBytes)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := parseJWKS([]byte(tt.data))
			got, wantKeys := "", map[string]ed25519.PublicKey(nil)
			if err != nil {
				got = err.Error()
			}
			if tt.want == "" {
				wantKeys = map[string]ed25519.PublicKey{id: public}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantKeys, keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzJWKS: what is taken of a set are Ed25519 keys under their thumbprints, and no
// more of them than there may be.
func FuzzJWKS(f *testing.F) {
	k, _ := newTestRing(f, "hub", 1, nil)
	f.Add(jwksOf(f, k))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))
	f.Add([]byte(`{"keys":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseJWKS(data)
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, id := range slices.Sorted(maps.Keys(keys)) {
			if len(keys[id]) != ed25519.PublicKeySize || keyID(keys[id]) != id {
				t.Fatalf("key %q is not its own thumbprint", id)
			}
		}
	})
}
