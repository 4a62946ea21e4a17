package alert_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// sink answers as it is told to, and remembers what it was sent and when.
type sink struct {
	answer func(ctx context.Context, a alert.Alert) error

	lock sync.Mutex
	sent []sending
}

type sending struct {
	ID       string
	Revision int
	At       time.Duration // since the start
}

func (s *sink) Send(ctx context.Context, a alert.Alert) error {
	s.lock.Lock()
	s.sent = append(s.sent, sending{a.ID, a.Revision, time.Since(start())})
	s.lock.Unlock()
	if s.answer == nil {
		return nil
	}
	return s.answer(ctx, a)
}

// start is when every synctest bubble begins.
func start() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func (s *sink) all() []sending {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]sending(nil), s.sent...)
}

// stage is a Deliverer that runs in a bubble.
type stage struct {
	t        *testing.T
	ledger   *ledger.Ledger
	book     *alert.Book
	d        *alert.Deliverer
	registry *prometheus.Registry
	cancel   context.CancelFunc
	done     chan error
}

// broken entropy makes every pause as long as it can be, so that tests know it.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

func play(t *testing.T, l *ledger.Ledger, sinks map[string]alert.Sink, routes ...alert.Route) *stage {
	t.Helper()
	var names []string
	for name := range sinks {
		names = append(names, name)
	}
	s := &stage{t: t, ledger: l, registry: prometheus.NewRegistry(), done: make(chan error, 1)}
	s.book = newBook(t, alert.BookOptions{Sinks: names, Now: time.Now, Routes: routes})
	var err error
	s.d, err = alert.NewDeliverer(alert.DelivererOptions{Ledger: l, Book: s.book, Sinks: sinks, Entropy: broken{}, Registerer: s.registry})
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(t.Context())
	go func() { s.done <- s.d.Run(ctx) }()
	return s
}

func (s *stage) tell(decisions ...operation.Decision) []string {
	s.t.Helper()
	ids := tell(s.t, s.ledger, s.book, decisions...)
	s.d.Wake()
	synctest.Wait()
	return ids
}

func (s *stage) end() {
	s.t.Helper()
	s.cancel()
	if err := <-s.done; err != nil {
		s.t.Errorf("the deliverer ended with %v", err)
	}
}

func (s *stage) dead() []alert.DeadLetter {
	s.t.Helper()
	letters, err := alert.NewDeadLetters(s.ledger).Dead(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return letters
}

func (s *stage) want(sink *sink, want ...sending) {
	s.t.Helper()
	if diff := cmp.Diff(want, sink.all(), cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func at(id string, d operation.Decision) operation.Decision {
	d.ID, d.Time = id, time.Now()
	return d
}

func TestAnAlertIsSentAtOnceAndUpdatesOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		p := play(t, newLedger(t), map[string]alert.Sink{"chat": s})
		id := p.tell(at("01A", cluster("")))[0]
		p.want(s, sending{id, 1, 0})
		time.Sleep(time.Second)
		p.tell(at("01B", cluster("")))
		p.tell(at("01C", cluster("")))
		p.want(s, sending{id, 1, 0})
		time.Sleep(9 * time.Second)
		synctest.Wait()
		p.want(s, sending{id, 1, 0}, sending{id, 3, 10 * time.Second})
		time.Sleep(time.Hour)
		p.want(s, sending{id, 1, 0}, sending{id, 3, 10 * time.Second})
		if left := keys(t, p.ledger, ledger.TableQueue); left != nil {
			t.Errorf("queue %q", left)
		}
		p.end()
	})
}

func TestWhatChangesWhileItIsSentIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{answer: func(context.Context, alert.Alert) error { time.Sleep(time.Second); return nil }}
		p := play(t, newLedger(t), map[string]alert.Sink{"chat": s})
		id := p.tell(at("01A", cluster("")))[0]
		p.tell(at("01B", cluster("")))
		time.Sleep(time.Minute)
		p.want(s, sending{id, 1, 0}, sending{id, 2, 11 * time.Second})
		p.end()
	})
}

