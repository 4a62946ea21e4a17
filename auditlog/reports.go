package auditlog

import (
	"slices"
	"sync"

	"github.com/mollyguard/mollyguard/alert"
)

// maxReports is how many reports wait while the ledger cannot be written: of those of
// one kind and source, of which there are some dozens, the oldest makes room.
const maxReports = 256

// reports are what keeps us from seeing and is not in the ledger yet. What is the same
// as before is left out: sources say it again and again, and each word costs a
// transaction. Nobody waits here, since who reports may hold what others need to go on.
type reports struct {
	lock    sync.Mutex
	last    map[reported]alert.Trouble
	waiting []alert.Trouble
	// more holds one token while something may be waiting.
	more chan struct{}
}

// reported is of what a word is the last.
type reported struct {
	kind   alert.TroubleKind
	source string
}

func newReports() reports {
	return reports{last: map[reported]alert.Trouble{}, more: make(chan struct{}, 1)}
}

func (r *reports) tell(t alert.Trouble) {
	r.lock.Lock()
	defer r.lock.Unlock()
	of := reported{t.Kind, t.Source}
	last, known := r.last[of]
	r.last[of] = t
	// A gap or an entry that cannot be read is a thing of its own each time.
	lasting := t.Kind != alert.Gap && t.Kind != alert.Undecodable
	if known && lasting && last.Text == t.Text && last.Over == t.Over {
		return
	}
	if len(r.waiting) >= maxReports {
		if i := slices.IndexFunc(r.waiting, func(t alert.Trouble) bool { return of == reported{t.Kind, t.Source} }); i >= 0 {
			r.waiting = slices.Delete(r.waiting, i, i+1)
		}
	}
	r.waiting = append(r.waiting, t)
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// take returns what waits, oldest first.
func (r *reports) take() []alert.Trouble {
	r.lock.Lock()
	defer r.lock.Unlock()
	waiting := r.waiting
	r.waiting = nil
	return waiting
}

// mended ends what an earlier run reported of a source that works. What this run
// reported, the source ends itself: it may have one way to its entries that works, and
// another that does not.
func (r *reports) mended(source string) {
	for _, kind := range []alert.TroubleKind{alert.Missing, alert.Forbidden, alert.Exhausted, alert.Unreachable} {
		r.lock.Lock()
		_, known := r.last[reported{kind, source}]
		r.lock.Unlock()
		if !known {
			r.tell(alert.Trouble{Kind: kind, Source: source, Text: textHeard, Over: true})
		}
	}
}
