package google

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// page is what a page token holds: the last entry before the page, so that entries
// that come late are not skipped behind it, and the request that it belongs to.
type page struct {
	After    []byte
	Filter   string
	Order    string
	Resource []string
}

// defaultPage and maxPage are ListLogEntriesRequest.page_size's.
const (
	defaultPage = 50
	maxPage     = 1000
)

// ListLogEntries implements the RPC.
func (l *Logging) ListLogEntries(_ context.Context, req *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.calls.List++
	if err := l.listFault(); err != nil {
		return nil, err
	}
	if err := resourcesValid(req.GetResourceNames()); err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	if size < 0 || size > maxPage {
		return nil, status.Errorf(codes.InvalidArgument, "page_size %d is not between 0 and %d", size, maxPage)
	}
	if size == 0 {
		size = defaultPage
	}
	matches, err := l.filter(req.GetFilter())
	if err != nil {
		return nil, err
	}
	entries := slices.Clone(l.entries)
	switch req.GetOrderBy() {
	case "", "timestamp asc":
	case "timestamp desc":
		slices.Reverse(entries)
	default:
		return nil, status.Errorf(codes.InvalidArgument, "order_by %q", req.GetOrderBy())
	}
	entries = slices.DeleteFunc(entries, func(e *loggingpb.LogEntry) bool { return !matches(e) })
	if entries, err = after(entries, req); err != nil {
		return nil, err
	}
	if len(entries) <= size {
		return &loggingpb.ListLogEntriesResponse{Entries: entries}, nil
	}
	token, err := tokenFor(entries[size-1], req)
	return &loggingpb.ListLogEntriesResponse{Entries: entries[:size], NextPageToken: token}, err
}

func (l *Logging) listFault() error {
	if l.listFails != nil {
		return l.listFails
	}
	if len(l.listFaults) == 0 {
		return nil
	}
	err := l.listFaults[0]
	l.listFaults = l.listFaults[1:]
	return err
}

func tokenFor(last *loggingpb.LogEntry, req *loggingpb.ListLogEntriesRequest) (string, error) {
	position, err := proto.Marshal(&loggingpb.LogEntry{Timestamp: last.GetTimestamp(), InsertId: last.GetInsertId()})
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(page{position, req.GetFilter(), req.GetOrderBy(), req.GetResourceNames()})
	return base64.URLEncoding.EncodeToString(text), err
}

// after leaves out the pages before.
func after(entries []*loggingpb.LogEntry, req *loggingpb.ListLogEntriesRequest) ([]*loggingpb.LogEntry, error) {
	if req.GetPageToken() == "" {
		return entries, nil
	}
	var p page
	last := &loggingpb.LogEntry{}
	text, err := base64.URLEncoding.DecodeString(req.GetPageToken())
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil {
		err = proto.Unmarshal(p.After, last)
	}
	if err != nil || p.Filter != req.GetFilter() || p.Order != req.GetOrderBy() || !slices.Equal(p.Resource, req.GetResourceNames()) {
		return nil, status.Error(codes.InvalidArgument, "page_token doesn't match arguments from the request")
	}
	return slices.DeleteFunc(entries, func(e *loggingpb.LogEntry) bool {
		order := inOrder(e, last)
		if req.GetOrderBy() == "timestamp desc" {
			order = -order
		}
		return order <= 0
	}), nil
}

// WriteLogEntries implements the RPC: what is written comes back.
func (l *Logging) WriteLogEntries(_ context.Context, req *loggingpb.WriteLogEntriesRequest) (*loggingpb.WriteLogEntriesResponse, error) {
	l.lock.Lock()
	l.calls.Write++
	now, fault := timestamppb.New(l.now()), l.writeFails
	l.lock.Unlock()
	if fault != nil {
		return nil, fault
	}
	var entries []*loggingpb.LogEntry
	for _, e := range req.GetEntries() {
		e = proto.CloneOf(e)
		if e.LogName == "" {
			e.LogName = req.GetLogName()
		}
		if e.LogName == "" {
			return nil, status.Error(codes.InvalidArgument, "log_name is missing")
		}
		if e.Resource == nil {
			e.Resource = req.GetResource()
		}
		for key, value := range req.GetLabels() {
			if e.Labels == nil {
				e.Labels = map[string]string{}
			}
			if _, has := e.Labels[key]; !has {
				e.Labels[key] = value
			}
		}
		if e.InsertId == "" {
			e.InsertId = base64.RawURLEncoding.EncodeToString([]byte(now.AsTime().String()))
		}
		e.ReceiveTimestamp = now
		entries = append(entries, e)
	}
	if !req.GetDryRun() {
		l.Add(entries...)
	}
	return &loggingpb.WriteLogEntriesResponse{}, nil
}
