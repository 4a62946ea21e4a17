package breakglass_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAVerifierTakesTokensOfThoseItTrustsWithoutKeysOfItsOwn(t *testing.T) {
	o := newOffice(t, nil)
	id, token := o.token(planProposal(2))
	public, err := json.Marshal(o.keys.Public())
	o.must(err)
	jwks := filepath.Join(t.TempDir(), "keys.json")
	o.must(os.WriteFile(jwks, public, 0o600))
	verifier := func(issuer string) *breakglass.Verifier {
		v, err := breakglass.NewVerifier(t.Context(), breakglass.VerifierOptions{
			Trusted: []breakglass.TrustedIssuer{{Issuer: issuer, File: jwks}}, Now: o.clock.now,
		})
		o.must(err)
		return v
	}
	v := verifier("mollyguard/prod-eu")
	got, err := v.Verify(t.Context(), token, o.clock.now())
	o.must(err)
	want, err := o.keys.Verify(t.Context(), token, o.clock.now())
	o.must(err)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(operation.Secret{})); diff != "" || got.ID != id {
		t.Errorf("grant (-the keyring's +the verifier's):\n%s", diff)
	}
	for _, tt := range []struct {
		name  string
		v     *breakglass.Verifier
		token operation.Secret
		at    time.Time
		want  string
	}{
		{"one that has expired", v, token, opening.Add(time.Hour), "it expired at 2026-11-21T03:30:00Z"},
		{"one of another issuer's name", verifier("mollyguard/other"), token, opening, `its issuer "mollyguard/prod-eu" is not trusted here`},
		{"one that was changed", v, operation.NewSecret(token.Reveal()[:len(token.Reveal())-8] + "AAAAAAAA"), opening, "its signature is not good: it is forged or was changed"},
		{"none", v, operation.Secret{}, opening, "it is not of the form header.payload.signature in base64url"},
		{"one of somebody else's key", v, foreignToken(t), opening, "it is signed with a key that nobody trusted here has"},
	} {
		_, err := tt.v.Verify(t.Context(), tt.token, tt.at)
		if diff := cmp.Diff(tt.want, outcome(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if _, err := breakglass.NewVerifier(t.Context(), breakglass.VerifierOptions{}); err == nil {
		t.Error("a verifier that trusts nobody was made")
	}
}

// foreignToken is a token of a desk that nobody here knows.
func foreignToken(t *testing.T) operation.Secret {
	t.Helper()
	o := newOffice(t, nil)
	o.keys = o.keyring("elsewhere", filepath.Join(t.TempDir(), "keys.json"), 9)
	o.options.Keys = o.keys
	o.Desk = o.another(nil)
	_, token := o.token(planProposal(1))
	return token
}
