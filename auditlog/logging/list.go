package logging

import (
	"context"
	"errors"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/time/rate"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/pause"
)

const (
	// maxPage is the API's own.
	maxPage = 1000
	// maxResponse is the memory for a page: at 512 KiB an audit log entry at most, 128
	// of the largest, or 1,000 of 64 KiB. If a page is larger it is asked for with half
	// as many entries.
	maxResponse = 64 << 20
	// listTimeout is for one page.
	listTimeout = time.Minute
	// listBurst is how many pages may be fetched at once after a rest.
	listBurst = 10
	minPage   = 1
)

// list lists until ctx ends: when it is asked to, and from time to time.
func (r *reader) list(ctx context.Context) error {
	limiter := rate.NewLimiter(rate.Limit(float64(r.ListsPerMinute)/60), min(listBurst, r.ListsPerMinute))
	page := int32(maxPage)
	for attempt := 0; ; {
		err := r.listOnce(ctx, limiter, page)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err == nil:
			attempt, page = 0, maxPage
			r.troubles.works(listing)
			if err := r.awaitNext(ctx); err != nil {
				return err
			}
			continue
		case tooLarge(err) && page > minPage:
			page /= 2
			continue
		}
		r.Log.Warn("list failed, trying again", "source", r.name, "error", err)
		r.metrics.listFailed(err)
		r.troubles.failed(listing, err)
		r.turn.Lock()
		from := r.watermark
		r.turn.Unlock()
		r.troubles.gap(from, err)
		if err := pause.For(ctx, r.backoff.After(attempt+1)); err != nil {
			return err
		}
		attempt++
	}
}

// tooLarge reports whether a page was more than maxResponse, by what grpc-go says.
func tooLarge(err error) bool {
	return status.Code(err) == codes.ResourceExhausted && strings.Contains(status.Convert(err).Message(), "larger than max")
}

// awaitNext waits for the time of the next list. It looks at what is due more often
// than that, as the tail may come or go meanwhile.
func (r *reader) awaitNext(ctx context.Context) error {
	timer := time.NewTimer(r.rest())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// listOnce hands out everything since Overlap before the watermark. It asks for no end:
// what is dated in the future is handed out when it is seen.
func (r *reader) listOnce(ctx context.Context, limiter *rate.Limiter, size int32) error {
	r.turn.Lock()
	from := r.watermark.Add(-r.Overlap)
	r.turn.Unlock()
	request := &loggingpb.ListLogEntriesRequest{
		ResourceNames: r.Resources, Filter: r.filter(from), OrderBy: "timestamp asc", PageSize: size,
	}
	entries := r.client.ListLogEntries(ctx, request, gax.WithTimeout(listTimeout), gax.WithGRPCOptions(grpc.MaxCallRecvMsgSize(maxResponse)))
	pager := iterator.NewPager(entries, int(size), "")
	for {
		if err := limiter.Wait(ctx); err != nil {
			return err
		}
		r.metrics.lists.Inc()
		var page []*loggingpb.LogEntry
		next, err := pager.NextPage(&page)
		if err != nil && !errors.Is(err, iterator.Done) {
			return err
		}
		if err := r.listed(ctx, page); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
	}
}
