package logging

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/test/google"
)

// noon is when the tests are.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func start(t *testing.T) *google.Logging {
	t.Helper()
	fake, err := google.StartLogging()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	fake.SetNow(func() time.Time { return noon })
	fake.Accept(DefaultFilter, nil)
	return fake
}

func options(fake *google.Logging) Options {
	return Options{
		Resources: []string{"projects/shop-prod"}, ClientOptions: fake.ClientOptions(),
		MinPause: time.Millisecond, MaxPause: 20 * time.Millisecond, Settled: 50 * time.Millisecond,
		Interval: time.Hour, PollInterval: time.Hour, // what is listed is listed for a reason
		ListsPerMinute: 1e6, Now: func() time.Time { return noon },
	}
}

func entry(id string, at time.Time) *loggingpb.LogEntry {
	return &loggingpb.LogEntry{
		LogName: "projects/shop-prod/logs/cloudaudit.googleapis.com%2Factivity", InsertId: id, Timestamp: timestamppb.New(at),
		Payload: &loggingpb.LogEntry_TextPayload{TextPayload: id},
	}
}

// reading is a source that runs.
type reading struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error

	lock     sync.Mutex
	messages []auditlog.Message
	troubles []alert.Trouble
}

func read(t *testing.T, o Options, position string) *reading {
	t.Helper()
	return readUntil(t, o, position, -1)
}

// readUntil stops the source, as a crash would, when it hands out one more than limit.
func readUntil(t *testing.T, o Options, position string, limit int) *reading {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reading{t: t, cancel: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- s.Run(ctx, position, func(ctx context.Context, m auditlog.Message) error {
			r.lock.Lock()
			defer r.lock.Unlock()
			if limit >= 0 && len(r.messages) >= limit {
				cancel()
				return ctx.Err()
			}
			r.messages = append(r.messages, m)
			return nil
		}, func(tr alert.Trouble) {
			r.lock.Lock()
			defer r.lock.Unlock()
			r.troubles = append(r.troubles, tr)
		})
		close(r.done)
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *reading) stop() {
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

// ids are the insert ids of what was handed out, in that order.
func (r *reading) ids() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	var all []string
	for _, m := range r.messages {
		var e struct{ InsertID string }
		if err := json.Unmarshal(m.Data, &e); err != nil {
			r.t.Errorf("%v: %s", err, m.Data)
		}
		all = append(all, e.InsertID)
	}
	return all
}

// sorted waits for n messages, and returns their ids in order.
func (r *reading) sorted(n int) []string {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d messages", n), func() bool { return len(r.ids()) >= n })
	return slices.Sorted(slices.Values(r.ids()))
}

func (r *reading) last() string {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.messages) == 0 {
		return ""
	}
	return r.messages[len(r.messages)-1].Position
}

func (r *reading) told() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	var all []string
	for _, tr := range r.troubles {
		if text := fmt.Sprintf("%s %t", tr.Kind, tr.Over); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

func (r *reading) text(kind alert.TroubleKind) string {
	r.lock.Lock()
	defer r.lock.Unlock()
	var all []string
	for _, tr := range r.troubles {
		if tr.Kind == kind && !tr.Over {
			all = append(all, tr.Text)
		}
	}
	return strings.Join(all, "\n")
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// tailed waits for a tail.
func tailed(t *testing.T, fake *google.Logging) {
	t.Helper()
	eventually(t, "a tail", func() bool { return fake.Tails() > 0 })
}
