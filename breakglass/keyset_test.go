package breakglass

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testKeySet returns a document with one key that verifies and one that signs.
func testKeySet(t testing.TB) []byte {
	t.Helper()
	entropy := rand.NewChaCha8([32]byte{7})
	set, err := newKeySet(entropy, ringStart)
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.rotated(entropy, ringStart.Add(time.Hour), time.Hour); err != nil {
		t.Fatal(err)
	}
	data, err := set.encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAKeyIDIsItsThumbprint(t *testing.T) {
	// RFC 8037, appendix A.3.
	public, err := hex.DecodeString("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
	if err != nil {
		t.Fatal(err)
	}
	if got := keyID(public); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("got %s", got)
	}
}

func TestADamagedKeySetIsNotUsed(t *testing.T) {
	good := testKeySet(t)
	other, err := newKeySet(rand.NewChaCha8([32]byte{8}), ringStart)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.encode()
	if err != nil {
		t.Fatal(err)
	}
	var foreignDocument keySetDocument
	if err := json.Unmarshal(foreign, &foreignDocument); err != nil {
		t.Fatal(err)
	}
	change := func(edit func(*keySetDocument)) []byte {
		var document keySetDocument
		if err := json.Unmarshal(good, &document); err != nil {
			t.Fatal(err)
		}
		edit(&document)
		data, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	const notWritten = "the key set is damaged: it is not the JSON that was written"
	const oneSigns = "the last key signs, and no other: it alone has a private key and no end"
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"as it was written", good, ""},
		{"nothing", nil, notWritten},
		{"cut off", good[:len(good)-1], notWritten},
		{"more behind it", append(bytes.Clone(good), '{'), notWritten},
		{"a member twice", []byte(strings.Replace(string(good), "{", `{"version":1,`, 1)), notWritten},
		{"a member that is not known", []byte(strings.Replace(string(good), "{", `{"more":1,`, 1)), notWritten},
		{"too long", bytes.Repeat([]byte(" "), maxKeySetBytes+1), "the key set has more than 16384 bytes"},
		{"another version", change(func(d *keySetDocument) { d.Version = 2 }), "the key set has version 2, this program knows 1"},
		{"no call secret", change(func(d *keySetDocument) { d.CallSecret = "" }), "the key set is damaged: its call_secret is not 32 bytes in base64url"},
		{"a short call secret", change(func(d *keySetDocument) { d.CallSecret = "AAAA" }), "the key set is damaged: its call_secret is not 32 bytes in base64url"},
		{"as it was written before call secrets were renewed", change(func(d *keySetDocument) { d.PreviousCallSecret = nil }), ""},
		{"a short previous call secret", change(func(d *keySetDocument) { d.PreviousCallSecret.Secret = "AAAA" }), "the key set is damaged: its previous_call_secret is not 32 bytes in base64url"},
		{"a previous call secret without an end", change(func(d *keySetDocument) { d.PreviousCallSecret.Until = time.Time{} }), "the key set is damaged: its previous_call_secret has no end"},
		{"no keys", change(func(d *keySetDocument) { d.Keys = nil }), "the key set is damaged: it has 0 keys, there must be 1 to 32"},
		{"no key that signs", change(func(d *keySetDocument) { d.Keys = d.Keys[:1] }), "the key set is damaged: keys[0]: " + oneSigns},
		{"two keys that sign", change(func(d *keySetDocument) { d.Keys[0] = foreignDocument.Keys[0] }), "the key set is damaged: keys[0]: " + oneSigns},
		{"a key that signs and has an end", change(func(d *keySetDocument) { d.Keys[1].Until = ringStart }), "the key set is damaged: keys[1]: " + oneSigns},
		{"a key twice", change(func(d *keySetDocument) { d.Keys = append(d.Keys[:1:1], d.Keys...) }), "the key set is damaged: keys[1]: it is there twice"},
		{"another key under the id", change(func(d *keySetDocument) { d.Keys[0].Public = foreignDocument.Keys[0].Public }), "the key set is damaged: keys[0]: the id is not the key's thumbprint"},
		{"half a public key", change(func(d *keySetDocument) { d.Keys[0].Public = d.Keys[0].Public[:16] }), "the key set is damaged: keys[0]: the public key has 16 bytes, not 32"},
		{"another private key", change(func(d *keySetDocument) { d.Keys[1].Private = foreignDocument.Keys[0].Private }), "the key set is damaged: keys[1]: the private key is not that of the public key"},
		{"a private key that is none", change(func(d *keySetDocument) { d.Keys[1].Private = []byte("secret") }), "the key set is damaged: keys[1]: the private key is not an Ed25519 key in PKCS #8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseKeySet(tt.data)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzKeySet: what can be read can be written, reads the same, and has exactly one
// key that signs, which fits its id.
func FuzzKeySet(f *testing.F) {
	f.Add(testKeySet(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parseKeySet(data)
		if err != nil {
			return
		}
		for i, key := range set.keys {
			if signs := key.signer != nil; signs != (i == len(set.keys)-1) || key.id != keyID(key.public) {
				t.Fatalf("key %d signs: %v, id %s", i, signs, key.id)
			}
		}
		if private := set.signing().signer.(ed25519.PrivateKey); !set.signing().public.Equal(private.Public()) {
			t.Fatal("the keys do not belong together")
		}
		written, err := set.encode()
		if err != nil {
			t.Skip(err) // a year beyond 9999
		}
		again, err := parseKeySet(written)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(set, again, cmp.AllowUnexported(keySet{}, ownKey{}, callSecrets{})); diff != "" {
			t.Errorf("key set (-want +got):\n%s", diff)
		}
	})
}
