package fault

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// lateness is how late answers are: as late as the longest of the timeoutSeconds.
const lateness = 5 * time.Second

func testLate(t *testing.T, w *world) {
	w.hook.hold(lateness)
	w.unanswered(t)
	w.hook.mend()
}

func testAllKilled(t *testing.T, w *world) {
	check(t, func() error { return w.refused(t, []attempt{unmarked}, byPolicy) })
	w.killAll()
	w.unanswered(t)
	check(t, func() error { return w.done(t, []attempt{unmarked}) })
	w.start(t, shortTimeout)
}

// unanswered holds what is true while nobody answers in time.
func (w *world) unanswered(t *testing.T) {
	t.Helper()
	w.passBy(t)
	check(t,
		func() error { return w.refused(t, destructive, byNobody) },
		func() error { return w.done(t, harmless) },
		func() error { return w.refused(t, closed, byNobody) })
}

// testOneKilled kills the replica that the API server asks while many requests are
// under way.
func testOneKilled(t *testing.T, w *world) {
	const workers, rounds = 4, 8
	var (
		under  sync.WaitGroup
		begun  atomic.Int32
		killed = make(chan struct{})
		errs   = make(chan error, workers*rounds*2)
	)
	for range workers {
		under.Go(func() {
			for range rounds {
				if begun.Add(1) == workers*rounds/3 {
					close(killed)
				}
				errs <- w.refused(t, destructive, byAnything)
				errs <- w.done(t, harmless)
			}
		})
	}
	<-killed
	w.kill(0)
	under.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	w.judged(t) // by the other one
	w.run(t, 0)
}

// testOneHangs stops the replica that the API server has its connection to. Nothing tells
// the API server that it is not just slow, so it goes on asking it.
func testOneHangs(t *testing.T, w *world) {
	w.lead(0)
	w.judged(t) // makes the connection
	w.signal(t, syscall.SIGSTOP, 0)
	w.unanswered(t)
	w.signal(t, syscall.SIGCONT, 0)
}

func testAllHang(t *testing.T, w *world) {
	w.signal(t, syscall.SIGSTOP, 0, 1)
	w.unanswered(t)
	check(t, func() error { return w.done(t, []attempt{atOnce}) })
	w.signal(t, syscall.SIGCONT, 0, 1)
}

// limit is for requests of which only matters that they don't go through.
func limit(t *testing.T, d time.Duration) func() (context.Context, context.CancelFunc) {
	return func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), d) }
}
