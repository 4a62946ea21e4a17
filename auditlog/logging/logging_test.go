package logging

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
)

func TestTheFirstStartLooksBackAndThenTails(t *testing.T) {
	fake := start(t)
	fake.Add(entry("old", noon.Add(-time.Hour)), entry("1", noon.Add(-2*time.Minute)), entry("2", noon.Add(-time.Minute)))
	r := read(t, options(fake), "")
	if diff := cmp.Diff([]string{"1", "2"}, r.sorted(2)); diff != "" {
		t.Error(diff)
	}
	tailed(t, fake)
	fake.FailLists(status.Error(codes.Unavailable, "away")) // so it is the tail that has it
	fake.Add(entry("3", noon))
	if diff := cmp.Diff([]string{"1", "2", "3"}, r.sorted(3)); diff != "" {
		t.Error(diff)
	}
	if got := r.told(); got != nil {
		t.Error(got)
	}
}

func TestWhatComesWhileATailIsAwayIsListed(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(fake interface{ EndTails(error) })
	}{
		{"each hour", func(f interface{ EndTails(error) }) {
			f.EndTails(status.Error(codes.OutOfRange, "maximum allowed duration of 1h"))
		}},
		{"without an error", func(f interface{ EndTails(error) }) { f.EndTails(nil) }},
		{"unavailable", func(f interface{ EndTails(error) }) { f.EndTails(status.Error(codes.Unavailable, "away")) }},
		{"internal", func(f interface{ EndTails(error) }) { f.EndTails(status.Error(codes.Internal, "oops")) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake := start(t)
			r := read(t, options(fake), "")
			tailed(t, fake)
			for i := range 5 {
				fake.FailTails(status.Error(codes.Unavailable, "not yet"))
				tt.end(fake)
				fake.Add(entry(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Second)))
				fake.FailTails(nil)
				r.sorted(i + 1)
				tailed(t, fake)
			}
			if diff := cmp.Diff([]string{"0", "1", "2", "3", "4"}, r.sorted(5)); diff != "" {
				t.Error(diff)
			}
			if got := r.told(); got != nil {
				t.Errorf("a reconnect is a trouble: %v", got)
			}
		})
	}
}

func TestWhatIsSuppressedIsListed(t *testing.T) {
	fake := start(t)
	r := read(t, options(fake), "")
	tailed(t, fake)
	for i, reason := range []loggingpb.TailLogEntriesResponse_SuppressionInfo_Reason{
		loggingpb.TailLogEntriesResponse_SuppressionInfo_RATE_LIMIT, loggingpb.TailLogEntriesResponse_SuppressionInfo_NOT_CONSUMED, 99,
	} {
		fake.AddUntailed(entry(fmt.Sprint(i), noon))
		fake.Suppress(reason, 1)
		r.sorted(i + 1)
	}
}

func TestWhatATailNeverSaysIsListedFromTimeToTime(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Interval = 20 * time.Millisecond
	r := read(t, o, "")
	tailed(t, fake)
	fake.Hang()
	fake.Add(entry("1", noon))
	r.sorted(1)
}

func TestAnEntryThatComesTwiceIsHandedOutOnce(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Interval = 5 * time.Millisecond
	r := read(t, o, "")
	tailed(t, fake)
	twin, other := entry("1", noon), entry("1", noon.Add(time.Nanosecond))
	fake.Add(twin, other)
	fake.Repeat(twin, twin)
	lists := fake.Calls().List
	eventually(t, "lists", func() bool { return fake.Calls().List > lists+5 })
	fake.Add(entry("2", noon))
	if diff := cmp.Diff([]string{"1", "1", "2"}, r.sorted(3)); diff != "" {
		t.Error(diff)
	}
}

func TestEntriesThatComeLateAreFound(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Interval = 5 * time.Millisecond
	r := read(t, o, "")
	fake.Add(entry("9", noon))
	r.sorted(1)
	fake.AddUntailed(entry("3", noon.Add(-4*time.Minute)), entry("1", noon.Add(-5*time.Minute)))
	if diff := cmp.Diff([]string{"1", "3", "9"}, r.sorted(3)); diff != "" {
		t.Error(diff)
	}
}

func TestAnEntryOfTheFutureDoesNotTakeThePositionAlong(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Interval = 5 * time.Millisecond
	fake.Add(entry("tomorrow", noon.Add(23*time.Hour)))
	r := read(t, o, "")
	r.sorted(1)
	if at, err := decodePosition(r.last()); err != nil || at.After(noon) {
		t.Errorf("%v %v", at, err)
	}
	r.stop()
	fake.Add(entry("today", noon.Add(time.Minute)))
	r = read(t, o, r.last())
	if got := r.sorted(2); !slices.Contains(got, "today") {
		t.Error(got)
	}
}

