package breakglass

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestAKeyringNeedsAnIssuerAndAStore(t *testing.T) {
	_, err := NewKeyring(t.Context(), KeyringOptions{Overlap: -1, Trusted: []TrustedIssuer{{}}})
	want := "break-glass keys: issuer: missing\nstore: missing\noverlap: -1ns is below zero\ntrusted[0]: issuer: missing"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTheFirstStartMakesAKeyAndTheSecondFindsIt(t *testing.T) {
	store := &memoryKeyStore{}
	a, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	b, _ := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store = store })
	want := []KeyInfo{{ID: a.held.Load().signing().id, Created: ringStart, State: KeySigning}}
	if diff := cmp.Diff(want, b.List()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if len(a.CallSecret()) != 43 || a.CallSecret() != b.CallSecret() {
		t.Errorf("call secrets of %d and %d characters", len(a.CallSecret()), len(b.CallSecret()))
	}
}

func TestAllWhoStartAtOnceHaveTheSameKey(t *testing.T) {
	store := &memoryKeyStore{}
	rings := make([]*Keyring, 8)
	var group sync.WaitGroup
	for i := range rings {
		group.Go(func() { rings[i], _ = newTestRing(t, "hub", byte(i+1), func(o *KeyringOptions) { o.Store = store }) })
	}
	group.Wait()
	for _, k := range rings[1:] {
		if diff := cmp.Diff(rings[0].List(), k.List()); diff != "" {
			t.Errorf("keys (-first +other):\n%s", diff)
		}
	}
}

func TestARotationOverlaps(t *testing.T) {
	k, clock := newTestRing(t, "hub", 1, nil)
	first := k.List()[0].ID
	g := ringGrant("hub")
	g.Expires = ringStart.Add(7 * 24 * time.Hour)
	token, g := mustSign(t, k, g), mustSeal(t, k, g)

	clock.add(time.Hour)
	info, err := k.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until := ringStart.Add(time.Hour + DefaultOverlap)
	want := []KeyInfo{
		{ID: first, Created: ringStart, State: KeyVerifying, Until: until},
		{ID: info.ID, Created: ringStart.Add(time.Hour), State: KeySigning},
	}
	if diff := cmp.Diff(want, k.List()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1], info); diff != "" {
		t.Errorf("what Rotate returns (-want +got):\n%s", diff)
	}
	if got := k.held.Load().keys[0].signer; got != nil {
		t.Error("the old private key is still there")
	}
	if diff := cmp.Diff([]string{first, info.ID}, publicIDs(k)); diff != "" {
		t.Errorf("public keys (-want +got):\n%s", diff)
	}

	clock.at = until.Add(-time.Second)
	_, err = k.Verify(t.Context(), token, clock.now())
	wantReason(t, "", err)
	wantReason(t, "", k.CheckSeal(t.Context(), g))

	clock.at = until
	_, err = k.Verify(t.Context(), token, clock.now())
	wantReason(t, "it was made with a key that was retired at 2026-11-26T04:00:00Z", err)
	_, err = k.Verify(t.Context(), operation.NewSecret(token.Reveal()[:len(token.Reveal())-86]+encoded(string(make([]byte, 64)))), clock.now())
	wantReason(t, "its signature is not good: it is forged or was changed", err)
	wantReason(t, "the grant's seal is not good: it was made with a key that was retired at 2026-11-26T04:00:00Z", k.CheckSeal(t.Context(), g))
	if diff := cmp.Diff([]string{info.ID}, publicIDs(k)); diff != "" {
		t.Errorf("public keys (-want +got):\n%s", diff)
	}
	if got := k.List()[0].State; got != KeyRetired {
		t.Errorf("the old key is %s", got)
	}

	clock.add(Retention + time.Second)
	if _, err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = k.Verify(t.Context(), token, clock.now())
	wantReason(t, "it is signed with a key that nobody trusted here has", err)
}

