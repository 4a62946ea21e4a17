package ledger

import (
	"context"
	"sync"

	"github.com/mollyguard/mollyguard/operation"
)

// maxRecent is how many refusals are remembered: about 2 MiB of them. Somebody who
// asks for a grant does so minutes after the refusal.
const maxRecent = 1000

// Recorder keeps decisions. *Log is one.
type Recorder interface {
	Record(ctx context.Context, decision operation.Decision) error
}

// Recent remembers the last refusals of this process, by their id, for people who
// ask for a grant with nothing else. It may be used concurrently.
type Recent struct {
	next Recorder

	lock  sync.Mutex
	byID  map[string]operation.Decision
	order []string // a ring, the oldest at next
	at    int
}

// NewRecent returns a Recent that hands every decision on to next.
func NewRecent(next Recorder) *Recent {
	return &Recent{next: next, byID: map[string]operation.Decision{}}
}

// Record hands a decision on, and remembers it if it is a refusal of something
// real.
func (r *Recent) Record(ctx context.Context, decision operation.Decision) error {
	if decision.Refused() && decision.Target.Name != "" {
		r.remember(decision)
	}
	return r.next.Record(ctx, decision)
}

func (r *Recent) remember(decision operation.Decision) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.order) < maxRecent {
		r.order = append(r.order, decision.ID)
	} else {
		delete(r.byID, r.order[r.at])
		r.order[r.at] = decision.ID
		r.at = (r.at + 1) % maxRecent
	}
	r.byID[decision.ID] = decision
}

// Recent returns a refusal by its id, and whether it is still remembered.
func (r *Recent) Recent(id string) (operation.Decision, bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	decision, ok := r.byID[id]
	return decision, ok
}
