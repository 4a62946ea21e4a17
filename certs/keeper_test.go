package certs

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAKeeperBootstrapsAndServes(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	k := newTestKeeper(t, store, c, func(o *KeeperOptions) { o.IPs = []net.IP{net.IPv4(127, 0, 0, 1)} })

	if err := k.Ready(); err == nil || err.Error() != "there is no serving certificate yet" {
		t.Errorf("before: ready is %v", err)
	}
	if _, err := k.GetCertificate(nil); err == nil {
		t.Error("before: there is a certificate")
	}
	if len(k.CABundle()) != 0 || !k.NotAfter().IsZero() || signalled(k) {
		t.Error("before: there is something")
	}

	mustSync(t, k)
	if err := k.Ready(); err != nil {
		t.Errorf("ready is %v", err)
	}
	if !signalled(k) || signalled(k) {
		t.Error("want one value on Changed")
	}
	if got, want := k.NotAfter(), epoch.Add(DefaultLeafValidity); !got.Equal(want) {
		t.Errorf("not after %s, want %s", got, want)
	}
	address := tlsServer(t, k)
	for _, name := range []string{testName, "127.0.0.1"} {
		if err := handshake(address, k.CABundle(), name, c.Now()); err != nil {
			t.Errorf("handshake with %s: %v", name, err)
		}
	}
	if err := handshake(address, k.CABundle(), "other.svc", c.Now()); err == nil {
		t.Error("a handshake with another name succeeds")
	}

	k.CABundle()[0] = 'x'
	mustSync(t, k)
	if signalled(k) || store.saves != 1 || k.CABundle()[0] == 'x' {
		t.Error("a second look changes something")
	}
}

