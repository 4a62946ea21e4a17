package google

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
)

// PubSub is Google's own fake of Pub/Sub (pstest) behind a server that fails as it is
// told to. Its methods may be called concurrently.
type PubSub struct {
	// Fake is what there is behind the faults.
	Fake *pstest.Server

	server *grpc.Server
	addr   string

	lock    sync.Mutex
	fails   error
	streams map[int]chan error
	opened  int
}

// StartPubSub starts a fake Pub/Sub on a free port.
func StartPubSub() (*PubSub, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &PubSub{Fake: pstest.NewServer(), addr: listener.Addr().String(), streams: map[int]chan error{}}
	p.server = grpc.NewServer(grpc.UnaryInterceptor(p.unary), grpc.StreamInterceptor(p.stream))
	pubsubpb.RegisterPublisherServer(p.server, &p.Fake.GServer)
	pubsubpb.RegisterSubscriberServer(p.server, &p.Fake.GServer)
	// Serve ends with an error of no interest when Close stops it.
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// Close stops the server, and breaks its connections.
func (p *PubSub) Close() {
	p.server.Stop()
	_ = p.Fake.Close() // it has no connections
}

// Endpoint is HOST:PORT, also for PUBSUB_EMULATOR_HOST.
func (p *PubSub) Endpoint() string { return p.addr }

// ClientOptions let a client library speak to it.
func (p *PubSub) ClientOptions() []option.ClientOption { return clientOptions(p.addr) }

// Fail makes every call fail with a status error, and ends all streams with it, until
// it is called with nil.
func (p *PubSub) Fail(err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.fails = err
	if err == nil {
		return
	}
	for _, end := range p.streams {
		select {
		case end <- err:
		default:
		}
	}
}

// Subscribe creates a topic and a subscription to it, if they are not there.
// change, which may be nil, changes the subscription before.
func (p *PubSub) Subscribe(ctx context.Context, project, topic, subscription string, change func(*pubsubpb.Subscription)) error {
	name := "projects/" + project + "/topics/" + topic
	// It is there already if there is another subscription.
	_, _ = p.Fake.GServer.CreateTopic(ctx, &pubsubpb.Topic{Name: name})
	s := &pubsubpb.Subscription{
		Name: "projects/" + project + "/subscriptions/" + subscription, Topic: name, AckDeadlineSeconds: 10,
	}
	if change != nil {
		change(s)
	}
	if _, err := p.Fake.GServer.CreateSubscription(ctx, s); err != nil {
		return fmt.Errorf("create subscription %s: %w", s.Name, err)
	}
	return nil
}

// Publish publishes the JSON of an entry, with the attribute that a log sink sets
// (https://cloud.google.com/logging/docs/export/pubsub). It returns the message's id.
func (p *PubSub) Publish(project, topic string, entry []byte, at time.Time) string {
	return p.Fake.Publish("projects/"+project+"/topics/"+topic, entry, map[string]string{
		"logging.googleapis.com/timestamp": at.UTC().Format(time.RFC3339Nano),
	})
}

func (p *PubSub) fault() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.fails
}

func (p *PubSub) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := p.fault(); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (p *PubSub) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	end := make(chan error, 1)
	p.lock.Lock()
	if err := p.fails; err != nil {
		p.lock.Unlock()
		return err
	}
	p.opened++
	id := p.opened
	p.streams[id] = end
	p.lock.Unlock()
	defer func() {
		p.lock.Lock()
		defer p.lock.Unlock()
		delete(p.streams, id)
	}()
	done := make(chan error, 1)
	go func() { done <- handler(srv, &endable{stream, ctx}) }()
	select {
	case err := <-done:
		return err
	case err := <-end:
		cancel()
		select { // until then the fake sends messages into it, and waits for them
		case <-done:
		case <-time.After(maxEnding):
		}
		return err
	}
}

// maxEnding is how long the fake may take to see that a stream has ended.
const maxEnding = time.Second

// Streams counts the streams that were ever opened.
func (p *PubSub) Streams() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.opened
}

// endable is a stream that ends with its context.
type endable struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *endable) Context() context.Context { return s.ctx }

// RecvMsg implements grpc.ServerStream. After the end of the context it leaves m to
// whatever comes.
func (s *endable) RecvMsg(m any) error {
	done := make(chan error, 1)
	go func() { done <- s.ServerStream.RecvMsg(m) }()
	select {
	case err := <-done:
		return err
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
