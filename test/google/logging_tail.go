package google

import (
	"errors"
	"io"
	"slices"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Suppression is why a tail did not get what it should have.
type Suppression = loggingpb.TailLogEntriesResponse_SuppressionInfo_Reason

// tail is one that is open.
type tail struct {
	matches func(*loggingpb.LogEntry) bool
	// out are responses; errs ends it.
	out    chan *loggingpb.TailLogEntriesResponse
	err    chan error
	frozen bool
}

// maxTailed is how many responses wait for a client. As the real one does, the fake
// then drops entries.
const maxTailed = 10_000

func (t *tail) send(e *loggingpb.LogEntry) {
	if t.frozen || !t.matches(e) {
		return
	}
	t.respond(&loggingpb.TailLogEntriesResponse{Entries: []*loggingpb.LogEntry{e}})
}

func (t *tail) respond(r *loggingpb.TailLogEntriesResponse) {
	select {
	case t.out <- r:
	default:
	}
}

func (t *tail) end(err error) {
	select {
	case t.err <- err:
	default:
	}
}

// TailLogEntries implements the RPC: until the client ends it, or the script does.
func (l *Logging) TailLogEntries(stream loggingpb.LoggingServiceV2_TailLogEntriesServer) error {
	req, err := stream.Recv()
	if err != nil {
		return err
	}
	t, err := l.open(req)
	if err != nil {
		return err
	}
	defer l.closed(t)
	go func() { // a client may half-close and go on reading, as gcloud does
		for {
			if _, err := stream.Recv(); err != nil {
				if !errors.Is(err, io.EOF) {
					t.end(errEnded)
				}
				return
			}
		}
	}()
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case r := <-t.out:
			if err := stream.Send(r); err != nil {
				return err
			}
		case err := <-t.err:
			if errors.Is(err, errEnded) {
				return nil
			}
			return err
		}
	}
}

func (l *Logging) open(req *loggingpb.TailLogEntriesRequest) (*tail, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.calls.Tail++
	if l.tailFails != nil {
		return nil, l.tailFails
	}
	if err := resourcesValid(req.GetResourceNames()); err != nil {
		return nil, err
	}
	if window := req.GetBufferWindow(); window != nil && (window.AsDuration() < 0 || window.AsDuration() > time.Minute) {
		return nil, status.Error(codes.InvalidArgument, "buffer_window must be between 0 and 60 seconds")
	}
	matches, err := l.filter(req.GetFilter())
	if err != nil {
		return nil, err
	}
	t := &tail{matches: matches, out: make(chan *loggingpb.TailLogEntriesResponse, maxTailed), err: make(chan error, 1)}
	l.tails[t] = true
	return t, nil
}

func (l *Logging) closed(t *tail) {
	l.lock.Lock()
	defer l.lock.Unlock()
	delete(l.tails, t)
}

// Tails is how many tails are open.
func (l *Logging) Tails() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return len(l.tails)
}

// EndTails ends all open tails, nil as one that ends well. What was sent to them and
// waits is lost.
func (l *Logging) EndTails(err error) {
	if err == nil {
		err = errEnded
	}
	l.eachTail(func(t *tail) { t.end(err) })
	l.lock.Lock()
	defer l.lock.Unlock()
	clear(l.tails) // entries that are added from now on are in the gap
}

// EndHour ends all open tails the way Cloud Logging does after an hour.
func (l *Logging) EndHour() {
	l.EndTails(status.Error(codes.OutOfRange, "Session has run for the maximum allowed duration of 1h. To continue, start a new session with the same request."))
}

// Suppress tells all open tails that entries were not sent to them.
func (l *Logging) Suppress(reason Suppression, count int32) {
	l.eachTail(func(t *tail) {
		t.respond(&loggingpb.TailLogEntriesResponse{SuppressionInfo: []*loggingpb.TailLogEntriesResponse_SuppressionInfo{
			{Reason: reason, SuppressedCount: count},
		}})
	})
}

// Repeat sends entries to all open tails again, in one response.
func (l *Logging) Repeat(entries ...*loggingpb.LogEntry) {
	l.eachTail(func(t *tail) {
		t.respond(&loggingpb.TailLogEntriesResponse{Entries: slices.Clone(entries)})
	})
}

// Hang makes all open tails stay open and send nothing more.
func (l *Logging) Hang() { l.eachTail(func(t *tail) { t.frozen = true }) }

func (l *Logging) eachTail(do func(*tail)) {
	l.lock.Lock()
	defer l.lock.Unlock()
	for t := range l.tails {
		do(t)
	}
}