func TestReplicasThatStartTogetherConverge(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	const replicas = 4
	keepers := make([]*Keeper, replicas)
	var wg sync.WaitGroup
	for i := range keepers {
		keepers[i] = newTestKeeper(t, store, c)
		wg.Go(func() {
			if err := keepers[i].Sync(t.Context()); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i, k := range keepers {
		if diff := cmp.Diff(keepers[0].held, k.held); diff != "" {
			t.Errorf("replica %d differs:\n%s", i, diff)
		}
		for _, other := range keepers {
			mustHandshake(t, tlsServer(t, k), other.CABundle(), c.Now())
		}
	}
	if store.saves != 1 {
		t.Errorf("there were %d saves, want 1", store.saves)
	}
}

func TestTheLoserOfARaceTakesTheWinnersWork(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	winner, loser := newTestKeeper(t, store, c), newTestKeeper(t, store, c)
	store.onSave = func() { mustSync(t, winner) }
	mustSync(t, loser)
	if diff := cmp.Diff(winner.held, loser.held); diff != "" {
		t.Errorf("they differ:\n%s", diff)
	}
}

func TestEndlessConflictsAreAnError(t *testing.T) {
	t.Parallel()
	store := &memStore{saveErr: ErrConflict}
	k := newTestKeeper(t, store, newClock())
	if err := k.Sync(t.Context()); !errors.Is(err, ErrConflict) {
		t.Errorf("error is %v", err)
	}
	if k.Ready() == nil {
		t.Error("a certificate that is not stored is served")
	}
}

func TestAKeeperOutlivesItsStore(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	k := newTestKeeper(t, store, c)
	mustSync(t, k)
	address, ca := tlsServer(t, k), k.CABundle()
	unreachable := errors.New("connection refused")
	store.set(func(s *memStore) { s.loadErr = unreachable })

	c.Add(89 * 24 * time.Hour)
	if err := k.Sync(t.Context()); !errors.Is(err, unreachable) {
		t.Errorf("error is %v", err)
	}
	if !errors.Is(k.Problem(), unreachable) {
		t.Errorf("problem is %v", k.Problem())
	}
	if err := k.Ready(); err != nil {
		t.Errorf("ready is %v while the leaf is valid", err)
	}
	mustHandshake(t, address, ca, c.Now())

	c.Add(2 * 24 * time.Hour)
	want := "serving certificate expired on 2027-02-19T03:12:47Z, and it is 2027-02-20T03:12:47Z now; it cannot be replaced: connection refused"
	if err := k.Ready(); err == nil || err.Error() != want {
		t.Errorf("ready is %v, want %s", err, want)
	}

	store.set(func(s *memStore) { s.loadErr = nil })
	mustSync(t, k)
	if err := errors.Join(k.Ready(), k.Problem()); err != nil {
		t.Errorf("with the store back: %v", err)
	}
	mustHandshake(t, address, ca, c.Now())
}

func TestWhatCannotBeStoredIsNotServed(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	writer := newTestKeeper(t, store, c)
	mustSync(t, writer)
	forbidden := errors.New("forbidden")
	store.set(func(s *memStore) { s.saveErr = forbidden })

	c.Add(70 * 24 * time.Hour) // a new leaf is due
	reader := newTestKeeper(t, store, c)
	if err := reader.Sync(t.Context()); !errors.Is(err, forbidden) {
		t.Errorf("error is %v", err)
	}
	if diff := cmp.Diff(writer.held, reader.held); diff != "" {
		t.Errorf("a replica that may not write must serve what is stored:\n%s", diff)
	}

	store.set(func(s *memStore) { s.fields = nil })
	if err := newTestKeeper(t, store, c).Ready(); err == nil {
		t.Error("ready with nothing stored")
	}
}

func TestALeafFollowsTheWantedNames(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	before := newTestKeeper(t, store, c)
	mustSync(t, before)
	after := newTestKeeper(t, store, c, func(o *KeeperOptions) { o.DNSNames = []string{testName, "guard.example.com"} })
	mustSync(t, after)
	if err := handshake(tlsServer(t, after), before.CABundle(), "guard.example.com", c.Now()); err != nil {
		t.Errorf("the new name, with the bundle of before: %v", err)
	}
}

// damage is a way to break what is stored.
type damage struct {
	field  string
	change func(data []byte) []byte
}

// damages are all of them, by what they do.
func damages() map[string]damage {
	twice := func(d []byte) []byte { return append(d[:len(d):len(d)], d...) }
	half := func(d []byte) []byte { return d[:len(d)/2] }
	gone := func([]byte) []byte { return nil }
	return map[string]damage{
		"the CA certificates are half-written":   {fieldCA, half},
		"the CA certificates are gone":           {fieldCA, gone},
		"a CA certificate is garbage":            {fieldCA, func([]byte) []byte { return encodePEM(pemCertificate, []byte("garbage")) }},
		"a CA certificate is there twice":        {fieldCA, twice},
		"the CA keys are half-written":           {fieldCAKey, half},
		"the CA keys are gone":                   {fieldCAKey, gone},
		"the CA key is garbage":                  {fieldCAKey, func([]byte) []byte { return encodePEM(pemPrivateKey, []byte("garbage")) }},
		"the leaf is half-written":               {fieldLeaf, half},
		"the leaf is there twice":                {fieldLeaf, twice},
		"the leaf is a key":                      {fieldLeaf, func([]byte) []byte { return encodePEM(pemPrivateKey, nil) }},
		"the leaf's key is gone":                 {fieldLeafKey, gone},
		"the leaf's key is there twice":          {fieldLeafKey, twice},
		"the leaf's key is too big":              {fieldLeafKey, func([]byte) []byte { return make([]byte, maxFieldBytes+1) }},
		"the rotation is half-written":           {fieldRotation, half},
		"the rotation has another format":        {fieldRotation, func([]byte) []byte { return []byte(`{"format":0}`) }},
		"the rotation lists nothing":             {fieldRotation, func([]byte) []byte { return []byte(`{"format":1}`) }},
		"the rotation lists another certificate": {fieldCA, nil},
	}
}

// apply breaks a copy of what is stored.
func apply(fields map[string][]byte, field string, change func([]byte) []byte) map[string][]byte {
	broken := make(map[string][]byte, len(fields))
	for name, data := range fields {
		broken[name] = data
	}
	if change == nil {
		broken[fieldRotation] = []byte(`{"format":1,"authorities":[{"sha256":"00","added":"2026-11-21T03:12:47Z"}]}`)
		return broken
	}
	broken[field] = change(broken[field])
	return broken
}

func TestDamagedStateIsNamedAndRepaired(t *testing.T) {
	t.Parallel()
	for name, tt := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, store, log := newClock(), &memStore{}, &logBuffer{}
			running := newTestKeeper(t, store, c)
			mustSync(t, running)
			before := running.held
			harm := func() { store.set(func(s *memStore) { s.fields = apply(s.fields, tt.field, tt.change) }) }

			harm()
			_, _, err := store.Load(t.Context())
			if corrupt, ok := errors.AsType[*CorruptError](err); !ok || corrupt.Field != tt.field || corrupt.Store != "memory" {
				t.Fatalf("load: %v, want one that names the store and %s", err, tt.field)
			}
			mustSync(t, running)
			if diff := cmp.Diff(before.Authorities, store.bundle(t).Authorities); diff != "" {
				t.Errorf("a running keeper has lost its authority:\n%s", diff)
			}

			harm()
			restarted := newTestKeeper(t, store, c, func(o *KeeperOptions) { o.Log = log.Logger() })
			mustSync(t, restarted)
			mustHandshake(t, tlsServer(t, restarted), restarted.CABundle(), c.Now())
			if diff := cmp.Diff(restarted.held, store.bundle(t)); diff != "" {
				t.Errorf("served and stored differ:\n%s", diff)
			}
			leafOnly := tt.field == fieldLeaf || tt.field == fieldLeafKey && !strings.Contains(name, "too big")
			if same := cmp.Equal(before.Authorities, restarted.held.Authorities); same != leafOnly {
				t.Errorf("after a restart the authority is kept: %t, want %t", same, leafOnly)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), tt.field) {
				t.Errorf("the log does not say so loudly: %s", log)
			}
		})
	}
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(fields map[string][]byte)
		want   string
	}{
		"somebody else's secret": {func(f map[string][]byte) { delete(f, fieldRotation) }, "somebody else made it"},
		"unrelated data":         {func(f map[string][]byte) { clear(f); f["password"] = []byte("x") }, "somebody else made it"},
		"a newer version's":      {func(f map[string][]byte) { f[fieldRotation] = []byte(`{"format":2}`) }, "written by a newer mollyguard (format 2, this one knows 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, store := newClock(), &memStore{}
			running := newTestKeeper(t, store, c)
			mustSync(t, running)
			store.set(func(s *memStore) {
				s.fields = apply(s.fields, fieldLeaf, func(d []byte) []byte { return d })
				tt.change(s.fields)
			})
			for _, k := range []*Keeper{running, newTestKeeper(t, store, c)} {
				err := k.Sync(t.Context())
				if _, ok := errors.AsType[*ForeignError](err); !ok || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error is %v, want %q in it", err, tt.want)
				}
			}
			if store.saves != 1 {
				t.Error("it was overwritten")
			}
			if err := running.Ready(); err != nil {
				t.Errorf("a running keeper is not ready: %v", err)
			}
		})
	}
}

