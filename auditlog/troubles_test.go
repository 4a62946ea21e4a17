package auditlog_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// beats is a source of heartbeats, one a minute, while it works, and of troubles.
type beats struct {
	works, idle atomic.Bool
	report      chan alert.Trouble
}

func newBeats(works bool) *beats {
	b := &beats{report: make(chan alert.Trouble)}
	b.works.Store(works)
	return b
}

// Name implements auditlog.Source.
func (*beats) Name() string { return "beats" }

// Idle reports whether another replica reads.
func (b *beats) Idle() bool { return b.idle.Load() }

// Run implements auditlog.Source.
func (b *beats) Run(ctx context.Context, _ string, hand auditlog.Hand, report auditlog.Report) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		if b.works.Load() {
			if err := hand(ctx, auditlog.Message{Data: heartbeat(), Received: time.Now()}); err != nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case t := <-b.report:
			report(t)
		case <-ticker.C:
		}
	}
}

// blind are the incidents about what we do not see: kind is in the title, so the first
// line of the text, status and how often it changed tell them apart.
func (w *world) blind() (lines []string) {
	w.Helper()
	for _, a := range w.alerts() {
		lines = append(lines, fmt.Sprintf("%s %s after %d: %s", a.Opened.Format(time.TimeOnly), a.Status, a.Revision, a.Text[0]))
	}
	return lines
}

const silent = "no entries and no heartbeat since %s: check the log sink, its filter and its rights, and the subscription"

func TestASilenceIsToldAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := newBeats(true)
		o := w.options(source)
		o.Silence = 5 * time.Minute
		_, end := w.begin(o)
		sleep(time.Hour)
		if told := w.blind(); told != nil {
			t.Errorf("while it works: %q", told)
		}
		source.works.Store(false)
		sleep(5 * time.Minute) // since the last
		if told := w.blind(); told != nil {
			t.Errorf("too early: %q", told)
		}
		sleep(2 * time.Minute)
		want := "01:00:00 open after 1: " + fmt.Sprintf(silent, "2000-01-01T01:00:00Z")
		if diff := cmp.Diff([]string{want}, w.blind()); diff != "" {
			t.Errorf("silent (-want +got):\n%s", diff)
		}
		sleep(time.Hour)
		if n := len(w.blind()); n != 1 || w.alerts()[0].Revision != 1 {
			t.Errorf("told again: %q", w.blind())
		}
		source.works.Store(true)
		sleep(2 * time.Minute)
		if a := w.alerts(); len(a) != 1 || a[0].Status != alert.Resolved {
			t.Errorf("heard again: %q", w.blind())
		}
		source.works.Store(false)
		sleep(10 * time.Minute)
		if a := w.alerts(); len(a) != 2 || a[1].Status != alert.Open {
			t.Errorf("silent again: %q", w.blind())
		}
		end()
		// A start is no sign of life, but an entry is.
		source = newBeats(false)
		o = w.options(source)
		o.Silence = time.Hour
		_, end = w.begin(o)
		defer end()
		sleep(10 * time.Minute)
		if a := w.alerts(); len(a) != 2 || a[1].Status != alert.Open {
			t.Errorf("after a restart, before an entry: %q", w.blind())
		}
		source.works.Store(true)
		sleep(2 * time.Minute)
		if a := w.alerts(); len(a) != 2 || a[1].Status != alert.Resolved || a[1].Revision != 2 {
			t.Errorf("after a restart and an entry: %q", w.blind())
		}
	})
}

func TestWhatIsNotToBeReadIsNotSilent(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source func() auditlog.Source
	}{
		{"by another replica's right", func() auditlog.Source {
			s := newBeats(false)
			s.idle.Store(true)
			return s
		}},
		{"as it was read to its end", func() auditlog.Source { return &tape{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				o := w.options(tt.source(), script{"lasting", func(ctx context.Context, hand auditlog.Hand, _ auditlog.Report) error {
					for hand(ctx, auditlog.Message{Data: heartbeat(), Received: time.Now()}) == nil {
						time.Sleep(time.Minute)
					}
					return nil
				}})
				o.Silence = 5 * time.Minute
				_, end := w.begin(o)
				defer end()
				sleep(time.Hour)
				if told := w.blind(); told != nil {
					t.Errorf("told %q", told)
				}
			})
		})
	}
}

func TestASilenceEndsWhenAnotherReplicaTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := newBeats(false)
		o := w.options(source)
		o.Silence = 5 * time.Minute
		_, end := w.begin(o)
		defer end()
		sleep(10 * time.Minute)
		source.idle.Store(true)
		sleep(time.Minute)
		if a := w.alerts(); len(a) != 1 || a[0].Status != alert.Resolved || a[0].Text[2] != "another replica reads it" {
			t.Errorf("told %+v", a)
		}
		source.idle.Store(false)
		sleep(4 * time.Minute)
		if a := w.alerts(); len(a) != 1 {
			t.Errorf("told as soon as it is to read: %q", w.blind())
		}
		sleep(2 * time.Minute)
		if a := w.alerts(); len(a) != 2 {
			t.Errorf("told %q", w.blind())
		}
	})
}

