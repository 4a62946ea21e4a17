// Package google has fakes of Google's APIs that speak the real protocol on a real
// socket of 127.0.0.1, for Google's own client libraries. They are for tests, the demo
// and benchmarks: nothing in them depends on package testing.
package google

import (
	"cmp"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Logging is a fake of Cloud Logging's LoggingServiceV2
// (https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2): it keeps
// what is written, lists it, and tails it. Faults are scripted. Its methods may be
// called concurrently.
type Logging struct {
	loggingpb.UnimplementedLoggingServiceV2Server

	server *grpc.Server
	addr   string

	lock    sync.Mutex
	now     func() time.Time
	entries []*loggingpb.LogEntry
	// known are filters that are taken, and what they let through.
	known map[string]func(*loggingpb.LogEntry) bool
	tails map[*tail]bool
	calls LoggingCalls

	listFaults []error
	listFails  error
	tailFails  error
	writeFails error
}

// LoggingCalls are the calls that came.
type LoggingCalls struct{ List, Tail, Write int }

// StartLogging starts a fake Cloud Logging on a free port.
func StartLogging() (*Logging, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Logging{
		server: grpc.NewServer(), addr: listener.Addr().String(), now: time.Now,
		known: map[string]func(*loggingpb.LogEntry) bool{}, tails: map[*tail]bool{},
	}
	loggingpb.RegisterLoggingServiceV2Server(l.server, l)
	// Serve ends with an error of no interest when Close stops it.
	go func() { _ = l.server.Serve(listener) }()
	return l, nil
}

// Close stops the server, and breaks its connections.
func (l *Logging) Close() { l.server.Stop() }

// Endpoint is HOST:PORT.
func (l *Logging) Endpoint() string { return l.addr }

// ClientOptions let a client library speak to it.
func (l *Logging) ClientOptions() []option.ClientOption { return clientOptions(l.addr) }

func clientOptions(addr string) []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(addr),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		option.WithTelemetryDisabled(),
	}
}

// SetNow sets the clock by which entries are received.
func (l *Logging) SetNow(now func() time.Time) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.now = now
}

// Accept makes the fake take a filter, of which it understands nothing: matches says
// what it lets through, nil all.
func (l *Logging) Accept(filter string, matches func(*loggingpb.LogEntry) bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.known[normal(filter)] = matches
}

// Add keeps entries and hands them to those who tail. Timestamp and
// ReceiveTimestamp are now if they are missing.
func (l *Logging) Add(entries ...*loggingpb.LogEntry) { l.add(true, entries) }

// AddUntailed keeps entries that nobody who tails gets to see.
func (l *Logging) AddUntailed(entries ...*loggingpb.LogEntry) { l.add(false, entries) }

func (l *Logging) add(tailed bool, entries []*loggingpb.LogEntry) {
	l.lock.Lock()
	defer l.lock.Unlock()
	now := timestamppb.New(l.now())
	for _, e := range entries {
		e = proto.CloneOf(e)
		if e.Timestamp == nil {
			e.Timestamp = now
		}
		if e.ReceiveTimestamp == nil {
			e.ReceiveTimestamp = now
		}
		at, _ := slices.BinarySearchFunc(l.entries, e, inOrder)
		l.entries = slices.Insert(l.entries, at, e)
		if !tailed {
			continue
		}
		for t := range l.tails {
			t.send(e)
		}
	}
}

// inOrder is how entries are listed: by timestamp, then by insert id.
func inOrder(a, b *loggingpb.LogEntry) int {
	return cmp.Or(a.GetTimestamp().AsTime().Compare(b.GetTimestamp().AsTime()), cmp.Compare(a.GetInsertId(), b.GetInsertId()))
}

// Entries are all that it has, by timestamp.
func (l *Logging) Entries() []*loggingpb.LogEntry {
	l.lock.Lock()
	defer l.lock.Unlock()
	return slices.Clone(l.entries)
}

// Forget drops what is older than before, as the end of retention does.
func (l *Logging) Forget(before time.Time) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.entries = slices.DeleteFunc(l.entries, func(e *loggingpb.LogEntry) bool { return e.GetTimestamp().AsTime().Before(before) })
}

// Calls counts the calls that came so far.
func (l *Logging) Calls() LoggingCalls {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.calls
}

// FailLists makes all lists fail with a status error, until it is called with nil.
func (l *Logging) FailLists(err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.listFails = err
}

// FailNextLists makes the next lists fail, one with each status error; nil is a call
// that works.
func (l *Logging) FailNextLists(errs ...error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.listFaults = append(l.listFaults, errs...)
}

// FailTails makes every new tail fail with a status error, until it is called with nil.
func (l *Logging) FailTails(err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.tailFails = err
}

// FailWrites makes all writes fail with a status error, until it is called with nil.
func (l *Logging) FailWrites(err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.writeFails = err
}

var errEnded = errors.New("ended by the script")
