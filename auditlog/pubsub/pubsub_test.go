package pubsub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/test/google"
)

const (
	project      = "shop-prod"
	subscription = "mollyguard"
)

func start(t *testing.T) *google.PubSub {
	t.Helper()
	fake, err := google.StartPubSub()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

func startSubscribed(t *testing.T, change func(*pubsubpb.Subscription)) *google.PubSub {
	t.Helper()
	fake := start(t)
	if err := fake.Subscribe(t.Context(), project, "audit", subscription, change); err != nil {
		t.Fatal(err)
	}
	return fake
}

func options(fake *google.PubSub) Options {
	return Options{
		Project: project, Subscription: subscription, ClientOptions: fake.ClientOptions(),
		MinPause: 5 * time.Millisecond, MaxPause: 20 * time.Millisecond, Settled: 50 * time.Millisecond,
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

// read runs a source. settle says what becomes of a message; nil acknowledges.
func read(t *testing.T, o Options, settle func(auditlog.Message)) *reading {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if settle == nil {
		settle = func(m auditlog.Message) { m.Ack() }
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reading{t: t, cancel: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- s.Run(ctx, "", func(_ context.Context, m auditlog.Message) error {
			r.lock.Lock()
			r.messages = append(r.messages, m)
			r.lock.Unlock()
			settle(m)
			return nil
		}, func(tr alert.Trouble) {
			r.lock.Lock()
			defer r.lock.Unlock()
			r.troubles = append(r.troubles, tr)
		})
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *reading) stop() {
	r.cancel()
	if err, ok := <-r.done; ok && err != nil {
		r.t.Errorf("Run: %v", err)
	}
	select {
	case <-r.done:
	default:
		close(r.done)
	}
}

func (r *reading) data() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	var all []string
	for _, m := range r.messages {
		all = append(all, string(m.Data))
	}
	slices.Sort(all)
	return all
}

func (r *reading) told() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	var all []string
	for _, tr := range r.troubles {
		if text := fmt.Sprintf("%s %t", tr.Kind, tr.Over); len(all) == 0 || all[len(all)-1] != text {
			all = append(all, text)
		}
	}
	return all
}

func (r *reading) text(kind alert.TroubleKind) string {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, tr := range r.troubles {
		if tr.Kind == kind && !tr.Over {
			return tr.Text
		}
	}
	return ""
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

func acked(fake *google.PubSub) int {
	n := 0
	for _, m := range fake.Fake.Messages() {
		n += min(1, m.Acks)
	}
	return n
}

func TestAMessageIsHandedOutAndAcknowledged(t *testing.T) {
	fake := startSubscribed(t, nil)
	o := options(fake)
	received := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return received }
	o.Registerer = prometheus.NewRegistry()
	r := read(t, o, nil)
	fake.Publish(project, "audit", []byte(`{"logName":"a"}`), received)
	eventually(t, "acknowledged", func() bool { return acked(fake) == 1 })
	got := r.messages[0]
	if got.Ack == nil || got.Nack == nil {
		t.Error("nobody is told")
	}
	got.Ack, got.Nack = nil, nil
	want := auditlog.Message{Data: []byte(`{"logName":"a"}`), Received: received, Redelivers: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string(nil), r.told()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotAcknowledgedComesAgain(t *testing.T) {
	fake := startSubscribed(t, nil)
	var lock sync.Mutex
	times := map[string]int{}
	r := read(t, options(fake), func(m auditlog.Message) {
		lock.Lock()
		times[string(m.Data)]++
		first := times[string(m.Data)] == 1
		lock.Unlock()
		if first {
			m.Nack()
			return
		}
		m.Ack()
	})
	for i := range 20 {
		fake.Publish(project, "audit", fmt.Appendf(nil, "%d", i), time.Now())
	}
	eventually(t, "all are acknowledged", func() bool { return acked(fake) == 20 })
	if got := len(r.data()); got < 40 {
		t.Errorf("%d messages", got)
	}
}

func TestWhatWasNotAcknowledgedBeforeAStopComesToTheNext(t *testing.T) {
	fake := startSubscribed(t, nil)
	first := read(t, options(fake), func(auditlog.Message) {})
	fake.Publish(project, "audit", []byte("a"), time.Now())
	eventually(t, "handed out", func() bool { return len(first.data()) == 1 })
	first.stop()
	if acked(fake) != 0 {
		t.Error("it was acknowledged")
	}
	second := read(t, options(fake), nil)
	eventually(t, "handed out again", func() bool { return acked(fake) == 1 && len(second.data()) >= 1 })
}

func TestTwoSourcesShareASubscription(t *testing.T) {
	fake := startSubscribed(t, nil)
	one, two := read(t, options(fake), nil), read(t, options(fake), nil)
	eventually(t, "both are there", func() bool { return fake.Streams() == 2 })
	for i := range 100 {
		fake.Publish(project, "audit", fmt.Appendf(nil, "%03d", i), time.Now())
	}
	eventually(t, "all are acknowledged", func() bool { return acked(fake) == 100 })
	all := slices.Concat(one.data(), two.data())
	slices.Sort(all)
	if got := len(slices.Compact(all)); got != 100 || len(one.data()) == 0 || len(two.data()) == 0 {
		t.Errorf("%d different ones, %d and %d", got, len(one.data()), len(two.data()))
	}
}

func TestNoMoreIsHandedOutThanMayBeOutstanding(t *testing.T) {
	fake := startSubscribed(t, nil)
	o := options(fake)
	o.MaxOutstanding = 3
	var lock sync.Mutex
	var waiting []auditlog.Message
	outstanding, most := 0, 0
	read(t, o, func(m auditlog.Message) {
		lock.Lock()
		defer lock.Unlock()
		outstanding++
		most = max(most, outstanding)
		waiting = append(waiting, m)
	})
	for i := range 30 {
		fake.Publish(project, "audit", fmt.Appendf(nil, "%d", i), time.Now())
	}
	delivered := func() int {
		n := 0
		for _, m := range fake.Fake.Messages() {
			n += min(1, m.Deliveries)
		}
		return n
	}
	eventually(t, "more are delivered than may be outstanding", func() bool { return delivered() > 5 })
	eventually(t, "all are acknowledged", func() bool {
		lock.Lock()
		defer lock.Unlock()
		if len(waiting) > 0 {
			outstanding--
			waiting[0].Ack()
			waiting = waiting[1:]
		}
		return acked(fake) == 30
	})
	if most > 3 {
		t.Errorf("%d at once", most)
	}
}

func TestASubscriptionWithExactlyOnceDelivery(t *testing.T) {
	fake := startSubscribed(t, func(s *pubsubpb.Subscription) { s.EnableExactlyOnceDelivery = true })
	read(t, options(fake), nil)
	for i := range 10 {
		fake.Publish(project, "audit", fmt.Appendf(nil, "%d", i), time.Now())
	}
	eventually(t, "all are acknowledged", func() bool { return acked(fake) == 10 })
}

func TestAMessageOfAnySizeAndContentIsHandedOutAsItIs(t *testing.T) {
	fake := startSubscribed(t, nil)
	large := strings.Repeat("x", 3<<20)
	r := read(t, options(fake), nil)
	fake.Publish(project, "audit", []byte(large), time.Now())
	fake.Publish(project, "audit", []byte("\x00\xff"), time.Now())
	eventually(t, "acknowledged", func() bool { return acked(fake) == 2 })
	if diff := cmp.Diff([]string{"\x00\xff", large}, r.data()); diff != "" {
		t.Error("they differ")
	}
}

func TestASubscriptionThatIsNotThereIsMissingUntilItIs(t *testing.T) {
	fake := start(t)
	r := read(t, options(fake), nil)
	eventually(t, "missing", func() bool { return r.text(alert.Missing) != "" })
	const want = "projects/shop-prod/subscriptions/mollyguard is not there: create it again, on the topic of the log sink (entries since it went are lost to it; the log has them): gcloud pubsub subscriptions create mollyguard --project=shop-prod --topic=TOPIC --ack-deadline=60 --message-retention-duration=31d --expiration-period=never"
	if diff := cmp.Diff(want, r.text(alert.Missing)); diff != "" {
		t.Error(diff)
	}
	if err := fake.Subscribe(t.Context(), project, "audit", subscription, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "over", func() bool { return slices.Equal(r.told(), []string{"missing false", "missing true"}) })
	fake.Publish(project, "audit", []byte("a"), time.Now())
	eventually(t, "acknowledged", func() bool { return acked(fake) == 1 })
}

func TestWhatIsReportedOfEachError(t *testing.T) {
	for _, tt := range []struct {
		err   error
		kind  alert.TroubleKind
		words []string
	}{
		{status.Error(codes.PermissionDenied, "User not\x1b authorized"), alert.Forbidden, []string{
			"roles/pubsub.subscriber", `not\x1b authorized`,
			"gcloud pubsub subscriptions add-iam-policy-binding mollyguard --project=shop-prod --member=serviceAccount:ACCOUNT --role=roles/pubsub.subscriber",
		}},
		{status.Error(codes.Unauthenticated, "token expired"), alert.Forbidden, []string{"token expired", "expired or been deleted"}},
		{status.Error(codes.ResourceExhausted, "quota"), alert.Exhausted, []string{"quota", "quotas?project=shop-prod"}},
		{status.Error(codes.FailedPrecondition, "push"), alert.Missing, []string{"gcloud pubsub subscriptions describe mollyguard --project=shop-prod"}},
		{status.Error(codes.Unknown, "what"), alert.Unreachable, []string{"what (Unknown)"}},
		{status.Error(codes.Unavailable, "Server shutdownNow invoked"), alert.Unreachable, []string{"Unavailable"}},
		{status.Error(codes.Unavailable, "away"), alert.Unreachable, []string{"away (Unavailable)"}},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			fake := startSubscribed(t, nil)
			o := options(fake)
			o.Patience = time.Millisecond
			r := read(t, o, nil)
			fake.Publish(project, "audit", []byte("a"), time.Now())
			eventually(t, "acknowledged", func() bool { return acked(fake) == 1 })
			fake.Fail(tt.err)
			eventually(t, "reported", func() bool { return r.text(tt.kind) != "" })
			for _, words := range tt.words {
				if !strings.Contains(r.text(tt.kind), words) {
					t.Errorf("%q is not in %q", words, r.text(tt.kind))
				}
			}
			fake.Fail(nil)
			fake.Publish(project, "audit", []byte("b"), time.Now())
			eventually(t, "acknowledged", func() bool { return acked(fake) == 2 })
			want := []string{string(tt.kind) + " false", string(tt.kind) + " true"}
			eventually(t, "over", func() bool { return slices.Equal(r.told(), want) })
		})
	}
}

func TestAReconnectIsNoTrouble(t *testing.T) {
	fake := startSubscribed(t, nil)
	r := read(t, options(fake), nil)
	for i := range 5 {
		eventually(t, "a stream", func() bool { return fake.Streams() > i })
		fake.Fail(status.Error(codes.Unavailable, "The service was unable to fulfill your request"))
		fake.Fail(nil)
		eventually(t, "another stream", func() bool { return fake.Streams() > i+1 })
		fake.Publish(project, "audit", fmt.Appendf(nil, "%d", i), time.Now())
		eventually(t, "acknowledged", func() bool { return acked(fake) == i+1 })
	}
	if got := r.told(); got != nil {
		t.Error(got)
	}
}

func TestTheEmulatorIsUsedIfTheEnvironmentSaysSo(t *testing.T) {
	fake := startSubscribed(t, nil)
	t.Setenv("PUBSUB_EMULATOR_HOST", fake.Endpoint())
	o := options(fake)
	o.ClientOptions = nil
	read(t, o, nil)
	fake.Publish(project, "audit", []byte("a"), time.Now())
	eventually(t, "acknowledged", func() bool { return acked(fake) == 1 })
}

func TestTheEndpointIsTheOneThatIsGiven(t *testing.T) {
	fake := startSubscribed(t, nil)
	o := options(fake)
	o.Endpoint = fake.Endpoint()
	o.ClientOptions = append([]option.ClientOption{option.WithEndpoint("127.0.0.1:1")}, fake.ClientOptions()[1:]...)
	read(t, o, nil)
	fake.Publish(project, "audit", []byte("a"), time.Now())
	eventually(t, "acknowledged", func() bool { return acked(fake) == 1 })
}

func TestMissingCredentialsAreReportedAndTriedAgain(t *testing.T) {
	fake := start(t)
	o := options(fake)
	o.ClientOptions = []option.ClientOption{option.WithAuthCredentialsFile(option.ServiceAccount, t.TempDir()+"/none.json")}
	r := read(t, o, nil)
	eventually(t, "reported", func() bool { return strings.Contains(r.text(alert.Forbidden), "no credentials") })
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, o := range []Options{
		{}, {Project: "p"}, {Subscription: "s"}, {Project: "p; reboot", Subscription: "s"},
		{Project: "p", Subscription: "projects/p/subscriptions/s"}, {Project: "p", Subscription: "$(reboot)"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v", o)
		}
	}
	s, err := New(Options{Project: "p", Subscription: "s"})
	if err != nil || s.Name() != "pubsub:projects/p/subscriptions/s" {
		t.Error(err)
	}
}