func TestASilenceDoesNotEndSinceTheLedgerCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var disk fault
		disk.mended.Store(true)
		judged := &queue{entries: [][]byte{deletion("main")}}
		source := newBeats(true)
		o := w.options(source, script{"other", func(ctx context.Context, hand auditlog.Hand, _ auditlog.Report) error {
			time.Sleep(time.Hour)
			return judged.Run(ctx, "", hand, nil)
		}})
		o.Book = book{w.book, func(operation.Decision) error { return disk.err() }}
		o.Silence = 5 * time.Minute
		_, end := w.begin(o)
		defer end()
		sleep(20 * time.Minute)
		source.works.Store(false)
		sleep(30 * time.Minute)
		disk.mended.Store(false)
		sleep(time.Hour)
		disk.mended.Store(true)
		sleep(2 * time.Minute)
		status := map[string]alert.Status{}
		for _, a := range w.alerts() {
			status[a.Title] = a.Status
		}
		if got := status["mollyguard is blind: nothing comes from beats, not even a heartbeat"]; got != alert.Open || len(judged.acked) != 1 {
			t.Errorf("the silence is %q: %v; acknowledged %v", got, status, judged.acked)
		}
	})
}

func TestATroubleIsToldOnceAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := newBeats(true)
		var wrote atomic.Int32
		o := w.options(source)
		o.Wake = func() { wrote.Add(1) }
		_, end := w.begin(o)
		defer end()
		sleep(time.Minute) // by then the ledger knows that it is not silent
		before := wrote.Load()
		forbidden := alert.Trouble{Kind: alert.Forbidden, Source: "beats", Since: time.Now(), Text: "grant roles/logging.viewer"}
		for range 10 {
			source.report <- forbidden
			sleep(time.Second)
		}
		if n := wrote.Load() - before; n != 1 {
			t.Errorf("%d transactions for one word", n)
		}
		want := []string{"00:01:00 open after 1: grant roles/logging.viewer"}
		if diff := cmp.Diff(want, w.blind()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		// That entries come by another way does not end it: the source knows.
		sleep(time.Hour)
		if diff := cmp.Diff(want, w.blind()); diff != "" {
			t.Errorf("told while entries come (-want +got):\n%s", diff)
		}
		forbidden.Over = true
		for range 10 {
			source.report <- forbidden
		}
		sleep(time.Second)
		if a := w.alerts(); len(a) != 1 || a[0].Status != alert.Resolved || a[0].Revision != 2 {
			t.Errorf("told %q", w.blind())
		}
	})
}

func TestATroubleOfAnEarlierRunEndsWhenTheSourceWorksAndSaysNothingOfIt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		again bool
		want  alert.Status
	}{
		{"it works", false, alert.Resolved},
		{"one way works, the other still does not", true, alert.Open},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				source := newBeats(false)
				_, end := w.begin(w.options(source))
				forbidden := alert.Trouble{Kind: alert.Forbidden, Source: "beats", Since: time.Now(), Text: "grant roles/logging.viewer"}
				source.report <- forbidden
				sleep(time.Minute)
				end()

				source = newBeats(true)
				_, end = w.begin(w.options(source))
				defer end()
				sleep(10 * time.Second) // entries come before the source knows what does not work
				if a := w.alerts(); len(a) != 1 || a[0].Status != alert.Open {
					t.Errorf("after the first entry: %q", w.blind())
				}
				if tt.again {
					source.report <- forbidden
				}
				sleep(time.Hour)
				if a := w.alerts(); len(a) != 1 || a[0].Status != tt.want {
					t.Errorf("want it %s: %q", tt.want, w.blind())
				}
			})
		})
	}
}

func TestAReportKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := newBeats(true)
		watcher := w.watcher(w.options(source))
		tell := func(n int) {
			for i := range n {
				watcher.Report(t.Context(), alert.Trouble{Kind: alert.Gap, Source: "inventory", Text: fmt.Sprint("gap ", i)})
			}
			watcher.Report(t.Context(), alert.Trouble{Kind: alert.Unlabelled, Source: "inventory", Text: "labels are old"})
		}
		tell(10_000) // before it runs, when nobody reads them
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- watcher.Run(ctx) }()
		sleep(time.Second)
		told := w.told()
		want := []string{"blind 1× open: gap 9999", "blind 1× open: labels are old"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		tell(1000) // after it has run
		watcher.Report(ctx, alert.Trouble{Kind: alert.Unreachable, Source: "inventory", Text: "context canceled"})
	})
}
