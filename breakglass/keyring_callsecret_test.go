package breakglass

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// callState is what a keyring says of call secrets at a moment.
type callState struct {
	Told     string
	Accepted []string
}

// callStateOf asks a keyring about secrets that have names.
func callStateOf(k *Keyring, names map[string]string, order ...string) callState {
	state := callState{Told: "none of them"}
	for _, name := range order {
		if k.CallSecret() == names[name] {
			state.Told = name
		}
		if k.IsCallSecret(names[name]) {
			state.Accepted = append(state.Accepted, name)
		}
	}
	return state
}

func TestARenewedCallSecretOverlapsOnAllReplicas(t *testing.T) {
	store := &memoryKeyStore{}
	a, clock := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	b, _ := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store, o.Now = store, clock.now })
	names := map[string]string{"first": a.CallSecret()}
	at := func(when string, after time.Duration, want callState) {
		t.Helper()
		clock.at = ringStart.Add(after)
		for name, k := range map[string]*Keyring{"the one that renewed": a, "the other": b} {
			if err := k.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, callStateOf(k, names, "first", "second", "third")); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", when, name, diff)
			}
		}
	}
	at("at first", 0, callState{"first", []string{"first"}})

	keys := a.List()
	until, err := a.RotateCallSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := ringStart.Add(time.Hour); !until.Equal(want) {
		t.Errorf("the one before is accepted until %v, want %v", until, want)
	}
	if diff := cmp.Diff(keys, a.List()); diff != "" {
		t.Errorf("the keys changed (-before +after):\n%s", diff)
	}
	if got := callStateOf(b, names, "first"); !cmp.Equal(got, callState{"first", []string{"first"}}) {
		t.Errorf("before the other replica looked: %+v", got)
	}
	names["second"] = a.held.Load().call.current
	both := []string{"first", "second"}
	at("until all replicas know the new one", 2*time.Minute-time.Second, callState{"first", both})
	at("once they do", 2*time.Minute, callState{"second", both})
	at("until the overlap ends", time.Hour-time.Second, callState{"second", both})
	at("then", time.Hour, callState{"second", []string{"second"}})

	if _, err := b.Rotate(t.Context()); err != nil { // a key, and with it the call secret
		t.Fatal(err)
	}
	names["third"] = b.held.Load().call.current
	at("after a rotation", time.Hour+2*time.Minute, callState{"third", []string{"second", "third"}})
	for _, text := range []string{"", names["third"] + "A", names["third"][1:]} {
		if a.IsCallSecret(text) {
			t.Errorf("%d characters are accepted", len(text))
		}
	}
}

func TestACallSecretThatTheAPIServerStillUsesIsNotDropped(t *testing.T) {
	store := &memoryKeyStore{}
	a, clock := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	b, _ := newTestRing(t, "hub", 2, func(o *KeyringOptions) { o.Store, o.Now = store, clock.now })
	first := a.CallSecret()
	if _, err := a.RotateCallSecret(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.add(5*time.Minute - time.Second)
	_, err := b.RotateCallSecret(t.Context())
	wantReason(t, "the call secret was renewed a moment ago, and the API server may not use it yet: renew it again from 2026-11-21T03:05:00Z", err)
	if _, err := b.Rotate(t.Context()); err != nil {
		t.Errorf("a key can be rotated at any time: %v", err)
	}
	if !b.IsCallSecret(first) {
		t.Error("the first is not accepted any more")
	}
	clock.add(time.Second)
	if _, err := b.RotateCallSecret(t.Context()); err != nil {
		t.Error(err)
	}
	if b.IsCallSecret(first) {
		t.Error("the first is accepted after two renewals")
	}
}

func TestAKeySetOfBeforeRenewalsLoads(t *testing.T) {
	const document = `{"version":1,"call_secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","keys":[{"id":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","created":"2026-11-21T03:00:00Z","public":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=","private":"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"}]}`
	store := &memoryKeyStore{data: []byte(document)}
	k, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
	const secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if k.CallSecret() != secret || !k.IsCallSecret(secret) || k.IsCallSecret("") {
		t.Errorf("the call secret is another one")
	}
	written, err := k.held.Load().encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(document, string(written)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

// hangingKeyStore is one that does not answer while it hangs.
type hangingKeyStore struct {
	memoryKeyStore
	hangs bool
}

func (s *hangingKeyStore) Load(ctx context.Context) ([]byte, string, error) {
	if s.hangs {
		<-ctx.Done()
		return nil, "", ctx.Err()
	}
	return s.memoryKeyStore.Load(ctx)
}

func TestAStoreThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hangingKeyStore{}
		k, _ := newTestRing(t, "hub", 1, func(o *KeyringOptions) { o.Store = store })
		known := mustSeal(t, k, ringGrant("hub"))
		other, _ := newTestRing(t, "hub", 2, nil)
		unknown := mustSeal(t, other, ringGrant("hub"))
		store.hangs = true

		start := time.Now() // of the bubble's clock
		reloaded := make(chan error, 1)
		go func() { reloaded <- k.Reload(t.Context()) }()
		synctest.Wait()
		wantReason(t, "", k.CheckSeal(t.Context(), known))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("a grant under a known key waited for %v", waited)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := k.CheckSeal(impatient, unknown); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an unknown key: %v", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("who has a second waited for %v", waited)
		}
		if err := <-reloaded; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the reload: %v", err)
		}
		if waited := time.Since(start); waited != storeTimeout {
			t.Errorf("the reload took %v, want %v", waited, storeTimeout)
		}
	})
}
