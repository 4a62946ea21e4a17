package breakglass_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestATokenSaysWhatTheGrantSaidWhoeverSignedIt(t *testing.T) {
	store, err := breakglass.NewFileKeyStore(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := breakglass.NewKeyring(t.Context(), breakglass.KeyringOptions{Issuer: "mollyguard/hub", Store: store})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	g := breakglass.Grant{
		ID: "bg-k7m4-q9tx", Issuer: "mollyguard/hub", Subject: "alice@example.com", Reason: "why",
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Objects: 1,
			Targets: []operation.Reference{{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop", UID: "u"}},
		},
		Approvers: []string{"bob@example.com"}, ApprovalsDigest: strings.Repeat("ab", 32), NotBefore: at, Expires: at.Add(time.Hour),
	}
	token, err := keys.Sign(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(token.Reveal(), ".")
	payload, signature, _ := strings.Cut(rest, ".")
	forged := strings.Join([]string{header, payload, strings.Repeat("A", len(signature))}, ".")
	for name, text := range map[string]string{"signed": token.Reveal(), "forged": forged} {
		got, err := breakglass.Unverified(operation.NewSecret(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(g, got); diff != "" {
			t.Errorf("%s: grant (-want +got):\n%s", name, diff)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "no token": "a.b.c", "a part": header + "." + payload, "too long": strings.Repeat("a", breakglass.MaxToken+1),
	} {
		var refusal *breakglass.Refusal
		if _, err := breakglass.Unverified(operation.NewSecret(text)); !errors.As(err, &refusal) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

func FuzzUnverified(f *testing.F) {
	f.Add("eyJhbGciOiJFZERTQSJ9.e30.AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := breakglass.Unverified(operation.NewSecret(text))
		if err == nil && (g.ID == "" || g.Subject == "") {
			t.Errorf("%q is a grant without id or subject", text)
		}
	})
}
