package inventory

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mollyguard/mollyguard/auditlog"
)

// message is one of the feed; more is what follows the asset.
func message(name, kind, data string, at time.Time, more string) string {
	return fmt.Sprintf(`{"asset":{"ancestors":["projects/100","folders/11","folders/12","organizations/1"],"assetType":%q,"name":%q,
		"resource":{"version":"v1","discoveryName":"X","data":{%s}},"updateTime":%q}%s,"window":{"startTime":%q}}`,
		kind, name, data, at.Format(time.RFC3339Nano), more, at.Format(time.RFC3339Nano))
}

func deletion(name, kind string, at time.Time) string {
	return fmt.Sprintf(`{"asset":{"ancestors":["projects/100","folders/11","organizations/1"],"assetType":%q,"name":%q,"updateTime":%q},
		"deleted":true,"priorAssetState":"DOES_NOT_EXIST","window":{"startTime":%q}}`, kind, name, at.Format(time.RFC3339Nano), at.Format(time.RFC3339Nano))
}

func seeded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, func(o *Options) { o.HistoryTimeout = -1 })
	w.cloud.Set(project("shop", "100", team))
	w.refresh()
	return w
}

const clusterProd, clusterDev = `"resourceLabels":{"env":"production"},"labels":[1]`, `"resourceLabels":{"env":"dev"}`

func TestTheLabelsOfWhatIsDeletedAreKept(t *testing.T) {
	w := seeded(t)
	w.feed(message(clusterName, clusterKind, clusterProd, noon, ""))
	w.feed(deletion(clusterName, clusterKind, noon.Add(time.Minute)))
	w.want(clusterRef, noon.Add(time.Minute), true, known(prod))
	w.want(clusterRef, noon.Add(time.Hour), true, known(prod))
	if got := w.record(clusterRef).newest().Gone; got != deleted {
		t.Errorf("gone is %v", got)
	}
}

func TestALabelTakenOffJustBeforeADeleteIsSeen(t *testing.T) {
	w := seeded(t)
	w.feed(message(clusterName, clusterKind, clusterProd, noon, ""))
	w.feed(message(clusterName, clusterKind, clusterDev, noon.Add(time.Hour), ""))
	at := noon.Add(time.Hour + time.Minute)
	w.feed(deletion(clusterName, clusterKind, at))
	w.want(clusterRef, at, true, known(dev, prod))
	w.want(clusterRef, at.Add(48*time.Hour), true, known(dev, prod)) // asked late
	w.want(clusterRef+"/nodePools/p", at, true, known(dev, prod))
	w.want(clusterRef, noon.Add(time.Minute), true, known(prod))
}

func TestALabelTakenOffLongBeforeADeleteDoesNotCount(t *testing.T) {
	w := seeded(t)
	w.feed(message(clusterName, clusterKind, clusterProd, noon, ""))
	w.feed(message(clusterName, clusterKind, clusterDev, noon.Add(time.Hour), ""))
	w.want(clusterRef, noon.Add(2*time.Hour+time.Second), true, known(dev))
}

func TestALabelCannotBeChangedUntilItIsForgotten(t *testing.T) {
	w := seeded(t)
	w.feed(message(clusterName, clusterKind, clusterProd, noon, ""))
	at := noon.Add(time.Hour)
	for n := range maxStates {
		at = at.Add(time.Second)
		w.feed(message(clusterName, clusterKind, fmt.Sprintf(`"resourceLabels":{"env":"%d"}`, n), at, ""))
	}
	w.want(clusterRef, at, false, known(nil))
	later := at.Add(2 * time.Hour)
	w.want(clusterRef, later, true, known(map[string]string{"env": "7"}))
}