func TestASinkThatFailsIsTriedAgainWithPausesThatGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 11
		s := &sink{answer: func(context.Context, alert.Alert) error {
			if failures--; failures >= 0 {
				return errors.New("500")
			}
			return nil
		}}
		p := play(t, newLedger(t), map[string]alert.Sink{"chat": s})
		id := p.tell(at("01A", cluster("")))[0]
		time.Sleep(time.Hour)
		want, when := []sending{{id, 1, 0}}, time.Duration(0)
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
			when += pause * time.Second
			want = append(want, sending{id, 1, when})
		}
		p.want(s, want...)
		p.wantMetrics(`
# HELP mollyguard_alert_sends_total Attempts to send an alert, by sink and result (delivered, failed, later, rejected).
# TYPE mollyguard_alert_sends_total counter
mollyguard_alert_sends_total{result="delivered",sink="chat"} 1
mollyguard_alert_sends_total{result="failed",sink="chat"} 11
mollyguard_alert_sends_total{result="later",sink="chat"} 0
mollyguard_alert_sends_total{result="rejected",sink="chat"} 0
`, "mollyguard_alert_sends_total")
		p.end()
	})
}

func (s *stage) wantMetrics(text string, names ...string) {
	s.t.Helper()
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(text), names...); err != nil {
		s.t.Error(err)
	}
}

func TestASinkThatIsDeadHoldsUpNoOther(t *testing.T) {
	for name, answer := range map[string]func(ctx context.Context, a alert.Alert) error{
		"fails":         func(context.Context, alert.Alert) error { return errors.New("refused") },
		"hangs":         func(ctx context.Context, _ alert.Alert) error { <-ctx.Done(); return ctx.Err() },
		"panics":        func(context.Context, alert.Alert) error { panic("index out of range") },
		"is stuck":      func(context.Context, alert.Alert) error { time.Sleep(time.Hour); return errors.New("at last") },
		"asks for time": func(context.Context, alert.Alert) error { return &alert.Later{Reason: "429", After: time.Minute} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good, bad := &sink{}, &sink{answer: answer}
				p := play(t, newLedger(t), map[string]alert.Sink{"pager": good, "chat": bad})
				var want []sending
				for i := range 3 {
					at0 := time.Since(start())
					id := p.tell(at(fmt.Sprint(i), cluster("")))[0]
					want = append(want, sending{id, 1, at0})
					time.Sleep(time.Minute)
				}
				p.want(good, want...)
				p.wantMetrics(`
# HELP mollyguard_alert_queue_length Incidents that wait for the sink.
# TYPE mollyguard_alert_queue_length gauge
mollyguard_alert_queue_length{sink="chat"} 3
mollyguard_alert_queue_length{sink="pager"} 0
# HELP mollyguard_alert_queue_oldest_seconds Age of what waits longest for the sink; 0 if nothing does.
# TYPE mollyguard_alert_queue_oldest_seconds gauge
mollyguard_alert_queue_oldest_seconds{sink="chat"} 180
mollyguard_alert_queue_oldest_seconds{sink="pager"} 0
# HELP mollyguard_alert_sink_healthy 1 if the last attempt to reach the sink did, or there was none.
# TYPE mollyguard_alert_sink_healthy gauge
mollyguard_alert_sink_healthy{sink="chat"} 0
mollyguard_alert_sink_healthy{sink="pager"} 1
`, "mollyguard_alert_queue_length", "mollyguard_alert_queue_oldest_seconds", "mollyguard_alert_sink_healthy")
				p.end()
				time.Sleep(2 * time.Hour) // for the one that is stuck
			})
		})
	}
}

func TestASinkThatAsksForTimeGetsIt(t *testing.T) {
	for name, tt := range map[string]struct{ after, want time.Duration }{
		"a minute": {time.Minute, time.Minute},
		"a week":   {7 * 24 * time.Hour, time.Hour},
		"nothing":  {0, time.Second},
		"less":     {-time.Minute, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := false
				s := &sink{answer: func(context.Context, alert.Alert) error {
					if asked {
						return nil
					}
					asked = true
					return &alert.Later{Reason: "429", After: tt.after}
				}}
				p := play(t, newLedger(t), map[string]alert.Sink{"chat": s})
				id := p.tell(at("01A", cluster("")))[0]
				time.Sleep(2 * time.Hour)
				p.want(s, sending{id, 1, 0}, sending{id, 1, tt.want})
				p.end()
			})
		})
	}
}

