package logging

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/pause"
)

// tail keeps a tail open until ctx ends.
func (r *reader) tail(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		worked, err := r.tailOnce(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.setTailing(false)
		r.soon() // what comes from now on is in no tail
		r.metrics.tailEnded(err)
		if worked {
			attempt = 0
		}
		if !endsEachHour(err) {
			r.Log.Warn("tail ended, listing instead", "source", r.name, "error", err)
			r.troubles.failed(tailing, err)
		}
		if err := pause.For(ctx, r.backoff.After(attempt+1)); err != nil {
			return err
		}
	}
}

// endsEachHour reports whether a tail ended as all of them do
// (https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2#google.logging.v2.LoggingServiceV2.TailLogEntries).
func endsEachHour(err error) bool {
	return errors.Is(err, io.EOF) || status.Code(err) == codes.OutOfRange
}

// tailOnce reads a tail to its end.
func (r *reader) tailOnce(ctx context.Context) (worked bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var opened atomic.Bool
	stream, err := r.client.TailLogEntries(ctx)
	if err != nil {
		return false, err
	}
	request := &loggingpb.TailLogEntriesRequest{ResourceNames: r.Resources, Filter: r.filter(time.Time{})}
	// That it could not be sent is told by Recv, with the reason.
	if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	works := sync.OnceFunc(func() {
		r.tailWorks()
		opened.Store(true)
	})
	settled := time.AfterFunc(r.Settled, func() {
		if ctx.Err() == nil {
			works()
		}
	})
	defer settled.Stop()
	for {
		response, err := stream.Recv()
		if err != nil {
			return opened.Load(), err
		}
		works()
		if err := r.tailed(ctx, response.GetEntries()); err != nil {
			return true, err
		}
		if len(response.GetSuppressionInfo()) > 0 {
			r.suppressed(response.GetSuppressionInfo())
		}
	}
}

func (r *reader) tailWorks() {
	r.setTailing(true)
	r.troubles.works(tailing)
	// What came after the last list and before the tail began is in neither.
	r.soon()
}

// suppressed has listed what was left out.
func (r *reader) suppressed(infos []*loggingpb.TailLogEntriesResponse_SuppressionInfo) {
	for _, info := range infos {
		r.metrics.suppress(info)
		r.Log.Info("the tail left entries out, listing them", "source", r.name, "reason", info.GetReason().String(), "count", info.GetSuppressedCount())
	}
	r.soon()
}
