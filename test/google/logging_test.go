package google

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apiv2 "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func startLogging(t *testing.T) (*Logging, *apiv2.Client) {
	t.Helper()
	l, err := StartLogging()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	client, err := apiv2.NewClient(t.Context(), l.ClientOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return l, client
}

func list(t *testing.T, client *apiv2.Client, request *loggingpb.ListLogEntriesRequest) (ids []string, err error) {
	t.Helper()
	request.ResourceNames = []string{"projects/p"}
	it := client.ListLogEntries(t.Context(), request)
	for {
		e, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return ids, nil
		}
		if err != nil {
			return ids, err
		}
		ids = append(ids, e.GetInsertId())
	}
}

func TestWhatWasAddedIsListed(t *testing.T) {
	l, client := startLogging(t)
	l.Accept(`log_id("x")`, func(e *loggingpb.LogEntry) bool { return e.GetInsertId() != "3" })
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, i := range []int{4, 2, 0, 3, 1} { // out of order
		l.Add(&loggingpb.LogEntry{InsertId: fmt.Sprint(i), Timestamp: timestamppb.New(noon.Add(time.Duration(i) * time.Second))})
	}
	for _, tt := range []struct {
		name, filter, order string
		page                int32
		want                []string
		code                codes.Code
	}{
		{"all", "", "", 0, []string{"0", "1", "2", "3", "4"}, 0},
		{"in pages", "", "timestamp asc", 2, []string{"0", "1", "2", "3", "4"}, 0},
		{"the other way, in pages", "", "timestamp desc", 2, []string{"4", "3", "2", "1", "0"}, 0},
		{"from a time", `timestamp>="2026-11-21T12:00:02Z"`, "", 0, []string{"2", "3", "4"}, 0},
		{"between times", "timestamp>\"2026-11-21T12:00:00Z\"\ntimestamp<=\"2026-11-21T12:00:02Z\"", "", 0, []string{"1", "2"}, 0},
		{"by a filter that it was told", "(\n  log_id(\"x\")\n)\ntimestamp>=\"2026-11-21T12:00:02Z\"", "", 0, []string{"2", "4"}, 0},
		{"by one that it was not", `severity=ERROR`, "", 0, nil, codes.InvalidArgument},
		{"by a time that is none", `timestamp>="yesterday"`, "", 0, nil, codes.InvalidArgument},
		{"in another order", "", "severity", 0, nil, codes.InvalidArgument},
		{"a page that is too large", "", "", 1001, nil, codes.InvalidArgument},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := list(t, client, &loggingpb.ListLogEntriesRequest{Filter: tt.filter, OrderBy: tt.order, PageSize: tt.page})
			if diff := cmp.Diff(tt.want, got); diff != "" || status.Code(err) != tt.code {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestWhatIsWrittenComesBackThroughATail(t *testing.T) {
	l, client := startLogging(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.TailLogEntries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&loggingpb.TailLogEntriesRequest{ResourceNames: []string{"projects/p"}}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); l.Tails() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no tail")
		}
	}
	_, err = client.WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{
		LogName: "projects/p/logs/beat", Labels: map[string]string{"a": "b"},
		Entries: []*loggingpb.LogEntry{{InsertId: "1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	got := response.GetEntries()[0]
	if got.GetLogName() != "projects/p/logs/beat" || got.GetLabels()["a"] != "b" || got.GetTimestamp() == nil || got.GetReceiveTimestamp() == nil {
		t.Errorf("%v", got)
	}
	l.Suppress(loggingpb.TailLogEntriesResponse_SuppressionInfo_RATE_LIMIT, 3)
	if response, err = stream.Recv(); err != nil || response.GetSuppressionInfo()[0].GetSuppressedCount() != 3 {
		t.Error(err, response)
	}
	l.EndHour()
	if _, err := stream.Recv(); status.Code(err) != codes.OutOfRange {
		t.Error(err)
	}
	if diff := cmp.Diff(LoggingCalls{Tail: 1, Write: 1}, l.Calls()); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsAreThoseThatWereAskedFor(t *testing.T) {
	l, client := startLogging(t)
	client.CallOptions.ListLogEntries = nil // it would retry
	l.FailNextLists(status.Error(codes.Unavailable, "away"), nil)
	for _, want := range []codes.Code{codes.Unavailable, codes.OK, codes.OK} {
		if _, err := list(t, client, &loggingpb.ListLogEntriesRequest{}); status.Code(err) != want {
			t.Error(err)
		}
	}
	l.FailLists(status.Error(codes.PermissionDenied, "no"))
	for range 2 {
		if _, err := list(t, client, &loggingpb.ListLogEntriesRequest{}); status.Code(err) != codes.PermissionDenied {
			t.Error(err)
		}
	}
}
