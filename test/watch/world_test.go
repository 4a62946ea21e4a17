// Package watch_test runs the real watcher against fakes of Google's services that
// speak the real protocols on real sockets, kills it, and counts what people are told.
package watch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/test/google"
	"github.com/mollyguard/mollyguard/test/server"
)

const (
	project      = "guard-1"
	topic        = "mollyguard-audit"
	subscription = "mollyguard-audit"
	// signingSecret is 24 bytes in the form of Standard Webhooks.
	signingSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
)

var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "mollyguard-watch-")
	if err != nil {
		return "", err
	}
	return server.Build(context.Background(), folder)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) // a temporary folder, and the tests are over
	}
	os.Exit(code)
}

// world is a Pub/Sub with a subscription, a receiver of alerts, and what a watcher
// needs to run between them.
type world struct {
	*testing.T
	pubsub   *google.PubSub
	receiver *receiver
	folder   string
	binary   string
	// offset is by how much Pub/Sub's clock is ahead: leases of a watcher that was
	// killed end when it jumps.
	lock   sync.Mutex
	offset time.Duration
}

func newWorld(t *testing.T, more string) *world {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	pubsub, err := google.StartPubSub()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pubsub.Close)
	w := &world{T: t, pubsub: pubsub, receiver: newReceiver(t), folder: t.TempDir(), binary: path}
	pubsub.Fake.SetTimeNowFunc(w.now)
	if err := pubsub.Subscribe(t.Context(), project, topic, subscription, nil); err != nil {
		t.Fatal(err)
	}
	w.write("secret", signingSecret)
	w.write("config.yaml", fmt.Sprintf(`
apiVersion: config.mollyguard.dev/v1alpha1
kind: Configuration
cluster: watch
production: {projects: [prod-.*], never: {projects: [dev-.*]}}
server: {statusAddress: %[1]q, shutdownDelay: 0s}
decisionLog: {path: %[2]s/decisions.jsonl}
ledger: {path: %[2]s/ledger.db}
breakGlass: {store: none}
audit:
  sources:
  - pubSub: {project: %[3]s, subscription: %[4]s, endpoint: %[5]q}
alerts:
  updateInterval: 1s
  sinks:
  - name: people
    http: {url: %[6]q, secretFiles: [%[2]s/secret]}
`, w.free(), w.folder, project, subscription, pubsub.Endpoint(), w.receiver.url)+more)
	return w
}

func (w *world) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

// free is a port that was free a moment ago.
func (w *world) free() string {
	w.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	defer func() {
		if err := listener.Close(); err != nil {
			w.Error(err)
		}
	}()
	return listener.Addr().String()
}

// now is Pub/Sub's clock.
func (w *world) now() time.Time {
	w.lock.Lock()
	defer w.lock.Unlock()
	return time.Now().Add(w.offset)
}

// expire ends all leases: what was handed to a watcher that was killed comes again.
// The fake forgets what it could not hand out for ten minutes, so this is for now and
// then.
func (w *world) expire() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.offset += 65 * time.Second
}

// watcher is a running process.
type watcher struct {
	command *exec.Cmd
	talk    bytes.Buffer
	// ended is closed when the process has ended.
	ended chan struct{}
}

// start starts a watcher, and does not wait for it.
func (w *world) start(args ...string) *watcher {
	w.Helper()
	p := &watcher{ended: make(chan struct{})}
	p.command = exec.Command(w.binary, append([]string{"audit", "watch", "--no-cluster", "--config", filepath.Join(w.folder, "config.yaml")}, args...)...)
	p.command.Stdout, p.command.Stderr = io.Discard, &p.talk
	server.DieWithParent(p.command)
	if err := p.command.Start(); err != nil {
		w.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // it is killed
	}()
	return p
}

// kill is kill -9.
func (p *watcher) kill() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

// patience waits for something that comes about by itself, and reports whether it did
// in time.
func (w *world) patience(limit time.Duration, is func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for !is() {
		select {
		case <-deadline.C:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

// until is patience for what has to be.
func (w *world) until(what string, limit time.Duration, is func() bool) {
	w.Helper()
	if !w.patience(limit, is) {
		w.Fatalf("after %v still not: %s", limit, what)
	}
}

// decisions are the lines of the decision log. A kill may cut one short.
func (w *world) decisions() []map[string]any {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.folder, "decisions.jsonl"))
	if err != nil {
		w.Fatal(err)
	}
	var list []map[string]any
	for line := range strings.Lines(string(data)) {
		var d map[string]any
		if json.Unmarshal([]byte(line), &d) == nil {
			list = append(list, d)
		}
	}
	return list
}

func (w *world) publish(entry map[string]any) {
	w.Helper()
	data, err := json.Marshal(entry)
	if err != nil {
		w.Fatal(err)
	}
	w.pubsub.Publish(project, topic, data, w.now())
}

var _ http.Handler = (*receiver)(nil)
