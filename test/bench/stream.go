package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// stream is a Pub/Sub that has what it hands out in memory and does nothing but hand
// it out, as fast as the subscriber's flow control lets it. (pstest looks through
// everything that waits, each time, and would be what is measured.)
type stream struct {
	pubsubpb.UnimplementedSubscriberServer
	server  *grpc.Server
	address string

	lock sync.Mutex
	// changed is closed, and replaced, when something below changes.
	changed chan struct{}
	waiting [][]byte
	handed  int
	// unacked are the messages that were handed out and not acknowledged.
	unacked map[string]bool
	// connected reports whether a subscriber is there.
	connected bool
	nacked    int
}

// maxResponseMessages is how many messages are in one response, about what Pub/Sub puts
// into one under load.
const maxResponseMessages = 100

func startStream() (*stream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &stream{server: grpc.NewServer(), address: listener.Addr().String(), changed: make(chan struct{}), unacked: map[string]bool{}}
	pubsubpb.RegisterSubscriberServer(s.server, s)
	// Serve ends with an error of no interest when stop ends it.
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *stream) stop() { s.server.Stop() }

// change changes what is guarded by the lock, and wakes who waits for that.
func (s *stream) change(do func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	do()
	close(s.changed)
	s.changed = make(chan struct{})
}

// publish adds messages.
func (s *stream) publish(messages ...[]byte) {
	s.change(func() { s.waiting = append(s.waiting, messages...) })
}

// settled waits until everything was acknowledged.
func (s *stream) settled(ctx context.Context) error {
	return s.until(ctx, func() bool { return len(s.waiting) == 0 && len(s.unacked) == 0 })
}

// subscribed waits for a subscriber.
func (s *stream) subscribed(ctx context.Context) error {
	return s.until(ctx, func() bool { return s.connected })
}

func (s *stream) until(ctx context.Context, is func() bool) error {
	for {
		s.lock.Lock()
		done, nacked, changed := is(), s.nacked, s.changed
		s.lock.Unlock()
		switch {
		case nacked > 0:
			return errors.New("a message was given back")
		case done:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// StreamingPull implements pubsubpb.SubscriberServer.
func (s *stream) StreamingPull(pull pubsubpb.Subscriber_StreamingPullServer) error {
	first, err := pull.Recv()
	if err != nil {
		return err
	}
	limit := int(first.MaxOutstandingMessages)
	s.change(func() { s.connected = true })
	go func() { // the pings of the client
		for {
			if _, err := pull.Recv(); err != nil {
				return
			}
		}
	}()
	for {
		batch, changed := s.next(limit)
		if len(batch) > 0 {
			if err := pull.Send(&pubsubpb.StreamingPullResponse{ReceivedMessages: batch}); err != nil {
				return err
			}
			continue
		}
		select {
		case <-changed:
		case <-pull.Context().Done():
			return pull.Context().Err()
		}
	}
}

// next takes what may be handed out.
func (s *stream) next(limit int) (batch []*pubsubpb.ReceivedMessage, changed <-chan struct{}) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for len(s.waiting) > 0 && len(s.unacked) < limit && len(batch) < maxResponseMessages {
		s.handed++
		id := strconv.Itoa(s.handed)
		batch = append(batch, &pubsubpb.ReceivedMessage{AckId: id, Message: &pubsubpb.PubsubMessage{Data: s.waiting[0], MessageId: id}})
		s.unacked[id] = true
		s.waiting[0], s.waiting = nil, s.waiting[1:]
	}
	return batch, s.changed
}

// Acknowledge implements pubsubpb.SubscriberServer.
func (s *stream) Acknowledge(_ context.Context, request *pubsubpb.AcknowledgeRequest) (*emptypb.Empty, error) {
	s.change(func() {
		for _, id := range request.AckIds {
			delete(s.unacked, id)
		}
	})
	return &emptypb.Empty{}, nil
}

// ModifyAckDeadline implements pubsubpb.SubscriberServer.
func (s *stream) ModifyAckDeadline(_ context.Context, request *pubsubpb.ModifyAckDeadlineRequest) (*emptypb.Empty, error) {
	if request.AckDeadlineSeconds == 0 {
		s.change(func() { s.nacked += len(request.AckIds) })
	}
	return &emptypb.Empty{}, nil
}
