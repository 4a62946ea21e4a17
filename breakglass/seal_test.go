package breakglass

import (
	"strings"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

func mustSeal(t testing.TB, k *Keyring, g Grant) Grant {
	t.Helper()
	var err error
	if g.Seal, err = k.Seal(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestASealIsGoodForItsGrantAlone(t *testing.T) {
	trusted, _ := newTestRing(t, "prod-us", 2, nil)
	k, _ := newTestRing(t, "hub", 1, trusting(t, "prod-us", trusted))
	good := mustSeal(t, k, ringGrant("hub"))
	header, signature, _ := strings.Cut(good.Seal, "..")
	payload, err := sealed(good)
	if err != nil {
		t.Fatal(err)
	}
	const changed = "the grant's seal is not good: the grant is not as it was sealed"
	for _, tt := range []struct {
		name   string
		change func(*Grant)
		want   string
	}{
		{"as it was sealed", func(*Grant) {}, ""},
		{"in another time zone", func(g *Grant) {
			g.NotBefore, g.Expires = g.NotBefore.In(time.FixedZone("", 3600)), g.Expires.In(time.FixedZone("", 3600))
		}, ""},
		{"without the fraction of a second", func(g *Grant) { g.Expires = g.Expires.Add(time.Millisecond) }, ""},
		{"no seal", func(g *Grant) { g.Seal = "" }, "the grant's seal is not good: there is none"},
		{"a seal that is too long", func(g *Grant) { g.Seal = strings.Repeat(".", maxSeal+1) }, "the grant's seal is not good: it is longer than 512 bytes"},
		{"a seal with a line break", func(g *Grant) { g.Seal += "\n" }, "the grant's seal is not good: it is not of the form header.payload.signature in base64url"},
		{"a seal with its payload", func(g *Grant) { g.Seal = header + "." + encoded("{}") + "." + signature }, "the grant's seal is not good: it is not of the form header.payload.signature in base64url"},
		{"a token in place of the seal", func(g *Grant) { g.Seal = strings.ReplaceAll(mustSign(t, k, *g).Reveal(), ".", "..")[:maxSeal] }, "the grant's seal is not good: it is not of the form header.payload.signature in base64url"},
		{"a token's type over the right payload", func(g *Grant) {
			token := craft(`{"alg":"EdDSA","kid":"`+k.List()[0].ID+`","typ":"`+tokenType+`"}`, string(payload), privateOf(k))
			parts := strings.Split(token, ".")
			g.Seal = parts[0] + ".." + parts[2]
		}, "the grant's seal is not good: it is of another type than mollyguard-grant-seal+jws"},
		{"another issuer's name", func(g *Grant) { g.Issuer = "prod-us" }, "the grant's seal is not good: it was issued by prod-us, not here"},
		{"a trusted issuer's key", func(g *Grant) { *g = mustSeal(t, renamed(trusted, "hub"), *g) }, "the grant's seal is not good: it was made with a key that is not known here"},
		{"another handle", func(g *Grant) { g.ID = "bg-0000-0000" }, changed},
		{"another subject", func(g *Grant) { g.Subject = "mallory@example.com" }, changed},
		{"any credential", func(g *Grant) { g.Credential = "" }, changed},
		{"another target", func(g *Grant) { g.Scope.Targets = []operation.Reference{{Ref: "k8s://prod-eu/core/namespaces/shop"}} }, changed},
		{"another uid", func(g *Grant) {
			g.Scope.Targets = append([]operation.Reference{}, g.Scope.Targets...)
			g.Scope.Targets[0].UID = ""
		}, changed},
		{"more objects", func(g *Grant) { g.Scope.Objects = 2 }, changed},
		{"another approver", func(g *Grant) { g.Approvers = []string{"mallory@example.com"} }, changed},
		{"a later end", func(g *Grant) { g.Expires = g.Expires.Add(time.Second) }, changed},
		{"another reason", func(g *Grant) { g.Reason = "" }, changed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := good
			tt.change(&g)
			wantReason(t, tt.want, k.CheckSeal(t.Context(), g))
		})
	}
}

func TestTwoReplicasMakeTheSameSeal(t *testing.T) {
	store := &memoryKeyStore{}
	a, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	b, _ := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store = store })
	one, two := mustSeal(t, a, ringGrant("hub")), mustSeal(t, b, ringGrant("hub"))
	if one.Seal != two.Seal {
		t.Error("they differ")
	}
}
