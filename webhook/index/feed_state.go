package index

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// listed says that all of the kind is in the sink. It is believed for maxStale; the
// watch that keeps it current should have begun by then.
func (f *follower) listed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problem = State{Phase: Synced, Namespaced: f.kind.Namespaced}
	f.say(f.problem)
	f.watched = false
	f.doubt()
}

// watching says that a watch has begun where the list, or the watch before, ended.
func (f *follower) watching() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problem = State{Phase: Synced, Namespaced: f.kind.Namespaced}
	f.watched = true
	f.outage++
}

// interrupted says that the watch has ended. The reflector begins another.
func (f *follower) interrupted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watched {
		f.watched = false
		f.doubt()
	}
}

// doubt ends the belief in what was read in a while, unless it is dispelled.
func (f *follower) doubt() {
	f.outage++
	outage := f.outage
	time.AfterFunc(maxStale, func() { f.expire(outage) })
}

// expire is called when an interruption has lasted for maxStale.
func (f *follower) expire(outage int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.outage != outage || f.state.Phase != Synced {
		return
	}
	if f.problem.Phase == Synced {
		f.problem.Phase = Unserved
		f.problem.Err = fmt.Sprintf("no watch could be begun for %s", maxStale)
	}
	f.say(f.problem)
}

// failed says that an attempt to list or to watch has failed. What was read before is
// believed for a while.
func (f *follower) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // it was ended
	}
	if missing(err) {
		f.feed.look()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problem = State{Phase: Unserved, Namespaced: f.kind.Namespaced, Err: err.Error()}
	if apierrors.IsForbidden(err) {
		f.problem.Phase = Forbidden
	}
	if f.state.Phase != Synced {
		f.say(f.problem)
	}
}

// say tells the sink a new state, and the log a new phase.
func (f *follower) say(s State) {
	if s == f.state {
		return
	}
	before := f.state.Phase
	f.state = s
	f.feed.sink.SetState(f.kind.GroupResource(), s)
	switch {
	case s.Phase == before:
	case s.Phase != Synced:
		f.log.Warn("a kind can't be read", "phase", string(s.Phase), "error", s.Err)
	case before != Pending:
		f.log.Info("a kind can be read again")
	}
}

func (f *follower) synced() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Phase == Synced
}
