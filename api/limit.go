package api

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How much somebody may ask. Who waits for an approval asks every few seconds;
// an address may be a whole office's, or a load balancer's.
const (
	perCaller       = rate.Limit(5)
	perCallerBurst  = 30
	perAddress      = rate.Limit(50)
	perAddressBurst = 200
	// maxLimiters is how many are told apart at once: at 200 bytes each, 800 KiB.
	maxLimiters = 4096
)

// perCallerInFlight is how many requests of one caller are answered at once, so that
// one who sends bodies that do not end keeps nobody else out.
const perCallerInFlight = 4

// busy counts the requests of each caller that are being answered. The zero value
// is ready; it may be used concurrently.
type busy struct {
	lock  sync.Mutex
	count map[string]int
}

// enter reports whether one more may be answered; then leave ends it.
func (b *busy) enter(caller string) bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.count[caller] >= perCallerInFlight {
		return false
	}
	if b.count == nil {
		b.count = map[string]int{}
	}
	b.count[caller]++
	return true
}

func (b *busy) leave(caller string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.count[caller]--; b.count[caller] == 0 {
		delete(b.count, caller)
	}
}

// limiters is one limit for each of many. It may be used concurrently.
type limiters struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	lock  sync.Mutex
	byKey map[string]*limiter
}

type limiter struct {
	*rate.Limiter
	used time.Time
}

func newLimiters(limit rate.Limit, burst int, now func() time.Time) *limiters {
	return &limiters{limit: limit, burst: burst, now: now, byKey: map[string]*limiter{}}
}

// allow reports whether one more request is within the limit of a key.
func (l *limiters) allow(key string) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	now := l.now()
	one, ok := l.byKey[key]
	if !ok {
		if len(l.byKey) >= maxLimiters {
			l.forgetOldest()
		}
		one = &limiter{Limiter: rate.NewLimiter(l.limit, l.burst)}
		l.byKey[key] = one
	}
	one.used = now
	return one.AllowN(now, 1)
}

// forgetOldest makes room. Who was not here for the longest time has most
// likely the whole burst again.
func (l *limiters) forgetOldest() {
	oldest, first := "", true
	for key, one := range l.byKey {
		if first || one.used.Before(l.byKey[oldest].used) {
			oldest, first = key, false
		}
	}
	delete(l.byKey, oldest)
}

// addressOf is what requests of one caller who is not known yet have in common:
// the address, or for IPv6 the network of 64 bits, which one subscriber has whole
// (RFC 6177).
func addressOf(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	address := at.Addr().Unmap()
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}
