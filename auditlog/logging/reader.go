package logging

import (
	"context"
	"fmt"
	"sync"
	"time"

	apiv2 "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// reader is one Run of a Source.
type reader struct {
	*Source
	client   *apiv2.Client
	hand     auditlog.Hand
	troubles *troubles
	// wake asks for a list now.
	wake chan struct{}

	// turn is held while hand is called.
	turn      sync.Mutex
	seen      *seen
	watermark time.Time

	state sync.Mutex
	// tailing is whether the tail works.
	tailing bool
}

// begin sets the watermark.
func (r *reader) begin(position string) {
	now := r.Now()
	r.watermark = now.Add(-r.LookBack)
	if position == "" {
		return
	}
	watermark, err := decodePosition(position)
	if err != nil {
		r.troubles.lost(r.watermark, fmt.Sprintf("the position cannot be read (%s), so what came before %s and after the last start was not read: mollyguard audit replay judges what gcloud logging read prints of that time",
			operation.Printable(err.Error()), r.watermark.UTC().Format(time.RFC3339)))
		return
	}
	if watermark.After(now) { // or nothing would be listed until then
		watermark = now
	}
	oldest := now.Add(-r.Retention)
	if watermark.Before(oldest) {
		r.troubles.lost(watermark, fmt.Sprintf("entries from %s to %s are not kept any more (%v), and were not read",
			watermark.Format(time.RFC3339), oldest.UTC().Format(time.RFC3339), r.Retention))
		watermark = oldest
	}
	r.watermark = watermark
}

// soon asks for a list.
func (r *reader) soon() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// tailed hands out what the tail says. The watermark stays: what the tail left out
// before it is unknown.
func (r *reader) tailed(ctx context.Context, entries []*loggingpb.LogEntry) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	for _, e := range entries {
		if err := r.pass(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// listed hands out what a list says, and moves the watermark along.
func (r *reader) listed(ctx context.Context, entries []*loggingpb.LogEntry) error {
	for _, e := range entries { // in turn with the tail
		if err := r.listedOne(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) listedOne(ctx context.Context, e *loggingpb.LogEntry) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	// Lists are in order of timestamps: with this one, all before it are handed out.
	if at := r.reached(e); at.After(r.watermark) {
		r.watermark = at
	}
	return r.pass(ctx, e)
}

// reached is how far an entry moves the watermark.
func (r *reader) reached(e *loggingpb.LogEntry) time.Time {
	received := r.Now()
	if e.GetReceiveTimestamp() != nil {
		received = e.GetReceiveTimestamp().AsTime()
	}
	if at := e.GetTimestamp().AsTime(); at.Before(received) {
		return at
	}
	return received
}

// pass hands out an entry unless that was done.
func (r *reader) pass(ctx context.Context, e *loggingpb.LogEntry) error {
	k := keyOf(e)
	if r.seen.has(k) {
		r.metrics.again.Inc()
		return nil
	}
	err := r.hand(ctx, auditlog.Message{Data: JSON(e), Received: r.Now(), Position: encodePosition(r.watermark)})
	if err != nil {
		return err
	}
	r.seen.add(k)
	return nil
}

func (r *reader) setTailing(works bool) {
	r.state.Lock()
	defer r.state.Unlock()
	r.tailing = works
}

// rest is how long to the next list.
func (r *reader) rest() time.Duration {
	r.state.Lock()
	defer r.state.Unlock()
	if r.tailing {
		return r.Interval
	}
	return r.PollInterval
}
