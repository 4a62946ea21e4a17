package e2e

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// proxy hands connections to the first of its targets that takes them, as a
// Service does with replicas.
type proxy struct {
	listener net.Listener
	lock     sync.Mutex
	targets  []string
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener}
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
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// add adds a target after those that are there.
func (p *proxy) add(target string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.targets = append(p.targets, target)
}

func (p *proxy) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	p.lock.Lock()
	targets := p.targets
	p.lock.Unlock()
	for _, target := range targets {
		backend, err := net.Dial("tcp", target)
		if err != nil {
			continue
		}
		defer func() { _ = backend.Close() }()
		ended := make(chan struct{}, 2)
		for _, way := range [][2]net.Conn{{connection, backend}, {backend, connection}} {
			go func() {
				// Whichever side ends first ends both.
				_, _ = io.Copy(way[0], way[1])
				ended <- struct{}{}
			}()
		}
		<-ended
		return
	}
}

// pipe is a named pipe that is read until it is stopped.
type pipe struct {
	path   string
	reader *os.File
	stop   chan struct{}
	ended  chan struct{}
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	p := &pipe{path: filepath.Join(t.TempDir(), "pipe"), stop: make(chan struct{}), ended: make(chan struct{})}
	if err := syscall.Mkfifo(p.path, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	// For writing as well, so that it is never at its end.
	if p.reader, err = os.OpenFile(p.path, os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		buffer := make([]byte, 64<<10)
		for {
			if _, err := p.reader.Read(buffer); err != nil {
				return // closed, or told to stop
			}
		}
	}()
	t.Cleanup(func() { _ = p.reader.Close() })
	return p
}

// clog stops reading and fills the pipe, so that the next write to it hangs.
func (p *pipe) clog(t *testing.T) {
	t.Helper()
	if err := p.reader.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	file, err := os.OpenFile(p.path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	// By the system call: os would wait until there is room.
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, 4<<10)
	var full error
	if err := raw.Write(func(fd uintptr) bool {
		for full == nil {
			_, full = syscall.Write(int(fd), junk)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(full, syscall.EAGAIN) {
		t.Fatal(full)
	}
}
