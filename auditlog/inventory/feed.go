package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/pause"
)

// Feed takes a message of the asset feed: a TemporalAsset in JSON, of content type
// RESOURCE. When it returns nil the ledger has what there is to keep. Messages may come
// in any order, and more than once. The sentence by which a feed begins is no error, nor
// is an asset of a type that is not kept. An error says what cannot be read, or that the
// ledger did not take it (a *NotKept).
func (i *Inventory) Feed(ctx context.Context, data []byte) error {
	list, err := i.readFeed(data)
	if err != nil || len(list) == 0 {
		return err
	}
	if _, err := i.write(ctx, list, nil); err != nil {
		return &NotKept{err}
	}
	return nil
}

// NotKept says that a message could be read, and should come again.
type NotKept struct{ Cause error }

// Error implements error.
func (e *NotKept) Error() string { return "keep a message of the asset feed: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *NotKept) Unwrap() error { return e.Cause }

func (i *Inventory) readFeed(data []byte) ([]observation, error) {
	if i.static != nil {
		return nil, errors.New("an inventory from a file takes no feed")
	}
	list, err := decodeFeed(data)
	if err != nil {
		return nil, fmt.Errorf("read a message of the asset feed: %w", err)
	}
	return slices.DeleteFunc(list, func(o observation) bool { return !i.types[o.kind] }), nil
}

const (
	// maxFeedMessages and maxFeedBytes are what waits for the ledger: two transactions,
	// and 32 MiB, three of the largest messages.
	maxFeedMessages = 2 * batch
	maxFeedBytes    = 32 << 20
)

const (
	// firstRewrite and lastRewrite bound the pauses between attempts to write what came
	// in: a disk that was full for a moment holds up little, one that stays so is not
	// worn out.
	firstRewrite = time.Second
	lastRewrite  = 30 * time.Second
	// maxWrites is how often the same messages are written before they are given back, as
	// a replica with a ledger of its own may take them: after pauses of 46 to 91 seconds
	// (1+2+4+8+16+30+30, at least half of each). The client library extends their
	// deadline meanwhile, for up to an hour.
	maxWrites = 8
)

// feedLoop receives the feed until ctx ends.
func (i *Inventory) feedLoop(ctx context.Context) {
	name := fmt.Sprintf("projects/%s/subscriptions/%s", i.o.FeedProject, i.o.FeedSubscription)
	rest := firstPause
	for ctx.Err() == nil {
		began := i.o.Now()
		err := i.receive(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the stream ended")
		}
		i.o.Log.Warn("asset feed ended", "error", err)
		i.troubles.tell(kindOf(err), SourceFeed, i.o.Now(), explainFeed(name, err))
		if i.o.Now().Sub(began) > lastPause { // it worked, whatever was before
			rest = firstPause
		}
		if pause.For(ctx, rest) != nil {
			return
		}
		rest = min(2*rest, lastPause)
	}
}

// receive gets messages in many goroutines, and hands them to one that writes.
func (i *Inventory) receive(ctx context.Context) error {
	options := slices.Clone(i.o.FeedClientOptions)
	if i.o.FeedEndpoint != "" {
		options = append(options, option.WithEndpoint(i.o.FeedEndpoint))
	}
	client, err := pubsub.NewClient(ctx, i.o.FeedProject, options...)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // there is nobody to tell
	messages := make(chan *pubsub.Message)
	written := make(chan struct{})
	go func() {
		defer close(written)
		i.takeFeed(ctx, messages)
	}()
	subscriber := client.Subscriber(i.o.FeedSubscription)
	subscriber.ReceiveSettings.MaxOutstandingMessages = maxFeedMessages
	subscriber.ReceiveSettings.MaxOutstandingBytes = maxFeedBytes
	err = subscriber.Receive(ctx, func(_ context.Context, m *pubsub.Message) { messages <- m })
	close(messages)
	<-written
	return err
}

// takeFeed writes what has come in, all of it at once, until there is nothing more.
func (i *Inventory) takeFeed(ctx context.Context, messages <-chan *pubsub.Message) {
	for first := range messages {
		list := []*pubsub.Message{first}
		for more := true; more && len(list) < batch/2; {
			select {
			case m, ok := <-messages:
				if more = ok; ok {
					list = append(list, m)
				}
			default:
				more = false
			}
		}
		i.takeMessages(ctx, list)
	}
}

// takeMessages acknowledges what the ledger has. What cannot be read never can: it is
// told, and the next search has what it said.
func (i *Inventory) takeMessages(ctx context.Context, list []*pubsub.Message) {
	var all []observation
	for _, m := range list {
		seen, err := i.readFeed(m.Data)
		if err != nil {
			i.o.Log.Warn("a message of the asset feed cannot be read", "message", m.ID, "error", err)
			i.troubles.tell(alert.Undecodable, SourceFeed, i.o.Now(), clip(err.Error()))
		}
		all = append(all, seen...)
	}
	if len(all) > 0 && !i.keepFeed(ctx, all) {
		for _, m := range list {
			m.Nack()
		}
		return
	}
	for _, m := range list {
		m.Ack()
	}
	i.troubles.over(SourceFeed, i.o.Now(), alert.Missing, alert.Forbidden, alert.Exhausted, alert.Unreachable)
}

// keepFeed writes until the ledger takes it, maxWrites times at most, and reports whether it
// did. It rests before it writes if the last write failed, of whatever that was: what is
// given back comes again at once.
func (i *Inventory) keepFeed(ctx context.Context, all []observation) bool {
	for range maxWrites {
		if i.unkept > 0 && pause.For(ctx, i.rewrites.After(i.unkept)) != nil {
			return false
		}
		_, err := i.write(context.WithoutCancel(ctx), all, nil)
		if err == nil {
			i.unkept = 0
			return true
		}
		i.unkept++
		i.o.Log.Error("the asset feed cannot be kept", "error", err, "failures", i.unkept)
	}
	return false
}

func explainFeed(name string, err error) string {
	cause := clip(err.Error())
	switch kindOf(err) {
	case alert.Missing:
		return fmt.Sprintf("the subscription %s of the asset feed is not there: create it, or take it out of the configuration: %s", name, cause)
	case alert.Forbidden:
		return fmt.Sprintf("the asset feed's %s may not be read: grant roles/pubsub.subscriber to Mollyguard's service account: gcloud pubsub subscriptions add-iam-policy-binding %s --member=serviceAccount:ACCOUNT --role=roles/pubsub.subscriber: %s", name, name, cause)
	}
	return fmt.Sprintf("the asset feed's %s cannot be received; it is tried again: %s", name, cause)
}
