package webhook

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// started is a keeper that runs, in a bubble, and how to tell it that something changed.
func started(t *testing.T, k *Keeper) (notify func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan struct{}, 1), make(chan error, 1)
	go func() { done <- k.Run(ctx, func() bool { return true }, changed, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}

func TestAChangeIsPutRightWithinASecondHoweverMuchTheServerItselfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKeeperWorld(t)
		notify := started(t, w.Keeper)
		for i := range 50 {
			time.Sleep(lookPause)
			synctest.Wait()
			w.spec.Namespaces = []string{fmt.Sprintf("n%d", i)}
			notify() // by the content, and by the watch of what was written
			time.Sleep(lookPause)
			synctest.Wait()
			notify()
		}
		mutating, _, _ := kept()
		for i := range fightBurst {
			time.Sleep(lookPause)
			synctest.Wait()
			w.told = nil
			w.delete(t, mutating)
			notify()
			time.Sleep(time.Second)
			synctest.Wait()
			if len(w.told) != 1 {
				t.Errorf("deletion %d: told of %v within a second", i, w.told)
			}
		}
	})
}

func TestAFightIsNotFoughtAtTheSpeedOfTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKeeperWorld(t)
		notify := started(t, w.Keeper)
		w.told = nil
		mutating, _, _ := kept()
		const fight = time.Minute
		for range fight / (200 * time.Millisecond) {
			if err := w.client.Delete(t.Context(), mutating); err == nil {
				notify()
			}
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
		}
		if least, most := int(fight/fightEvery), int(fight/fightEvery)+fightBurst+1; len(w.told) < least || len(w.told) > most {
			t.Errorf("%d corrections in %s, want between %d and %d", len(w.told), fight, least, most)
		}
	})
}

func TestALookThatLeavesObjectsToAnotherServerIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKeeperWorld(t)
		w.reconcile(t)
		other := w.another(t, "other/mollyguard", nil)
		started(t, other)
		for result, want := range map[string]float64{"success": 0, "conflict": 1, "error": 0} {
			if got := testutil.ToFloat64(other.checks.WithLabelValues(result)); got != want {
				t.Errorf("%v looks with %s, want %v", got, result, want)
			}
		}
	})
}
