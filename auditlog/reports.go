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
	last map[reported]alert.Trouble
}

// reported is of what a word is the last.
type reported struct {
	kind   alert.TroubleKind
	source string
}

func (r *reports) tell(ctx context.Context, t alert.Trouble) {
	r.lock.Lock()
	if r.last == nil {
		r.last = map[reported]alert.Trouble{}
	}
	of := reported{t.Kind, t.Source}
	last, known := r.last[of]
	again := known && last.Text == t.Text && last.Over == t.Over
	// A gap or an entry that cannot be read is a thing of its own each time.
	lasting := t.Kind != alert.Gap && t.Kind != alert.Undecodable
	r.last[of] = t
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