func TestMessagesMayComeInAnyOrderAndTwice(t *testing.T) {
	list := []string{
		message(clusterName, clusterKind, clusterProd, noon, ""),
		message(clusterName, clusterKind, clusterDev, noon.Add(10*time.Minute), ""),
		message(clusterName, clusterKind, clusterDev+`,"status":"STOPPING"`, noon.Add(20*time.Minute), ""),
		deletion(clusterName, clusterKind, noon.Add(30*time.Minute)),
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 0, 3, 1, 2}, {0, 3, 3, 1, 2}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			w := seeded(t)
			for _, n := range order {
				w.feed(list[n])
			}
			w.want(clusterRef, noon.Add(30*time.Minute), true, known(dev, prod))
			w.want(clusterRef, noon.Add(5*time.Minute), true, known(prod))
			if got := len(w.record(clusterRef).States); got != 3 {
				t.Errorf("%d states, want 3", got)
			}
		})
	}
}

func TestALateOlderUpdateDoesNotWin(t *testing.T) {
	w := seeded(t)
	w.feed(message(clusterName, clusterKind, clusterProd, noon, ""))
	w.feed(message(clusterName, clusterKind, clusterProd+`,"nodes":3`, noon.Add(20*time.Minute), ""))
	w.feed(message(clusterName, clusterKind, clusterDev, noon.Add(10*time.Minute), ""))
	w.want(clusterRef, noon.Add(30*time.Minute), true, known(prod, dev))
}

func TestTheLabelsOfOneMadeAgainUnderTheNameAreItsOwn(t *testing.T) {
	w := seeded(t)
	w.feed(message(clusterName, clusterKind, clusterProd, noon, ""))
	w.feed(deletion(clusterName, clusterKind, noon.Add(time.Hour)))
	w.feed(message(clusterName, clusterKind, clusterDev, noon.Add(3*time.Hour), ""))
	w.want(clusterRef, noon.Add(2*time.Hour), true, known(prod))
	w.want(clusterRef, noon.Add(5*time.Hour), true, known(dev))
}

func TestWhatADeletionSaysOfTheTimeBeforeIsTaken(t *testing.T) {
	w := seeded(t)
	at := noon.Add(time.Minute)
	prior := fmt.Sprintf(`,"priorAsset":{"assetType":%q,"name":%q,"resource":{"data":{"labels":{"env":"production"}}},"updateTime":%q},"priorAssetState":"PRESENT","deleted":true`,
		diskKind, diskName, noon.Format(time.RFC3339Nano))
	w.feed(message(diskName, diskKind, "", at, prior))
	w.want(diskRef, at, true, known(prod))
}

func TestAProjectIsKnownByItsNumberFromTheFeed(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.HistoryTimeout = -1 })
	// A secret's name has the number, and comes before the project is known.
	w.feed(message("//secretmanager.googleapis.com/projects/100/secrets/s", "secretmanager.googleapis.com/Secret", `"labels":{"env":"production"}`, noon, ""))
	w.feed(message("//cloudresourcemanager.googleapis.com/projects/100", typeProject, `"projectId":"shop","projectNumber":"100","labels":{"team":"shop"}`, noon, ""))
	for _, name := range []string{"shop", "100"} {
		w.want("gcp://secretmanager.googleapis.com/projects/"+name+"/secrets/s", noon, true, known(prod))
		w.want("gcp://secretmanager.googleapis.com/projects/"+name+"/secrets/s/versions/1", noon, true, known(prod))
	}
	asset, ok, err := w.inv.Find(t.Context(), "gcp://storage.googleapis.com/projects/_/buckets/unheard-of", "100", noon)
	if err != nil || ok || asset.ProjectLabels["team"] != "shop" {
		t.Errorf("got %v %v %v", asset, ok, err)
	}
}

func TestABucketHasItsProjectsLabels(t *testing.T) {
	w := seeded(t)
	w.feed(message("//storage.googleapis.com/b1", "storage.googleapis.com/Bucket", `"labels":{"env":"production"}`, noon, ""))
	w.want("gcp://storage.googleapis.com/projects/_/buckets/b1", noon, true, known(prod))
	w.want("gcp://storage.googleapis.com/projects/_/buckets/b1/objects/a/b/c/d/e/f/g/h", noon, true, known(prod))
}

