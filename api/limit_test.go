package api_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
)

func TestWhoAsksTooOftenWaits(t *testing.T) {
	s := newServer(t)
	ask := func(token string) response { return s.do(t, "GET", "/v1/whoami", token, "") }
	for i := range 30 {
		if got := ask(aliceToken); got.status != 200 {
			t.Fatalf("request %d: status %d", i+1, got.status)
		}
	}
	got := ask(aliceToken)
	if p := problem(t, got); p.Status != 429 || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %+v, %v", p, got.header)
	}
	if got := ask(bobToken); got.status != 200 {
		t.Errorf("somebody else: status %d", got.status)
	}
	s.now = s.now.Add(time.Second)
	if got := ask(aliceToken); got.status != 200 {
		t.Errorf("a second later: status %d", got.status)
	}
	for range 200 { // by address, for those who are not known
		got = ask("strangerSecretToken")
	}
	if got.status != 429 {
		t.Errorf("a stranger who tries tokens: status %d, want 429", got.status)
	}
}

// stuck is a desk that answers when it is let go.
type stuck struct {
	desk
	arrived chan struct{}
	release chan struct{}
}

func (s *stuck) List(context.Context) ([]breakglass.View, error) {
	s.arrived <- struct{}{}
	<-s.release
	return nil, nil
}

func TestTooManyAtOnceAreTurnedAway(t *testing.T) {
	slow := &stuck{arrived: make(chan struct{}), release: make(chan struct{})}
	s := newServer(t, func(o *api.HandlerOptions) { o.Desk, o.Authenticator = slow, anybody{} })
	var done sync.WaitGroup
	const limit = 64
	for i := range limit {
		done.Go(func() {
			if got := s.do(t, "GET", "/v1/break-glass/requests", fmt.Sprint("user-", i), ""); got.status != 200 {
				t.Errorf("status %d", got.status)
			}
		})
	}
	for range limit {
		<-slow.arrived
	}
	got := s.do(t, "GET", "/v1/whoami", "one more", "")
	if p := problem(t, got); p.Status != 503 || p.Type != "https://mollyguard.dev/problems/overloaded" || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %+v, %v", p, got.header)
	}
	close(slow.release)
	done.Wait()
	if got := s.do(t, "GET", "/v1/whoami", "one more", ""); got.status != 200 {
		t.Errorf("afterwards: status %d", got.status)
	}
}