func TestWhatASinkRejectsIsDeadAndTheOthersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejects := true
		good, bad := &sink{}, &sink{}
		bad.answer = func(context.Context, alert.Alert) error {
			if rejects {
				return &alert.Rejected{Reason: "invalid routing key"}
			}
			return nil
		}
		p := play(t, newLedger(t), map[string]alert.Sink{"pager": bad, "chat": good})
		id := p.tell(at("01A", cluster("")))[0]
		time.Sleep(time.Minute)
		p.want(bad, sending{id, 1, 0})
		if n := len(good.all()); n != 2 {
			t.Fatalf("%d sent", n)
		}
		a := get(t, p.ledger, p.book, good.all()[1].ID)
		if a.Kind != alert.Blind || a.Status != alert.Open || a.Title != "alerts do not reach sink pager" || a.Severity != operation.High {
			t.Errorf("got %+v", a)
		}
		want := []alert.DeadLetter{{
			ID: "pager/" + id, Sink: "pager", Incident: id, Title: "alice@example.com deleted production Cluster prod-eu (project prod-1, us-central1) with the console",
			Kind: alert.Violation, Severity: operation.Critical, Reason: "invalid routing key", Queued: start(), Died: start(), Attempts: 1,
		}}
		if diff := cmp.Diff(want, p.dead()); diff != "" {
			t.Errorf("dead (-want +got):\n%s", diff)
		}
		p.wantMetrics(`
# HELP mollyguard_alert_dead_letters Dead letters of the sink; of entries of the outbox (outbox), records that cannot be read (record), of sinks that are not configured (other).
# TYPE mollyguard_alert_dead_letters gauge
mollyguard_alert_dead_letters{sink="chat"} 0
mollyguard_alert_dead_letters{sink="other"} 0
mollyguard_alert_dead_letters{sink="outbox"} 0
mollyguard_alert_dead_letters{sink="pager"} 1
mollyguard_alert_dead_letters{sink="record"} 0
`, "mollyguard_alert_dead_letters")

		letters := alert.NewDeadLetters(p.ledger)
		if n, err := letters.Retry(t.Context(), "pager/"+id, "pager/none"); err == nil || n != 0 || err.Error() != "retry dead letters: write the ledger: there is no dead letter pager/none" {
			t.Errorf("got %d, %v", n, err)
		}
		rejects = false
		if n, err := letters.Retry(t.Context()); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		p.d.Wake()
		time.Sleep(time.Minute)
		p.want(bad, sending{id, 1, 0}, sending{id, 1, time.Minute})
		if got := get(t, p.ledger, p.book, a.ID); got.Status != alert.Resolved || len(p.dead()) != 0 {
			t.Errorf("got %+v", got)
		}
		if sent := good.all(); len(sent) != 3 || sent[2].ID != a.ID || sent[2].Revision != 2 {
			t.Errorf("got %+v", sent)
		}
		p.end()
	})
}

func TestTwoSinksThatRejectEachOthersTroubleEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := func(context.Context, alert.Alert) error { return &alert.Rejected{Reason: "no"} }
		a, b := &sink{answer: no}, &sink{answer: no}
		p := play(t, newLedger(t), map[string]alert.Sink{"a": a, "b": b})
		p.tell(at("01A", cluster("")))
		time.Sleep(24 * time.Hour)
		if len(a.all()) != 2 || len(b.all()) != 2 || len(p.dead()) != 4 {
			t.Errorf("%d and %d sent, dead %+v", len(a.all()), len(b.all()), p.dead())
		}
		p.end()
	})
}

func TestAnAlertIsTriedForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{answer: func(context.Context, alert.Alert) error { return errors.New("500") }}
		p := play(t, newLedger(t), map[string]alert.Sink{"chat": s})
		p.tell(at("01A", cluster("")))
		time.Sleep(23*time.Hour + 59*time.Minute)
		if len(p.dead()) != 0 {
			t.Errorf("dead %+v", p.dead())
		}
		time.Sleep(10 * time.Minute)
		if dead := p.dead(); len(dead) != 1 || !strings.HasPrefix(dead[0].Reason, "given up after ") || !strings.HasSuffix(dead[0].Reason, ": 500") {
			t.Errorf("dead %+v", dead)
		}
		p.end()
	})
}