func TestAMessageThatCannotBeReadIsAnError(t *testing.T) {
	w := seeded(t)
	for name, tt := range map[string]struct{ data, want string }{
		"nothing":     {``, "EOF"},
		"no JSON":     {`hello`, "invalid character"},
		"half":        {`{"asset":{"name":"//a/b"`, "EOF"},
		"no asset":    {`{}`, "no asset in it"},
		"no name":     {`{"asset":{"assetType":"x"}}`, "no asset in it"},
		"other name":  {message("projects/p", diskKind, "", noon, ""), "is not //SERVICE/PATH"},
		"no time":     {`{"asset":{"name":"//a/b","assetType":"x","resource":{}}}`, "neither a time"},
		"wrong time":  {`{"asset":{"name":"//a/b","assetType":"x","resource":{},"updateTime":"yesterday"}}`, "cannot parse"},
		"no resource": {`{"asset":{"name":"//a/b","assetType":"x","updateTime":"2026-01-01T00:00:00Z"}}`, "--content-type=resource"},
		"too long":    {message(diskName, diskKind, `"labels":{"a":"`+strings.Repeat("x", 5000)+`"}`, noon, ""), "5000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.inv.Feed(t.Context(), []byte(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	w.feed(`You have successfully configured real time feed "projects/1/feeds/f". You will receive updates.`)
	w.feed(message("//x.googleapis.com/projects/shop/things/t", "x.googleapis.com/Thing", "", noon, ""))
	w.want("gcp://x.googleapis.com/projects/shop/things/t", noon, false, auditlog.Asset{ProjectLabels: team, Ancestors: ancestors})
}

// subscribed is a Pub/Sub with the feed's topic, and what leads an inventory there.
func subscribed(t *testing.T) (server *pstest.Server, topic string, change func(*Options)) {
	t.Helper()
	if os.Getenv("PUBSUB_EMULATOR_HOST") != "" {
		t.Skip("PUBSUB_EMULATOR_HOST would lead elsewhere")
	}
	server = pstest.NewServer()
	t.Cleanup(func() { _ = server.Close() })
	topic = "projects/p/topics/feed"
	const sub = "projects/p/subscriptions/feed"
	if _, err := server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	if _, err := server.GServer.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: sub, Topic: topic, AckDeadlineSeconds: 10}); err != nil {
		t.Fatal(err)
	}
	return server, topic, func(o *Options) {
		o.HistoryTimeout, o.FeedProject, o.FeedSubscription, o.FeedEndpoint = -1, "p", "feed", server.Addr
		o.FeedClientOptions = []option.ClientOption{option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
	}
}

// run runs the inventory until stop is called.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error)
	go func() { done <- w.inv.Run(ctx) }()
	return func() {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

func TestMessagesOfTheFeedAreAcknowledgedWhenTheLedgerHasThem(t *testing.T) {
	server, topic, feed := subscribed(t)
	w := newWorld(t, feed)
	w.cloud.Set(project("shop", "100", team))
	server.Publish(topic, []byte("not a message"), nil)
	for n := range 20 {
		server.Publish(topic, []byte(message(fmt.Sprint(diskName, n), diskKind, `"labels":{"env":"production"}`, noon, "")), nil)
	}
	stop := w.run()
	poll(t, func() bool {
		for _, m := range server.Messages() {
			if m.Acks == 0 {
				return false
			}
		}
		return true
	})
	poll(t, func() bool { return w.inv.Ready() == nil })
	stop()
	for n := range 20 {
		w.want(fmt.Sprint(diskRef, n), noon, true, known(prod))
	}
	if got := w.kinds(); len(got) == 0 || got[0] != "undecodable inventory feed" {
		t.Errorf("troubles are %v", got)
	}
}

func TestAFeedThatTheLedgerDoesNotTakeIsNotKept(t *testing.T) {
	w := seeded(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := w.inv.Feed(ctx, []byte(message(diskName, diskKind, "", noon, "")))
	if _, ok := err.(*NotKept); !ok {
		t.Errorf("got %v", err)
	}
}
