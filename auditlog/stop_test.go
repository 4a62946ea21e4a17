package auditlog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// slow is a Mapper that reads nothing until it may.
type slow struct {
	auditlog.Mapper
	may chan struct{}
}

// Map implements auditlog.Mapper.
func (s slow) Map(data []byte) (auditlog.Reading, error) {
	<-s.may
	return s.Mapper.Map(data)
}

// kept are keys of n entries that cannot be read.
func (w *world) kept(n int) (keys []string) {
	w.Helper()
	values := map[string][]byte{}
	for i := range n {
		key := fmt.Sprintf("%012d/%d", i, i)
		values[key] = []byte(`{"version":1,"source":"queue","data":"e30=","length":2}`)
		keys = append(keys, key)
	}
	w.put(ledger.TableUndecoded, values)
	return keys
}

func TestAStopWaitsForNobodyWhoHandsEntriesOver(t *testing.T) {
	for _, tt := range []struct {
		name string
		// stuck says whether the ledger cannot be written, or nothing can be read.
		stuck bool
	}{{"while the ledger cannot be written", true}, {"while nothing can be read", false}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				source := newBeats(false)
				o := w.options(source, &queue{entries: [][]byte{deletion("main")}})
				may := make(chan struct{})
				if tt.stuck {
					o.Book = book{w.book, func(operation.Decision) error { return errBroken }}
				} else {
					o.Mapper = slow{w.mapper, may}
				}
				watcher := w.watcher(o)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- watcher.Run(ctx) }()
				sleep(time.Second)
				rejudged := make(chan error, 1)
				keys := w.kept(100)
				go func() {
					for range 100 { // more than there is room for
						if err := watcher.Rejudge(t.Context(), keys); err != nil {
							rejudged <- err
							return
						}
					}
					rejudged <- nil
				}()
				sleep(time.Minute)
				cancel()
				close(may)
				sleep(time.Second)
				select {
				case err := <-done:
					if err != nil {
						t.Error(err)
					}
				default:
					t.Fatal("it does not stop")
				}
				if err := <-rejudged; err == nil {
					t.Error("all entries were judged again by nobody")
				}
			})
		})
	}
}

func TestAfterTheSourcesHaveEndedNothingIsJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		watcher := w.watcher(w.options(&tape{}))
		if err := watcher.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := watcher.Rejudge(t.Context(), w.kept(1)); err == nil || err.Error() != "the watcher has stopped" {
			t.Error(err)
		}
	})
}

func TestWhatIsHandedOverWhileTheSourcesEndIsJudgedOrRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		watcher := w.watcher(w.options(script{"brief", func(context.Context, auditlog.Hand, auditlog.Report) error {
			time.Sleep(time.Second)
			return nil
		}}))
		keys := w.kept(500)
		rejudged := make(chan int)
		go func() {
			n := 0
			for _, key := range keys {
				if watcher.Rejudge(t.Context(), []string{key}) != nil {
					break
				}
				n++
				time.Sleep(5 * time.Millisecond)
			}
			rejudged <- n
		}()
		if err := watcher.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := <-rejudged
		if left, _ := w.undecoded(); len(left) != 500-n || n == 0 || n == 500 {
			t.Errorf("%d were taken, %d are left", n, len(left))
		}
	})
}

func TestASourceThatGivesUpWhileItHandsOverKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		may := make(chan struct{})
		resumed := make(chan struct{})
		// It loses its lease while there is no room for what it hands over, and gets it again.
		source := script{"leased", func(ctx context.Context, hand auditlog.Hand, _ auditlog.Report) error {
			lease, lose := context.WithTimeout(ctx, time.Minute)
			defer lose()
			for i := 0; ; i++ {
				if err := hand(lease, auditlog.Message{Data: deletion(fmt.Sprint(i)), Received: time.Now()}); err != nil {
					break
				}
			}
			close(may)
			<-resumed
			return hand(ctx, auditlog.Message{Data: deletion("last"), Received: time.Now()})
		}}
		o := w.options(source)
		o.Mapper = slow{w.mapper, may}
		_, end := w.begin(o)
		defer end()
		sleep(2 * time.Minute)
		close(resumed)
		sleep(time.Minute)
		found := false
		for _, d := range w.recorder.decisions {
			found = found || d.Target.Name == "last"
		}
		if !found {
			t.Errorf("after %d decisions it stands still", len(w.recorder.decisions))
		}
	})
}

func TestASourceThatCanNeverWorkEndsTheWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		malformed := errors.New("malformed name")
		err := w.watcher(w.options(newBeats(true), script{"wrong", func(context.Context, auditlog.Hand, auditlog.Report) error {
			return malformed
		}})).Run(t.Context())
		if !errors.Is(err, malformed) || err.Error() != "read wrong: malformed name" {
			t.Error(err)
		}
	})
}

func TestAWatcherWithoutWhatItNeedsIsRefused(t *testing.T) {
	w := newWorld(t)
	for i, without := range []func(*auditlog.Options){
		func(o *auditlog.Options) { o.Sources = nil },
		func(o *auditlog.Options) { o.Mapper = nil },
		func(o *auditlog.Options) { o.Judging.Marks = nil },
		func(o *auditlog.Options) { o.Decider = nil },
		func(o *auditlog.Options) { o.Recorder = nil },
		func(o *auditlog.Options) { o.Book = nil },
		func(o *auditlog.Options) { o.Ledger = nil },
	} {
		o := w.options(&tape{})
		without(&o)
		if _, err := auditlog.New(o); err == nil {
			t.Errorf("%d is accepted", i)
		}
	}
}