func TestManyPagesAreReadInOrder(t *testing.T) {
	fake := start(t)
	var want []string
	var all []*loggingpb.LogEntry
	for i := range 2500 {
		id := fmt.Sprintf("%04d", i)
		want, all = append(want, id), append(all, entry(id, noon.Add(-time.Minute).Add(time.Duration(i/3)*time.Millisecond)))
	}
	fake.Add(all...)
	fake.FailNextLists(nil, status.Error(codes.Unavailable, "away"), nil, status.Error(codes.Internal, "oops"))
	r := read(t, options(fake), "")
	r.sorted(2500)
	if diff := cmp.Diff(want, r.ids()); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsLostWheneverReadingIsStopped(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	fake := start(t)
	now := noon
	fake.SetNow(func() time.Time { return now })
	var want []string
	got := map[string]bool{}
	position := encodePosition(noon)
	add := func() {
		id := fmt.Sprintf("%04d", len(want))
		want = append(want, id)
		e := entry(id, now.Add(-time.Duration(random.IntN(290))*time.Second)) // late, out of order
		switch random.IntN(10) {
		case 0:
			e.Timestamp.Seconds += 24 * 3600 // of the future
		case 1, 2, 3:
			fake.AddUntailed(e)
			fake.Suppress(loggingpb.TailLogEntriesResponse_SuppressionInfo_RATE_LIMIT, 1)
			return
		}
		fake.Add(e)
	}
	for range 60 {
		for range random.IntN(20) {
			now = now.Add(time.Duration(random.IntN(5000)) * time.Millisecond)
			add()
		}
		o := options(fake)
		at := now
		o.Now = func() time.Time { return at }
		if random.IntN(3) == 0 {
			fake.FailNextLists(status.Error(codes.Unavailable, "away"))
		}
		r := readUntil(t, o, position, random.IntN(12))
		for range 3 {
			add()
			switch random.IntN(4) {
			case 0:
				fake.EndHour()
			case 1:
				fake.EndTails(status.Error(codes.Unavailable, "away"))
			}
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond) // stop at any moment
		}
		r.stop()
		for _, id := range r.ids() {
			got[id] = true
		}
		if at := r.last(); at != "" {
			position = at
		}
	}
	o := options(fake)
	o.Now = func() time.Time { return now }
	r := read(t, o, position)
	eventually(t, "everything", func() bool {
		seen := map[string]bool{}
		for _, id := range r.ids() {
			seen[id] = true
		}
		for _, id := range want {
			if !got[id] && !seen[id] {
				return false
			}
		}
		return true
	})
	t.Logf("%d entries", len(want))
}

func TestPositionsOnlyEverGoOn(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Interval = time.Millisecond
	r := read(t, o, "")
	for i := range 200 {
		fake.Add(entry(fmt.Sprint(i), noon.Add(time.Duration(i%7-i%5)*time.Second)))
	}
	r.sorted(200)
	var before time.Time
	for i, m := range r.messages {
		at, err := decodePosition(m.Position)
		if err != nil || at.Before(before) {
			t.Fatalf("%d: %v after %v (%v)", i, at, before, err)
		}
		before = at
	}
}

func TestATailThatIsNotToBeHadIsListedInstead(t *testing.T) {
	fake := start(t)
	fake.FailTails(status.Error(codes.ResourceExhausted, "Quota exceeded for open sessions"))
	o := options(fake)
	o.PollInterval = 5 * time.Millisecond
	r := read(t, o, "")
	for i := range 3 {
		fake.Add(entry(fmt.Sprint(i), noon))
		r.sorted(i + 1)
	}
	eventually(t, "reported", func() bool { return slices.Equal(r.told(), []string{"exhausted false"}) })
	const want = "a quota of Cloud Logging is used up by the tail of projects/shop-prod: Quota exceeded for open sessions: there may be 10 tails a project; entries are listed each 5ms instead"
	if !strings.HasPrefix(r.text(alert.Exhausted), want) {
		t.Error(r.text(alert.Exhausted))
	}
	fake.FailTails(nil)
	eventually(t, "over", func() bool { return slices.Equal(r.told(), []string{"exhausted false", "exhausted true"}) })
}

