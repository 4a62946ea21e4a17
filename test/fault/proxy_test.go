package fault

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// proxy hands connections to the first of its targets that takes them, as a Service
// does with replicas, and spoils them on demand. It knows nothing of what they carry.
type proxy struct {
	listener net.Listener

	lock    sync.Mutex
	targets []string
	open    map[net.Conn]bool
	// refused has new connections closed at once.
	refused bool
	// gate is closed while bytes may pass; delay is how late answers pass.
	gate    chan struct{}
	delay   time.Duration
	changed chan struct{} // closed, and made anew, when delay changes
}

func newProxy(t *testing.T, targets ...string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, targets: targets, open: map[net.Conn]bool{}, gate: make(chan struct{}), changed: make(chan struct{})}
	close(p.gate)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil { // closed, at the end of the test
				return
			}
			running.Go(func() { p.serve(connection) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		p.mend()
		p.hangUp()
		running.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// lead makes these the targets, in this order, for connections from now on.
func (p *proxy) lead(targets ...string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.targets = slices.Clone(targets)
}

// hangUp ends all connections.
func (p *proxy) hangUp() {
	p.lock.Lock()
	defer p.lock.Unlock()
	for connection := range p.open {
		_ = connection.Close() // its other end may have closed it
	}
}

// cut ends all connections and takes no more.
func (p *proxy) cut() {
	p.lock.Lock()
	p.refused = true
	p.lock.Unlock()
	p.hangUp()
}

// swallow keeps connections, and takes more, and lets nothing through.
func (p *proxy) swallow() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.gate = make(chan struct{})
}

// hold keeps back what the targets say, each piece for so long.
func (p *proxy) hold(delay time.Duration) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.delay = delay
	close(p.changed)
	p.changed = make(chan struct{})
}

// mend ends cut, swallow and hold.
func (p *proxy) mend() {
	p.hold(0)
	p.lock.Lock()
	defer p.lock.Unlock()
	p.refused = false
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// pass waits until a piece may pass.
func (p *proxy) pass(answer bool) {
	p.lock.Lock()
	gate, delay, changed := p.gate, p.delay, p.changed
	p.lock.Unlock()
	<-gate
	if !answer || delay == 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	}
}

func (p *proxy) register(connection net.Conn, open bool) (refused bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if !open {
		delete(p.open, connection)
		return false
	}
	p.open[connection] = true
	return p.refused
}

func (p *proxy) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	defer p.register(connection, false)
	if p.register(connection, true) {
		return
	}
	p.lock.Lock()
	targets := p.targets
	p.lock.Unlock()
	for _, target := range targets {
		backend, err := net.Dial("tcp", target)
		if err != nil {
			continue
		}
		var ways sync.WaitGroup
		ways.Go(func() { p.copy(backend, connection, false) })
		ways.Go(func() { p.copy(connection, backend, true) })
		ways.Wait()
		return
	}
}

// copy copies one way until a side ends, which ends both.
func (p *proxy) copy(to, from net.Conn, answer bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.pass(answer)
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil { // io.EOF, or what the other way closed
			return
		}
	}
}
