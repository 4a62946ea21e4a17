package sink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// loggingServer is Cloud Logging as far as it writes.
type loggingServer struct {
	loggingpb.UnimplementedLoggingServiceV2Server
	lock    sync.Mutex
	written []*loggingpb.WriteLogEntriesRequest
	answer  func(ctx context.Context) error
}

func (s *loggingServer) WriteLogEntries(ctx context.Context, r *loggingpb.WriteLogEntriesRequest) (*loggingpb.WriteLogEntriesResponse, error) {
	s.lock.Lock()
	s.written = append(s.written, r)
	s.lock.Unlock()
	if s.answer != nil {
		if err := s.answer(ctx); err != nil {
			return nil, err
		}
	}
	return &loggingpb.WriteLogEntriesResponse{}, nil
}

func serveLogging(t *testing.T, answer func(ctx context.Context) error) (*loggingServer, *CloudLogging) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake := &loggingServer{answer: answer}
	server := grpc.NewServer()
	loggingpb.RegisterLoggingServiceV2Server(server, fake)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	sink := must[*CloudLogging](t)(NewCloudLogging(t.Context(), CloudLoggingOptions{
		Parent: "shop-prod", Endpoint: listener.Addr().String(), Now: now,
		Client: []option.ClientOption{option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))},
	}))
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return fake, sink
}

// transcript is all that was written, in a form that is the same each time: protojson
// varies its white space on purpose.
func (s *loggingServer) transcript(t *testing.T) string {
	t.Helper()
	s.lock.Lock()
	defer s.lock.Unlock()
	var b strings.Builder
	for _, r := range s.written {
		text, err := protojson.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(indented(t, string(text)) + "\n")
	}
	return b.String()
}

func TestCloudLoggingGetsAlerts(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			fake, sink := serveLogging(t, nil)
			if err := sink.Send(t.Context(), s.alert); err != nil {
				t.Fatal(err)
			}
			golden(t, "cloudlogging/"+s.name+".json", fake.transcript(t))
		})
	}
}

func decision() operation.Decision {
	return operation.Decision{
		ID: "01JD6Z3W9C0000000000000001", Time: opened, Surface: operation.GCP, Verb: operation.Delete, Phase: operation.Started,
		Outcome: operation.OutcomeAlert, Actor: operation.Identity{Name: "bob@example.com", Kind: operation.Human},
		Target: clusterDelete().Target, Project: "shop-prod",
	}
}

func TestCloudLoggingGetsDecisions(t *testing.T) {
	fake, sink := serveLogging(t, nil)
	allowed, undecided := decision(), decision()
	allowed.Outcome, undecided.Outcome = operation.OutcomeAllow, operation.OutcomeUndecided
	for _, d := range []operation.Decision{decision(), allowed, undecided} {
		if err := sink.WriteDecision(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "cloudlogging/decisions.json", fake.transcript(t))
}

func TestWhatCloudLoggingSaysIsUnderstood(t *testing.T) {
	later, err := status.New(codes.ResourceExhausted, "quota").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(9 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		said *status.Status
		want string
	}{
		{status.New(codes.InvalidArgument, "bad"), "rejected"},
		{status.New(codes.NotFound, "no project"), "rejected"},
		{status.New(codes.PermissionDenied, "logging.logEntries.create"), "again"},
		{status.New(codes.Unauthenticated, "expired"), "again"},
		{status.New(codes.Unavailable, "down"), "again"},
		{status.New(codes.Internal, "oops"), "again"},
		{status.New(codes.DeadlineExceeded, "slow"), "again"},
		{status.New(codes.ResourceExhausted, "quota"), "again"},
		{later, "after 9s"},
	} {
		t.Run(fmt.Sprint(tt.said.Code(), " ", tt.want), func(t *testing.T) {
			fake, sink := serveLogging(t, func(context.Context) error { return tt.said.Err() })
			err := sink.Send(t.Context(), violation())
			if got := outcome(err); got != tt.want || len(fake.written) != 1 {
				t.Errorf("%s, want %s, after %d requests: %v", got, tt.want, len(fake.written), err)
			}
			if tt.said.Code() == codes.PermissionDenied && !strings.Contains(err.Error(), "roles/logging.logWriter") {
				t.Errorf("no role: %v", err)
			}
		})
	}
}

func TestCloudLoggingThatHangsIsNotWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, sink := serveLogging(t, func(call context.Context) error {
		cancel()
		<-call.Done()
		return call.Err()
	})
	if err := sink.Send(ctx, violation()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAnEntryIsOneThatCloudLoggingStores(t *testing.T) {
	fake, sink := serveLogging(t, nil)
	huge, old, future := violation(), violation(), violation()
	huge.Text = []string{strings.Repeat("x", 300<<10)}
	old.Updated, future.Updated = sent.Add(-31*24*time.Hour), sent.Add(48*time.Hour)
	for _, a := range []alert.Alert{huge, old, future} {
		if err := sink.Send(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(i int) *loggingpb.LogEntry { return fake.written[i].GetEntries()[0] }
	payload := entry(0).GetJsonPayload().AsMap()
	if payload["truncated"] != true || payload["id"] != huge.ID || payload["title"] != huge.Title {
		t.Errorf("payload %v", payload)
	}
	for i := 1; i < 3; i++ {
		if at := entry(i).GetTimestamp().AsTime(); !at.Equal(sent) {
			t.Errorf("entry %d is of %v", i, at)
		}
	}
}

func TestALogIsInAProjectOrTheLike(t *testing.T) {
	for _, parent := range []string{"", "projects/", "zones/x", "projects/a/logs/b"} {
		if _, err := NewCloudLogging(t.Context(), CloudLoggingOptions{Parent: parent}); err == nil {
			t.Errorf("no error for %q", parent)
		}
	}
}