func TestDeletingTheStateRotatesWithoutAnOutage(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	k := newTestKeeper(t, store, c)
	mustSync(t, k)
	address, old := tlsServer(t, k), k.held.Authorities[0]
	published := history{{c.Now(), k.CABundle()}}

	for minute := range 181 {
		if minute%30 == 1 { // somebody, or a GitOps tool, does so again and again
			store.set(func(s *memStore) { s.fields = nil })
		}
		mustSync(t, k)
		published = append(published, moment{c.Now(), k.CABundle()})
		mustHandshake(t, address, published.asOf(c.Now().Add(-DefaultOverlap)), c.Now())
		mustHandshake(t, address, k.CABundle(), c.Now())
		if n := len(k.held.Authorities); n > 3 {
			t.Fatalf("%d authorities pile up", n)
		}
		c.Add(time.Minute)
	}
	for _, a := range k.held.Authorities {
		if a.Certificate.Equal(old.Certificate) {
			t.Error("the old authority is still trusted")
		}
	}
}

func TestAnExpiredKeeperDoesNotRestoreWhatItHolds(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	k := newTestKeeper(t, store, c)
	mustSync(t, k)
	c.Add(2 * DefaultCAValidity)
	store.set(func(s *memStore) { s.fields = nil })
	mustSync(t, k)
	if len(k.held.Authorities) != 1 || k.Ready() != nil {
		t.Errorf("%d authorities, ready %v", len(k.held.Authorities), k.Ready())
	}
}

func TestACertificateOfTheFutureIsNotReady(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	k := newTestKeeper(t, store, c)
	mustSync(t, k)
	c.Add(-24 * time.Hour)
	if err := k.Sync(t.Context()); err == nil {
		t.Error("sync has no error")
	}
	if err := k.Ready(); err == nil || !strings.Contains(err.Error(), "is not valid before 2026-11-21T02:12:47Z, and it is 2026-11-20T03:12:47Z here") {
		t.Errorf("ready is %v", err)
	}
	if store.saves != 1 {
		t.Error("it was overwritten")
	}
}

// hangingStore is an API server that does not answer.
type hangingStore struct{ memStore }

func (*hangingStore) Load(ctx context.Context) (Bundle, string, error) {
	<-ctx.Done()
	return Bundle{}, "", ctx.Err()
}

func TestAStoreThatHangsIsGivenUpOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newTestKeeper(t, &hangingStore{}, newClock())
		before := time.Now()
		if err := k.Sync(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		if got := time.Since(before); got != syncTimeout {
			t.Errorf("it took %s, want %s", got, syncTimeout)
		}
	})
}

func TestRunLooksAtOnceAndSoonAgainWhileNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memStore{loadErr: errors.New("connection refused")}
		log := &logBuffer{}
		k, err := NewKeeper(KeeperOptions{Store: store, DNSNames: []string{testName}, LeafValidity: 24 * time.Hour, Log: log.Logger()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()

		synctest.Wait()
		if err := k.Ready(); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("ready is %v", err)
		}
		if !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("log is %s", log)
		}
		store.set(func(s *memStore) { s.loadErr = nil })
		<-time.After(retryInterval) // of the bubble's clock, which does not wait
		synctest.Wait()
		if err := k.Ready(); err != nil {
			t.Errorf("ready is %v", err)
		}
		<-time.After(17 * time.Hour)
		synctest.Wait()
		if store.saves != 2 {
			t.Errorf("after 17 hours there were %d saves, want 2, as the leaf is renewed after 16", store.saves)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}
