// Package watch_test runs the real watcher against fakes of Google's services that
// speak the real protocols on real sockets, kills it, and counts what people are told.
package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
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

// world is somewhere to run watchers: a receiver of alerts, a folder, and a Pub/Sub if
// the test asks for one.
type world struct {
	*testing.T
	receiver *receiver
	folder   string
	binary   string
	// status is where the watcher says how it is.
	status string
	// source is what the watcher reads, as it is configured.
	source string
	pubsub *google.PubSub
}

func newWorld(t *testing.T) *world {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	// Sockets have short names, and that of a test is part of TempDir's.
	folder, err := os.MkdirTemp("", "watch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t, receiver: newReceiver(t), folder: folder, binary: path}
	w.status = w.free()
	w.write("secret", signingSecret)
	return w
}

// subscribe starts a Pub/Sub, and returns the source that reads it.
func (w *world) subscribe() (source string) {
	w.Helper()
	var err error
	if w.pubsub, err = google.StartPubSub(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(w.pubsub.Close)
	// Its clock stands still: the fake forgets what is ten minutes old and has no lease,
	// and with many kills much is. Leases end by expire.
	began := now()
	w.pubsub.Fake.SetTimeNowFunc(func() time.Time { return began })
	if err := w.pubsub.Subscribe(w.Context(), project, topic, subscription, nil); err != nil {
		w.Fatal(err)
	}
	return fmt.Sprintf("pubSub: {project: %s, subscription: %s, endpoint: %q}", project, subscription, w.pubsub.Endpoint())
}

// configure writes the configuration of a watcher: with a source, and settings that
// come after those of everybody. audit is what else there is below audit.
func (w *world) configure(source, audit, more string) {
	w.Helper()
	w.source = source
	w.write("config.yaml", fmt.Sprintf(`
apiVersion: config.mollyguard.dev/v1alpha1
kind: Configuration
cluster: watch
production: {projects: [prod-.*], never: {projects: [dev-.*]}}
server: {statusAddress: %[1]q, shutdownDelay: 0s}
decisionLog: {path: %[2]s/decisions.jsonl}
ledger: {path: %[2]s/ledger.db}
alerts:
  updateInterval: 1s
  sinks:
  - name: people
    http: {url: %[3]q, secretFiles: [%[2]s/secret]}
audit:
  sources:
  - %[4]s
%[5]s%[6]s
`, w.status, w.folder, w.receiver.url, source, audit, more))
}

// noGrants is for a watcher that keeps no cases.
const noGrants = "breakGlass: {store: none}\n"

func (w *world) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.folder, name))
	if err != nil {
		w.Fatal(err)
	}
	return string(data)
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

// expire ends all leases: what was handed to a watcher that was killed comes again.
func (w *world) expire() {
	w.Helper()
	var leases []string
	for _, m := range w.pubsub.Fake.Messages() {
		if m.Deliveries > 0 && m.Acks == 0 {
			leases = append(leases, fmt.Sprintf("%s:%d", m.ID, m.Deliveries)) // as the fake makes its ack ids
		}
	}
	if _, err := w.pubsub.Fake.GServer.ModifyAckDeadline(w.Context(), &pubsubpb.ModifyAckDeadlineRequest{
		Subscription: "projects/" + project + "/subscriptions/" + subscription, AckIds: leases,
	}); err != nil {
		w.Error(err)
	}
}

// patience is how long something may take that comes about by itself.
const patience = 30 * time.Second

// within waits for something that comes about by itself, and reports whether it did in
// time.
func (w *world) within(limit time.Duration, is func() bool) bool {
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

// until is within for what has to be.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	if !w.within(patience, is) {
		var told []string
		newest, _ := w.receiver.alerts()
		for _, a := range newest {
			told = append(told, fmt.Sprintf("%s %s %s: %s %q", a.ID, a.Status, a.Kind, a.Title, a.Text))
		}
		w.Fatalf("after %v still not: %s; people were told\n%s", patience, what, strings.Join(told, "\n"))
	}
}

// alertOn waits until people are told of a target, and returns the newest of the alert
// and what it says of it.
func (w *world) alertOn(ref string) (a alert.Alert, o alert.Operation) {
	w.Helper()
	w.until("told of "+ref, func() (is bool) {
		a, o, is = w.on(ref)
		return is
	})
	return a, o
}

// on is what people were told of a target, if they were.
func (w *world) on(ref string) (alert.Alert, alert.Operation, bool) {
	newest, _ := w.receiver.alerts()
	for _, a := range newest {
		for _, o := range a.Operations {
			if o.Target.Ref == ref {
				return a, o, true
			}
		}
	}
	return alert.Alert{}, alert.Operation{}, false
}

// decisionOn waits until the decision log has a decision on a target.
func (w *world) decisionOn(ref string) (d operation.Decision) {
	w.Helper()
	w.until("decided on "+ref, func() bool {
		for _, one := range w.decisions() {
			if one.Target.Ref == ref {
				d = one
				return true
			}
		}
		return false
	})
	return d
}

// decisions are the lines of the decision log. A kill may cut one short.
func (w *world) decisions() []operation.Decision {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.folder, "decisions.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Fatal(err)
	}
	var list []operation.Decision
	for line := range strings.Lines(string(data)) {
		var d operation.Decision
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
	w.pubsub.Publish(project, topic, data, now())
}

var _ http.Handler = (*receiver)(nil)

// blind waits for an alert about what cannot be seen, by words in its text.
func (w *world) blind(words string, is alert.Status) (found alert.Alert) {
	w.Helper()
	w.until(string(is)+": "+words, func() bool {
		newest, _ := w.receiver.alerts()
		for _, a := range newest {
			if a.Kind == alert.Blind && a.Status == is && strings.Contains(strings.Join(a.Text, "\n"), words) {
				found = a
				return true
			}
		}
		return false
	})
	return found
}
