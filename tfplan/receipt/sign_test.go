package receipt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

// keyOf makes a key of one byte.
func keyOf(t *testing.T, seed byte) Key {
	t.Helper()
	key, err := ReadKey(operation.NewSecret(privatePEM(t, ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(seed), ed25519.SeedSize))))))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func privatePEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func signed(t *testing.T, key Key) Receipt {
	t.Helper()
	r, err := example(t).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func base64url(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestASignedReceiptIsBelievedHoweverItIsWritten(t *testing.T) {
	key := keyOf(t, 'a')
	r := signed(t, key)
	if again := signed(t, key); again.Signature != r.Signature {
		t.Error("the same receipt and key make another signature")
	}
	compact, ordered := jsontext.Value(encoded(t, r)), jsontext.Value(encoded(t, r))
	if err := errors.Join(compact.Compact(), ordered.Canonicalize()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text string }{
		{"as it was written", encoded(t, r)},
		{"without white space", string(compact)},
		{"in another order", string(ordered)},
		{"with more white space", strings.ReplaceAll(encoded(t, r), "\n", "\r\n\t ")},
		{"with an escape", strings.Replace(encoded(t, r), `"main"`, `"\u006dain"`, 1)},
		{"with a time in another form", strings.Replace(encoded(t, r), "2026-11-21T03:00:00Z", "2026-11-21T03:00:00.000Z", 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if err := got.CheckSignature(key.Public()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsSignedIsTheCanonicalFormWithoutTheSignature(t *testing.T) {
	r, err := New(Receipt{
		Plan: Plan{Digest: digests[0], Form: JSON}, Applier: Applier{Name: "zoë", Kind: operation.Human, Facts: map[string]string{"b": "1", "a": "2"}},
		Decision: Decision{Outcome: operation.OutcomeAllow},
	}, made, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.Signature = "x..y"
	got, err := r.payload()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"mollyguard.dev/v1alpha1","applier":{"facts":{"a":"2","b":"1"},"kind":"human","name":"zoë"},` +
		`"decision":{"approvals":0,"denied":0,"destroys":0,"ids":[],"lifted":0,"managed":0,"never":false,"outcome":"allow","targets":[],"verbs":[],"whole":false},` +
		`"expires":"2026-11-21T04:00:00Z","git":null,"grants":[],"judge":{"digest":"","version":""},"kind":"PlanReceipt","made":"2026-11-21T03:00:00Z","notes":[],` +
		`"plan":{"digest":"` + digests[0] + `","form":"json","json_digest":"","values":"given"},"state":{"known":false,"lineage":"","serial":0},` +
		`"terraform":{"configuration":"","lock":"","variables":"","version":"","workspace":""}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

func TestEveryChangeBreaksTheSignature(t *testing.T) {
	key := keyOf(t, 'a')
	for _, tt := range []struct {
		name   string
		change func(r *Receipt)
	}{
		{"made", func(r *Receipt) { r.Made = r.Made.Add(1e9) }},
		{"expires", func(r *Receipt) { r.Expires = r.Expires.Add(1e9) }},
		{"plan", func(r *Receipt) { r.Plan.Digest = digests[2] }},
		{"values", func(r *Receipt) { r.Plan.Values = Given }},
		{"judge", func(r *Receipt) { r.Judge.Digest = digests[0] }},
		{"serial", func(r *Receipt) { r.State.Serial++ }},
		{"lineage", func(r *Receipt) { r.State.Lineage = "" }},
		{"workspace", func(r *Receipt) { r.Terraform.Workspace = "test" }},
		{"git", func(r *Receipt) { r.Git = nil }},
		{"base", func(r *Receipt) { r.Git.Base = commits[2] }},
		{"a fact", func(r *Receipt) { r.Applier.Facts = map[string]string{"ci": "GitHub Actions"} }},
		{"outcome", func(r *Receipt) { r.Decision.Outcome = operation.OutcomeWarn }},
		{"never", func(r *Receipt) { r.Decision.Never = true }},
		{"grants", func(r *Receipt) { r.Grants = nil }},
		{"notes", func(r *Receipt) { r.Notes = append(r.Notes, "") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := signed(t, key)
			tt.change(&r)
			want := &SignatureError{Changed, "the receipt was changed after it was signed, or key " + key.ID() + " did not sign it", "do not apply: find out who wrote the receipt, then plan and check again"}
			refused(t, r, key.Public(), want)
		})
	}
}

// refused compares a refusal.
func refused(t *testing.T, r Receipt, keys Keys, want *SignatureError) {
	t.Helper()
	err := r.CheckSignature(keys)
	var got *SignatureError
	if !errors.As(err, &got) {
		t.Fatalf("not refused as a signature: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}

func TestSignaturesThatNobodyBelievesAreToldApart(t *testing.T) {
	key, other := keyOf(t, 'a'), keyOf(t, 'b')
	good := signed(t, key).Signature
	header, last, _ := strings.Cut(good, "..")
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(head string) string { return base64url(head) + ".." + last }
	payload, err := example(t).payload()
	if err != nil {
		t.Fatal(err)
	}
	// made signs the right payload with another algorithm or type.
	made := func(alg jose.SignatureAlgorithm, with any, typ jose.ContentType) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: with, KeyID: key.ID()}}, (&jose.SignerOptions{}).WithType(typ))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.DetachedCompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const (
		hint   = "do not apply: find out who wrote the receipt, then plan and check again"
		none   = "the receipt's signature is none: "
		shape  = none + "it is not of the form header..signature in base64url"
		heads  = none + "its header is not a JSON object with just alg, typ and kid, each once"
		edDSA  = none + "it is not made with EdDSA"
		noID   = none + "its key id is not the thumbprint of a key"
		noType = none + "it is of another type than mollyguard-plan-receipt+jws"
	)
	typ, kid := `"typ":"mollyguard-plan-receipt+jws"`, `"kid":"`+key.ID()+`"`
	for _, tt := range []struct {
		name, signature string
		fault           Fault
		what            string
	}{
		{"none", "", Unsigned, "the receipt is not signed"},
		{"a word", "signed", Forged, shape},
		{"a payload within", header + "." + base64url(string(payload)) + "." + last, Forged, shape},
		{"a line break", header + "..\n" + last, Forged, shape},
		{"padding", good + "=", Forged, shape},
		{"no signature behind it", header + "..", Forged, shape},
		{"bits to spare", header + ".." + last[:len(last)-1] + "_", Forged, none + "its last part is not base64url"},
		{"alg none", with(`{"alg":"none",` + typ + `,` + kid + `}`), Forged, edDSA},
		{"alg in another case", with(`{"alg":"eddsa",` + typ + `,` + kid + `}`), Forged, edDSA},
		{"no alg", with(`{` + typ + `,` + kid + `}`), Forged, edDSA},
		{"HMAC with the public key", made(jose.HS256, []byte(key.private.Public().(ed25519.PublicKey)), signatureType), Forged, edDSA},
		{"ECDSA under our id", made(jose.ES256, ecKey, signatureType), Forged, edDSA},
		{"another type", made(jose.EdDSA, key.private, "mollyguard-grant+jwt"), Forged, noType},
		{"no type", with(`{"alg":"EdDSA",` + kid + `}`), Forged, noType},
		{"no key id", with(`{"alg":"EdDSA",` + typ + `}`), Forged, noID},
		{"a path for a key id", with(`{"alg":"EdDSA",` + typ + `,"kid":"../../key"}`), Forged, noID},
		{"a key id that is null", with(`{"alg":"EdDSA",` + typ + `,"kid":null}`), Forged, noID},
		{"a key id that is a list", with(`{"alg":"EdDSA",` + typ + `,"kid":["` + key.ID() + `"]}`), Forged, heads},
		{"two key ids", with(`{"alg":"EdDSA",` + typ + `,` + kid + `,` + kid + `}`), Forged, heads},
		{"a key that comes along", with(`{"alg":"EdDSA",` + typ + `,` + kid + `,"jwk":{}}`), Forged, heads},
		{"an address of keys", with(`{"alg":"EdDSA",` + typ + `,` + kid + `,"jku":"https://example.com"}`), Forged, heads},
		{"an extension", with(`{"alg":"EdDSA",` + typ + `,` + kid + `,"crit":["b64"],"b64":false}`), Forged, heads},
		{"no JSON", with(`EdDSA`), Forged, heads},
		{"null", with(`null`), Forged, heads},
		{"another key under its own id", signed(t, other).Signature, OtherKey, "the receipt is signed with key " + other.ID() + ", which is not among those to believe (" + key.ID() + ")"},
		{"another key under our id", made(jose.EdDSA, other.private, signatureType), Changed, "the receipt was changed after it was signed, or key " + key.ID() + " did not sign it"},
		{"our id on another's signature", header + ".." + strings.SplitN(signed(t, other).Signature, "..", 2)[1], Changed, "the receipt was changed after it was signed, or key " + key.ID() + " did not sign it"},
		{"a short signature", header + ".." + base64url("short"), Changed, "the receipt was changed after it was signed, or key " + key.ID() + " did not sign it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := example(t)
			r.Signature = tt.signature
			want := &SignatureError{tt.fault, tt.what, hint}
			switch tt.fault {
			case Unsigned:
				want.Hint = "give plan check the signing key: terraform.receipts.key in its configuration, or MOLLYGUARD_RECEIPT_KEY"
			case OtherKey:
				want.Hint = "make sure that plan check and plan verify use the same pair of keys, and that the receipt is this pipeline's"
			}
			refused(t, r, key.Public(), want)
		})
	}
}

func TestAReceiptSaysWithWhichKeyItIsSigned(t *testing.T) {
	key := keyOf(t, 'a')
	forged := example(t)
	forged.Signature = "x..y"
	for _, tt := range []struct {
		name string
		r    Receipt
		want string
	}{
		{"signed", signed(t, key), key.ID()},
		{"not signed", example(t), ""},
		{"something for a signature", forged, ""},
	} {
		if got := tt.r.KeyID(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
