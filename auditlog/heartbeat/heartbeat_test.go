package heartbeat_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/auditlog/heartbeat"
	"github.com/mollyguard/mollyguard/auditlog/logging"
	"github.com/mollyguard/mollyguard/auditlog/mapping"
	"github.com/mollyguard/mollyguard/test/google"
)

const parent, log = "projects/guard-1", "mollyguard-heartbeat"

// reports keeps what is reported.
type reports struct {
	lock sync.Mutex
	list []alert.Trouble
}

func (r *reports) report(t alert.Trouble) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.list = append(r.list, t)
}

func (r *reports) all() []alert.Trouble {
	r.lock.Lock()
	defer r.lock.Unlock()
	return append([]alert.Trouble(nil), r.list...)
}

// beating starts a heart that beats fast, and stops it with the test.
func beating(t *testing.T, fake *google.Logging, report auditlog.Report) {
	t.Helper()
	heart, err := heartbeat.New(t.Context(), heartbeat.Options{
		Parent: parent, Log: log, Interval: 10 * time.Millisecond, Endpoint: fake.Endpoint(), ClientOptions: fake.ClientOptions(), Report: report,
		Now: func() time.Time { return time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- heart.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func started(t *testing.T) *google.Logging {
	t.Helper()
	fake, err := google.StartLogging()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

// eventually polls until a minute is over.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not: ", what)
		}
	}
}

func TestAHeartbeatIsReadAsOneAndNotAsAnOperation(t *testing.T) {
	fake := started(t)
	beating(t, fake, nil)
	eventually(t, "a heartbeat is in the log", func() bool { return len(fake.Entries()) > 0 })
	entry := fake.Entries()[0]
	mapper, err := mapping.New(mapping.Options{HeartbeatLog: log})
	if err != nil {
		t.Fatal(err)
	}
	data := logging.JSON(entry)
	if !mapper.Cares(data) {
		t.Fatalf("nobody cares about %s", data)
	}
	r, err := mapper.Map(data)
	if err != nil {
		t.Fatal(err)
	}
	if r.Care != auditlog.Heartbeat {
		t.Errorf("%s is read as %v, want a heartbeat", data, r.Care)
	}
}

func TestAHeartThatMayNotWriteSaysWhichRoleItNeedsAndWhenItIsWell(t *testing.T) {
	fake := started(t)
	fake.FailWrites(status.Error(codes.PermissionDenied, "no"))
	var told reports
	beating(t, fake, told.report)
	eventually(t, "a trouble is reported", func() bool { return len(told.all()) > 0 })
	fake.FailWrites(nil)
	eventually(t, "it is over", func() bool { all := told.all(); return all[len(all)-1].Over })
	at := time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)
	all := told.all()
	want := []alert.Trouble{
		{Kind: alert.Forbidden, Source: "heartbeat:projects/guard-1", Since: at, Text: "heartbeats cannot be written to projects/guard-1 (PermissionDenied): whether entries still come back cannot be told from a quiet night; grant roles/logging.logWriter there"},
		{Kind: alert.Forbidden, Source: "heartbeat:projects/guard-1", Since: at, Text: "heartbeats can be written again", Over: true},
	}
	if diff := cmp.Diff(want, []alert.Trouble{all[0], all[len(all)-1]}); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

func TestAHeartWithoutAPlaceToBeatIsRefused(t *testing.T) {
	for name, o := range map[string]heartbeat.Options{
		"no parent":   {Log: log, Interval: time.Minute},
		"no log":      {Parent: parent, Interval: time.Minute},
		"no interval": {Parent: parent, Log: log},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := heartbeat.New(t.Context(), o); err == nil {
				t.Error("it was made")
			}
		})
	}
}
