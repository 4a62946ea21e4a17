// Package heartbeat writes a log entry now and then that is to come back by the way
// that all others take: log, sink, topic, subscription. A way that is broken somewhere
// looks the same as a quiet night, but for that.
package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	vkit "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// timeout bounds one attempt to write: less than the shortest interval that
// configuration takes.
const timeout = 8 * time.Second

// Options says what is written where. Parent, Log and Interval are required.
type Options struct {
	// Parent is projects/ID, folders/NUMBER or organizations/NUMBER.
	Parent string
	// Log is the id of the log.
	Log      string
	Interval time.Duration
	// Endpoint is HOST:PORT, for Private Service Connect; empty means Google's.
	Endpoint string
	// ClientOptions are for the client library, credentials for example.
	ClientOptions []option.ClientOption
	// Report is told if it cannot be written; nil is nobody.
	Report auditlog.Report

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger is told of failures; nil discards.
	Logger *slog.Logger
}

// Heart beats. Its methods are for one goroutine.
type Heart struct {
	Options
	client *vkit.Client
	// failing is since when it cannot be written, zero while it can.
	failing time.Time
}

// New makes a client, which connects when it is used. ctx is for that.
func New(ctx context.Context, o Options) (*Heart, error) {
	if o.Parent == "" || o.Log == "" || o.Interval <= 0 {
		return nil, errors.New("heartbeat: Parent, Log and Interval are required")
	}
	if o.Report == nil {
		o.Report = func(alert.Trouble) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	options := append([]option.ClientOption(nil), o.ClientOptions...)
	if o.Endpoint != "" {
		options = append(options, option.WithEndpoint(o.Endpoint))
	}
	client, err := vkit.NewClient(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("heartbeat: %w", err)
	}
	return &Heart{Options: o, client: client}, nil
}

// Run beats at once and then at every interval until ctx ends, and closes the
// connection. What cannot be written is reported, and tried again at the next beat.
func (h *Heart) Run(ctx context.Context) error {
	ticker := time.NewTicker(h.Interval)
	defer ticker.Stop()
	for {
		h.beat(ctx)
		select {
		case <-ctx.Done():
			return h.client.Close()
		case <-ticker.C:
		}
	}
}

func (h *Heart) beat(ctx context.Context) {
	err := h.write(ctx)
	switch {
	case ctx.Err() != nil:
	case err == nil && h.failing.IsZero():
	case err == nil:
		h.Report(alert.Trouble{Kind: alert.Forbidden, Source: h.source(), Since: h.failing, Text: "heartbeats can be written again", Over: true})
		h.failing = time.Time{}
	default:
		if h.failing.IsZero() {
			h.failing = h.Now()
		}
		h.Logger.Warn("heartbeat not written", "source", h.source(), "error", err)
		if code := status.Code(err); code == codes.PermissionDenied || code == codes.NotFound || code == codes.Unauthenticated {
			h.Report(alert.Trouble{Kind: alert.Forbidden, Source: h.source(), Since: h.failing, Text: fmt.Sprintf(
				"heartbeats cannot be written to %s (%s): whether entries still come back cannot be told from a quiet night; grant roles/logging.logWriter there", h.Parent, code)})
		}
	}
}

func (h *Heart) source() string { return "heartbeat:" + h.Parent }

func (h *Heart) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	now := h.Now()
	_, err := h.client.WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{
		LogName:  h.Parent + "/logs/" + url.PathEscape(h.Log),
		Resource: &monitoredres.MonitoredResource{Type: "global"},
		Entries: []*loggingpb.LogEntry{{
			Timestamp: timestamppb.New(now), InsertId: fmt.Sprintf("heartbeat-%d", now.UnixNano()),
			Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "mollyguard is listening"},
		}},
	})
	if err != nil {
		return fmt.Errorf("write to %s: %w", operation.Printable(h.Parent), err)
	}
	return nil
}