func TestWhatWaitsForASinkThatIsNotThereAnyMoreIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		id := tell(t, l, newBook(t, alert.BookOptions{Sinks: []string{"old", "chat"}, Now: time.Now}), at("01A", cluster("")))[0]
		s := &sink{}
		p := play(t, l, map[string]alert.Sink{"chat": s})
		synctest.Wait()
		if dead := p.dead(); len(dead) != 1 || dead[0].ID != "old/"+id || dead[0].Reason != "no sink old is configured" || dead[0].Attempts != 0 {
			t.Errorf("dead %+v", dead)
		}
		if len(s.all()) != 2 { // it, and the trouble
			t.Errorf("sent %+v", s.all())
		}
		p.end()
	})
}

func TestARestartInTheMiddleOfASendSendsAgainUnderTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		l := open(t, path)
		s := &sink{answer: func(ctx context.Context, _ alert.Alert) error { <-ctx.Done(); return ctx.Err() }}
		p := play(t, l, map[string]alert.Sink{"chat": s})
		id := p.tell(at("01A", cluster("")))[0]
		p.end()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s.answer = nil
		p = play(t, open(t, path), map[string]alert.Sink{"chat": s})
		time.Sleep(time.Second)
		p.want(s, sending{id, 1, 0}, sending{id, 1, 0})
		p.end()
	})
}

func TestStepsOfBreakGlassAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		p := play(t, newLedger(t), map[string]alert.Sink{"chat": s})
		synctest.Wait()
		text, err := json.Marshal(breakglass.Event{
			ID: "01E", Time: time.Now(), Event: breakglass.EventRequested, Grant: "bg-k7m4-q9tx", Actor: operation.Identity{Name: "alice@example.com"},
			Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{{Kind: "Cluster", Name: "prod-eu"}}, Text: "it hangs",
		})
		if err != nil {
			t.Fatal(err)
		}
		for dedup, entry := range map[string]struct {
			kind string
			data json.RawMessage
		}{
			"1": {ledger.KindBreakGlass, text}, "2": {ledger.KindBreakGlass, json.RawMessage(`{"id":7}`)},
			"3": {"new", json.RawMessage(`{}`)}, "4": {ledger.KindBreakGlass, json.RawMessage(`{}`)},
		} {
			if err := p.ledger.Append(t.Context(), entry.kind, dedup, entry.data); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second) // nobody wakes it
		want := alert.Alert{
			ID: "break-glass-bg-k7m4-q9tx", Revision: 1, Kind: alert.BreakGlass, Status: alert.Open, Severity: operation.Medium,
			Title:  "alice@example.com asks for grant bg-k7m4-q9tx to delete Cluster prod-eu",
			Opened: start(), Updated: start().Add(time.Second), Actor: operation.Identity{Name: "alice@example.com"},
			Text: []string{"2000-01-01T00:00:00Z requested by alice@example.com: it hangs", "to approve: kubectl mollyguard approve bg-k7m4-q9tx"},
		}
		if diff := cmp.Diff(want, get(t, p.ledger, p.book, want.ID)); diff != "" {
			t.Errorf("alert (-want +got):\n%s", diff)
		}
		if len(s.all()) != 1 {
			t.Errorf("sent %+v", s.all())
		}
		if left, err := p.ledger.Pending(t.Context(), 10); len(left) != 0 || err != nil {
			t.Errorf("left %+v, %v", left, err)
		}
		for _, d := range p.dead() {
			if d.Sink != "outbox" || d.Reason == "" {
				t.Errorf("dead %+v", d)
			}
		}
		if n, err := alert.NewDeadLetters(p.ledger).Retry(t.Context()); n != 3 || err != nil { // and dead again
			t.Errorf("retried %d, %v", n, err)
		}
		time.Sleep(2 * time.Second)
		if len(p.dead()) != 3 {
			t.Errorf("dead %+v", p.dead())
		}
		p.end()
	})
}

func TestADelivererNeedsTheSinksOfItsBook(t *testing.T) {
	l := newLedger(t)
	_, err := alert.NewDeliverer(alert.DelivererOptions{Ledger: l, Book: newBook(t, alert.BookOptions{}), Sinks: map[string]alert.Sink{"chat": &sink{}}})
	if want := `deliver alerts: there are the sinks ["chat"], and alerts are kept for ["chat" "pager"]`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
