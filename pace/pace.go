// Package pace counts what each actor destroys within a window, so that somebody who
// goes through production object by object is stopped after a number of them: the
// velocity breaker.
//
// It counts what it is told to count. What is worth counting is the guard's business,
// and how counts travel between replicas is package kube's: Export and Merge are the two
// ends of that. Actors and objects are kept as digests, in memory and on the way.
package pace

import (
	"fmt"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Limits of what a Book is made with, and of what it keeps.
const (
	// MaxLimit bounds Options.Limit: of each actor one entry more than the limit is kept.
	MaxLimit = 200
	// MinWindow and MaxWindow bound Options.Window. Within a second replicas do not know
	// of each other.
	MinWindow = time.Second
	MaxWindow = 24 * time.Hour

	// maxOwn is how many entries this process may have counted itself: 2,500 and those of
	// the crowd (201), each 18 bytes and with an actor of its own 10 more, are 75,628
	// bytes, or 100,838 in base64: within the 100 KiB that may be shared.
	maxOwn = 2_500
	// maxEntries is how many there may be, with those of other replicas: 13 replicas with
	// all that they may share. An entry is 24 bytes, its share of a map and a record less
	// than 200: 7 MiB. There are no more actors than entries.
	maxEntries = 32_768
	// sweepPause is between two attempts to make room in a full Book, each of which looks
	// at all entries.
	sweepPause = time.Second
)

// Options says what is too much.
type Options struct {
	// Limit is how many objects an actor may destroy or weaken within Window: 1 to
	// MaxLimit.
	Limit int
	// Window is how far back is looked: MinWindow to MaxWindow.
	Window time.Duration
}

// Book counts. It may be used concurrently. Times are those of the operations, so it
// has no clock.
//
// Of each actor the newest entries are kept, one more than the limit: enough to tell that
// there are more than the limit, not how many more. Where there is no room for another
// entry it is held against everybody. So what does not fit is counted as more, and never
// as less.
type Book struct {
	limit   int
	window  int64 // milliseconds
	changed chan struct{}

	lock    sync.Mutex
	records map[uint64]*record
	// crowd holds the entries that there was no room for, whoever's they are.
	crowd record
	// entries and own are how many there are in records; own are of this process.
	entries, own int
	swept        int64
}

// New returns an empty Book, or an error about Options.
func New(o Options) (*Book, error) {
	if o.Limit < 1 || o.Limit > MaxLimit {
		return nil, fmt.Errorf("pace: a limit of %d is not between 1 and %d", o.Limit, MaxLimit)
	}
	if o.Window < MinWindow || o.Window > MaxWindow {
		return nil, fmt.Errorf("pace: a window of %v is not between %v and %v", o.Window, MinWindow, MaxWindow)
	}
	return &Book{
		limit: o.Limit, window: o.Window.Milliseconds(), changed: make(chan struct{}, 1), records: map[uint64]*record{},
	}, nil
}

// Look returns what the actor of an operation has done in the window before it, as if
// the operation were counted too. It changes nothing.
//
// Count is exact up to the limit, and Namespaces is about what is counted. What is in no
// namespace is in none of them.
func (b *Book) Look(op *operation.Operation) operation.Recent {
	actor, e := mark(op)
	namespaces := make([]uint32, 0, 2*(MaxLimit+1)+1)
	recent := operation.Recent{Limit: b.limit, Seconds: int(b.window / 1000)}
	b.lock.Lock()
	defer b.lock.Unlock()
	repeat := false
	for _, r := range [...]*record{b.records[actor], &b.crowd} {
		if r == nil {
			continue
		}
		for i := range r.entries {
			if one := &r.entries[i]; one.at > e.at-b.window {
				recent.Count++
				repeat = repeat || one.object == e.object
				namespaces = with(namespaces, one.namespace)
			}
		}
	}
	if !repeat {
		recent.Count++
		namespaces = with(namespaces, e.namespace)
	}
	recent.Namespaces = len(namespaces)
	return recent
}

// Count counts an operation that went through. The same verb on the same object counts
// once, as of the last time: one delete can call the webhook twice.
func (b *Book) Count(op *operation.Operation) {
	actor, e := mark(op)
	e.own = true
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.insert(actor, e, e.at) {
		select {
		case b.changed <- struct{}{}:
		default: // it was said already
		}
	}
}

// Changed is sent to when there is something new to Export. One may wait for it.
func (b *Book) Changed() <-chan struct{} { return b.changed }

// AtLimit is how many actors have done as much as they may, at a time.
func (b *Book) AtLimit(now time.Time) int {
	b.lock.Lock()
	defer b.lock.Unlock()
	since := now.UnixMilli() - b.window
	n, crowd := 0, b.crowd.after(since)
	for _, r := range b.records {
		if r.after(since)+crowd >= b.limit {
			n++
		}
	}
	return n
}

// insert adds an entry, and reports whether that changed anything. Now is when, in
// milliseconds, which the entry is not after.
func (b *Book) insert(actor uint64, e entry, now int64) bool {
	if now-b.swept >= b.window {
		b.sweep(now)
	}
	if e.at <= now-b.window {
		return false
	}
	if actor == crowdActor || b.crowd.find(e.object) != nil {
		return b.crowd.add(e, b.limit+1)
	}
	r := b.records[actor]
	if b.full(r, e) && now-b.swept >= sweepPause.Milliseconds() {
		b.sweep(now)
		r = b.records[actor]
	}
	if b.full(r, e) {
		return b.crowd.add(e, b.limit+1)
	}
	if r == nil {
		r = &record{}
		b.records[actor] = r
	}
	entries, own := len(r.entries), r.own
	added := r.add(e, b.limit+1)
	b.entries += len(r.entries) - entries
	b.own += r.own - own
	return added
}

// full reports whether there is no room for an entry of a record, which may be nil. One
// that takes the place of another needs none, but it may be one more to share.
func (b *Book) full(r *record, e entry) bool {
	var known *entry
	if r != nil {
		known = r.find(e.object)
	}
	replaces := known != nil || r != nil && len(r.entries) > b.limit
	shares := e.own && (known == nil || !known.own)
	return !replaces && b.entries >= maxEntries || shares && b.own >= maxOwn
}

// sweep forgets what is older than the window, and who has nothing younger.
func (b *Book) sweep(now int64) {
	b.swept = now
	b.entries, b.own = 0, 0
	b.crowd.expire(now - b.window)
	for actor, r := range b.records {
		if r.expire(now - b.window); len(r.entries) == 0 {
			delete(b.records, actor)
		}
		b.entries += len(r.entries)
		b.own += r.own
	}
}
