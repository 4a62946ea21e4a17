package auditlog

import (
	"context"
	"sync"

	"github.com/mollyguard/mollyguard/alert"
)

// reports passes on what a source reports, once: sources say the same again and
// again, and each word costs a transaction.
type reports struct {
	to chan<- alert.Trouble

	lock sync.Mutex
	last map[alert.TroubleKind]alert.Trouble
}

func (r *reports) tell(ctx context.Context, t alert.Trouble) {
	r.lock.Lock()
	if r.last == nil {
		r.last = map[alert.TroubleKind]alert.Trouble{}
	}
	last, known := r.last[t.Kind]
	again := known && last.Text == t.Text && last.Over == t.Over && last.Source == t.Source
	// A gap or an entry that cannot be read is a thing of its own each time.
	lasting := t.Kind != alert.Gap && t.Kind != alert.Undecodable
	r.last[t.Kind] = t
	r.lock.Unlock()
	if again && lasting {
		return
	}
	select {
	case r.to <- t:
	case <-ctx.Done():
	}
}

// sees says that a source works, which it cannot know for what it reported before it
// was started again.
func (r *reports) sees(ctx context.Context, source string) {
	for _, kind := range []alert.TroubleKind{alert.Silence, alert.Missing, alert.Forbidden, alert.Exhausted, alert.Unreachable} {
		r.tell(ctx, alert.Trouble{Kind: kind, Source: source, Text: "entries come again", Over: true})
	}
}
