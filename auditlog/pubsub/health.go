package pubsub

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
)

// health knows whether the subscription works, from what it sees of the stream: the
// client library retries some errors for ever and tells nobody, so each stream is
// watched from below. A stream works when something came through it (a message, or
// the answer to a ping), or when it has been open for some time: Pub/Sub ends one that
// it does not permit at once.
type health struct {
	source *Source
	report auditlog.Report

	lock sync.Mutex
	// since is when the first of the failures came that nothing good followed.
	since time.Time
	told  map[alert.TroubleKind]bool
	// count is how often a stream was seen to work.
	count   int
	timer   *time.Timer
	stopped bool
}

// worked counts streams that worked.
func (h *health) worked() int {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.count
}

func (h *health) stop() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.stopped = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// works says that the subscription does.
func (h *health) works() {
	h.lock.Lock()
	h.count++
	h.since = time.Time{}
	told := slices.Sorted(maps.Keys(h.told))
	h.told = nil
	stopped := h.stopped
	h.lock.Unlock()
	if stopped {
		return
	}
	for _, kind := range told {
		h.report(alert.Trouble{Kind: kind, Source: h.source.Name(), Over: true, Text: h.source.name + " can be read again"})
	}
}

// failed says that a stream ended with an error that the client library may retry.
func (h *health) failed(err error) {
	h.source.metrics.failed(status.Code(err))
	h.consider(err, false)
}

// ended says that the client library gave up.
func (h *health) ended(err error) {
	if err == nil {
		err = errors.New("the stream ended")
	}
	h.consider(err, true)
}

func (h *health) consider(err error, final bool) {
	now := h.source.Now()
	trouble := h.source.trouble(err)
	h.lock.Lock()
	if h.timer != nil {
		h.timer.Stop()
	}
	if h.since.IsZero() {
		h.since = now
	}
	since := h.since
	// That nobody answers is worth a word only after the time a reconnect takes. That
	// Pub/Sub says no is at once, from whoever gave up.
	tell := now.Sub(since) >= h.source.Patience
	if trouble.Kind != alert.Unreachable {
		tell = final || status.Code(err) == codes.ResourceExhausted
	}
	if h.stopped {
		tell = false
	}
	if tell {
		if h.told == nil {
			h.told = map[alert.TroubleKind]bool{}
		}
		h.told[trouble.Kind] = true
	}
	h.lock.Unlock()
	if tell {
		trouble.Since = since
		h.report(trouble)
	}
}

// opened says that a stream is open.
func (h *health) opened() {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	if !h.stopped {
		h.timer = time.AfterFunc(h.source.Settled, h.works)
	}
}

// watch is a grpc.StreamClientInterceptor.
func (h *health) watch(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		if ctx.Err() == nil {
			h.failed(err)
		}
		return nil, err
	}
	h.opened()
	return &watched{ClientStream: stream, ctx: ctx, health: h}, nil
}

// watched is a stream of which health is told.
type watched struct {
	grpc.ClientStream
	ctx    context.Context
	health *health
}

// RecvMsg implements grpc.ClientStream.
func (w *watched) RecvMsg(m any) error {
	err := w.ClientStream.RecvMsg(m)
	switch {
	case err == nil:
		w.health.works()
	case w.ctx.Err() == nil: // otherwise it is we who ended it
		w.health.failed(err)
	}
	return err
}