func TestALostPermissionIsAGapUntilItIsThereAgain(t *testing.T) {
	fake := start(t)
	denied := status.Error(codes.PermissionDenied, "Permission 'logging.logEntries.list' denied\x1b")
	fake.FailLists(denied)
	fake.FailTails(denied)
	r := read(t, options(fake), encodePosition(noon.Add(-time.Hour)))
	fake.AddUntailed(entry("1", noon.Add(-30*time.Minute)))
	eventually(t, "reported", func() bool { return slices.Equal(r.told(), []string{"forbidden false", "gap false"}) })
	const forbidden = `the logs of projects/shop-prod may not be read: Permission 'logging.logEntries.list' denied\x1b: grant roles/logging.viewer, and roles/logging.privateLogViewer for data access logs: gcloud projects add-iam-policy-binding shop-prod --member=serviceAccount:ACCOUNT --role=roles/logging.privateLogViewer`
	if !strings.HasPrefix(r.text(alert.Forbidden), forbidden) {
		t.Error(r.text(alert.Forbidden))
	}
	const gap = `entries from 2026-11-21T11:00:00Z to 2026-11-21T12:00:00Z may be missing, as they cannot be listed: Permission 'logging.logEntries.list' denied\x1b: they are read when they can be`
	if diff := cmp.Diff(gap, r.text(alert.Gap)); diff != "" {
		t.Error(diff)
	}
	fake.FailLists(nil)
	fake.FailTails(nil)
	r.sorted(1)
	eventually(t, "over", func() bool {
		return slices.Equal(r.told(), []string{"forbidden false", "forbidden true", "gap false", "gap true"})
	})
}

func TestAStormOfErrorsIsUnreachableAfterAWhileOnly(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Patience = 30 * time.Millisecond
	o.Now = time.Now
	r := read(t, o, "")
	tailed(t, fake)
	away := status.Error(codes.Unavailable, "away")
	fake.FailLists(away)
	fake.FailTails(away)
	fake.EndTails(away)
	eventually(t, "reported", func() bool { return slices.Equal(r.told(), []string{"unreachable false"}) })
	fake.FailLists(nil)
	fake.FailTails(nil)
	fake.Add(entry("1", time.Now()))
	r.sorted(1)
	eventually(t, "over", func() bool { return slices.Equal(r.told(), []string{"unreachable false", "unreachable true"}) })
}

func TestWhatIsNotKeptAnyMoreIsAGap(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Retention = 24 * time.Hour
	fake.Add(entry("1", noon.Add(-23*time.Hour)))
	r := read(t, o, encodePosition(noon.Add(-48*time.Hour)))
	r.sorted(1)
	const want = "entries from 2026-11-19T12:00:00Z to 2026-11-20T12:00:00Z are not kept any more (24h0m0s), and were not read"
	if diff := cmp.Diff(want, r.text(alert.Gap)); diff != "" {
		t.Error(diff)
	}
}

func TestAPositionOfTheFutureHidesNothing(t *testing.T) {
	fake := start(t)
	fake.Add(entry("1", noon))
	read(t, options(fake), encodePosition(noon.AddDate(1000, 0, 0))).sorted(1)
}

func TestAPositionThatCannotBeReadIsAGap(t *testing.T) {
	fake := start(t)
	fake.Add(entry("1", noon))
	r := read(t, options(fake), "what")
	r.sorted(1)
	if got := r.text(alert.Gap); !strings.HasPrefix(got, "the position cannot be read") {
		t.Error(got)
	}
}

func TestAFilterThatIsRefusedIsReported(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.Filter = "nonsense("
	r := read(t, o, "")
	eventually(t, "reported", func() bool { return strings.Contains(r.text(alert.Missing), "see that the names and the filter") })
}

func TestHeartbeatsAreReadWhateverTheFilterSays(t *testing.T) {
	s, err := New(Options{Resources: []string{"projects/p"}, Filter: `severity=ERROR -- only those`, Heartbeat: "mollyguard-heartbeat"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "((\nseverity=ERROR -- only those\n) OR log_id(\"mollyguard-heartbeat\"))\ntimestamp>=\"2026-11-21T12:00:00.000000001Z\""
	if diff := cmp.Diff(want, s.filter(noon.Add(1))); diff != "" {
		t.Error(diff)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, o := range []Options{
		{}, {Resources: []string{"p"}}, {Resources: []string{"projects/p; reboot"}}, {Resources: make([]string, 101)},
		{Resources: []string{"projects/p"}, Filter: strings.Repeat("x", 20_000)}, {Resources: []string{"projects/p"}, Heartbeat: `x")`},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v", o)
		}
	}
	s, err := New(Options{Resources: []string{"projects/p", "folders/1", "projects/p"}})
	if err != nil || s.Name() != "logging:folders/1,projects/p" {
		t.Error(err, s.Name())
	}
	if len(DefaultFilter) > maxFilter-filterReserve {
		t.Error("the built-in filter is too long")
	}
}

func FuzzPosition(f *testing.F) {
	f.Add(encodePosition(noon))
	f.Add(`{"v":1,"watermark":"9999-12-31T23:59:59.999999999-23:59"}`)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := decodePosition(text)
		if err != nil {
			return
		}
		if again, err := decodePosition(encodePosition(at)); err != nil || !again.Equal(at) {
			t.Errorf("%v became %v: %v", at, again, err)
		}
	})
}
