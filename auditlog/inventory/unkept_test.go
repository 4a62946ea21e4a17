package inventory

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/pstest"

	"github.com/mollyguard/mollyguard/ledger"
)

// failures calls a function with how often the feed could not be kept, where it is told.
type failures struct {
	slog.Handler
	told func(n int)
	n    atomic.Int64
}

func (f *failures) Enabled(context.Context, slog.Level) bool { return true }

func (f *failures) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "the asset feed cannot be kept" {
		f.told(int(f.n.Add(1)))
	}
	return nil
}

// unwritable is a world with a message that its ledger, which is closed, cannot take.
func unwritable(t *testing.T, pauses time.Duration) (*world, *pstest.Server, *failures) {
	t.Helper()
	server, topic, feed := subscribed(t)
	f := &failures{told: func(int) {}}
	w := newWorld(t, feed, func(o *Options) { o.Scopes, o.Log = nil, slog.New(f) })
	w.inv.rewrites.First, w.inv.rewrites.Longest = pauses, pauses
	if err := w.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	server.Publish(topic, []byte(message(diskName, diskKind, `"labels":{"env":"production"}`, noon, "")), nil)
	return w, server, f
}

func TestTheFeedWaitsForALedgerThatCannotBeWrittenForAMoment(t *testing.T) {
	w, server, f := unwritable(t, time.Millisecond)
	f.told = func(n int) { // by the only goroutine that has the ledger
		if n == 3 {
			var err error
			if w.ledger, err = ledger.Open(w.path, ledger.Options{}); err != nil {
				t.Error(err)
			}
			w.inv.o.Ledger = w.ledger
		}
	}
	stop := w.run()
	poll(t, func() bool { return server.Messages()[0].Acks == 1 })
	stop()
	if got, n := server.Messages()[0].Deliveries, f.n.Load(); got != 1 || n != 3 {
		t.Errorf("handed out %d times, not kept %d times; want 1 and 3", got, n)
	}
	if asset, ok, err := w.inv.Find(t.Context(), diskRef, "", noon); err != nil || !ok || asset.Labels["env"] != "production" {
		t.Errorf("got %v %v %v", asset, ok, err)
	}
}

func TestWhatTheLedgerDoesNotTakeForLongIsGivenBack(t *testing.T) {
	w, server, f := unwritable(t, time.Millisecond)
	again := make(chan int)
	f.told = func(n int) {
		if n == maxWrites+1 {
			again <- server.Messages()[0].Deliveries
		}
	}
	stop := w.run()
	if got := <-again; got != 2 {
		t.Errorf("written %d times and once more it was handed out %d times, want 2", maxWrites, got)
	}
	stop()
	if acks := server.Messages()[0].Acks; acks != 0 {
		t.Errorf("acknowledged %d times", acks)
	}
}

func TestAnInventoryThatIsAskedToStopDoesNotWaitForItsLedger(t *testing.T) {
	w, server, f := unwritable(t, time.Hour)
	failed := make(chan bool, maxWrites)
	f.told = func(int) { failed <- true }
	stop := w.run()
	<-failed
	stop()
	if acks, n := server.Messages()[0].Acks, f.n.Load(); acks != 0 || n != 1 {
		t.Errorf("acknowledged %d times, written %d times; want 0 and 1", acks, n)
	}
}

func TestTheNextOfTheFeedWaitsAsWell(t *testing.T) {
	w := newWorld(t)
	w.inv.rewrites.Least = 1
	if err := w.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	list := []observation{{kind: diskKind}}
	synctest.Test(t, func(t *testing.T) {
		for _, want := range []time.Duration{91 * time.Second, maxWrites * lastRewrite} {
			start := time.Now()
			if w.inv.keepFeed(t.Context(), list) {
				t.Error("a ledger that is closed has kept something")
			}
			if got := time.Since(start); got != want {
				t.Errorf("tried for %v, want %v", got, want)
			}
		}
	})
}
