package breakglass

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// requestsPerHour and requestBurst are how often one person may ask, whoever it
	// is for: more than anybody does in an incident, and few enough that nobody fills
	// a store that keeps requests for weeks.
	requestsPerHour = 30
	requestBurst    = 30
	// maxPaced is how many people's pace is remembered: of those who have not asked
	// for long nothing has to be.
	maxPaced = 4096
)

// pace limits how often each person asks. It may be used concurrently.
type pace struct {
	lock   sync.Mutex
	people map[string]*rate.Limiter
}

func (p *pace) allow(now time.Time, person string) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	limiter := p.people[person]
	if limiter == nil {
		if p.people == nil {
			p.people = map[string]*rate.Limiter{}
		}
		for other, limiter := range p.people {
			if len(p.people) < maxPaced {
				break
			}
			if limiter.TokensAt(now) >= requestBurst {
				delete(p.people, other)
			}
		}
		if len(p.people) >= maxPaced {
			return false
		}
		limiter = rate.NewLimiter(rate.Limit(requestsPerHour)/3600, requestBurst)
		p.people[person] = limiter
	}
	return limiter.AllowN(now, 1)
}