func TestThereIsAnEndToRotating(t *testing.T) {
	k, clock := newTestRing(t, "hub", 1, nil)
	for range maxKeys - 1 {
		clock.add(time.Second)
		if _, err := k.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := k.Rotate(t.Context())
	wantReason(t, "there are 32 keys whose signatures are still good, and no room for another: wait until 2026-11-26T03:00:01Z", err)
	data, err := k.held.Load().encode()
	if err != nil || len(data) > maxKeySetBytes {
		t.Errorf("a full set has %d bytes: %v", len(data), err)
	}
	clock.add(DefaultOverlap)
	if _, err := k.Rotate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARotationElsewhereIsFoundWhenItsKeyIsSeen(t *testing.T) {
	store := &memoryKeyStore{}
	a, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	b, clock := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store = store })
	if _, err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := mustSeal(t, a, ringGrant("hub"))
	wantReason(t, "", b.CheckSeal(t.Context(), g))

	if _, err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	g = mustSeal(t, a, ringGrant("hub"))
	loads := store.loads
	wantReason(t, "the grant's seal is not good: it was made with a key that is not known here", b.CheckSeal(t.Context(), g))
	if store.loads != loads {
		t.Error("the store was asked again too soon")
	}
	clock.add(lookAgainAfter)
	wantReason(t, "", b.CheckSeal(t.Context(), g))
}

func TestAnUnknownKeyIsUndecidedWhileTheStoreIsAway(t *testing.T) {
	store := &memoryKeyStore{}
	a, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	b, clock := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store = store })
	before := mustSeal(t, a, ringGrant("hub"))
	if _, err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := mustSeal(t, a, ringGrant("hub"))
	store.err = errors.New("the disk is away")
	const want = "undecided: look for an unknown break-glass key: the disk is away"
	wantReason(t, want, b.CheckSeal(t.Context(), after))
	wantReason(t, want, b.CheckSeal(t.Context(), after)) // without asking
	wantReason(t, "", b.CheckSeal(t.Context(), before))
	store.err = nil
	clock.add(lookAgainAfter)
	wantReason(t, "", b.CheckSeal(t.Context(), after))
}

func TestAKeySetThatIsGoneStaysInUse(t *testing.T) {
	store := &memoryKeyStore{}
	k, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	g := mustSeal(t, k, ringGrant("hub"))
	store.data = nil
	err := k.Reload(t.Context())
	if err == nil || errors.Is(err, ErrNotFound) || err.Error() != "break-glass keys: the key set is gone from where it is kept" {
		t.Errorf("got %v", err)
	}
	if _, err := k.Rotate(t.Context()); err == nil {
		t.Error("it was rotated")
	}
	wantReason(t, "", k.CheckSeal(t.Context(), g))
}

func TestTwoWhoRotateAtOnceMakeAKeyEach(t *testing.T) {
	store := &memoryKeyStore{}
	a, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	b, _ := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store = store })
	var group sync.WaitGroup
	for _, k := range []*Keyring{a, b} {
		group.Go(func() {
			if _, err := k.Rotate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, k := range []*Keyring{a, b} {
		if err := k.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(a.List(), b.List()); diff != "" || len(a.List()) != 3 {
		t.Errorf("%d keys (-a +b):\n%s", len(a.List()), diff)
	}
}

func TestRunFindsARotationWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryKeyStore{}
		a, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
		b, _ := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store = store })
		go func() {
			if err := b.Run(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		info, err := a.Rotate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(pollInterval) // of the bubble's clock
		synctest.Wait()
		if got := b.held.Load().signing().id; got != info.ID {
			t.Errorf("signs with %s, want %s", got, info.ID)
		}
	})
}

func TestOnlyPublicPartsArePublished(t *testing.T) {
	k, _ := newTestRing(t, "hub", 1, nil)
	data, err := json.Marshal(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := k.held.Load().signing().public
	want := `{"keys":[{"use":"sig","kty":"OKP","kid":"` + keyID(public) + `","crv":"Ed25519","alg":"EdDSA","x":"` + encoded(string(public)) + `"}]}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("JWK set (-want +got):\n%s", diff)
	}
	for _, secret := range []string{encoded(string(privateOf(k).Seed())), k.CallSecret()} {
		if strings.Contains(string(data), secret) {
			t.Error("a secret is published")
		}
	}
}

func publicIDs(k *Keyring) []string {
	var ids []string
	for _, key := range k.Public().Keys {
		ids = append(ids, key.KeyID)
	}
	return ids
}
