package watch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/mollyguard/mollyguard/test/server"
)

// watcher is a running process.
type watcher struct {
	command *exec.Cmd
	talk    talk
	// ended is closed when the process has ended.
	ended chan struct{}
}

// talk is what a process says while it runs.
type talk struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (t *talk) Write(p []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.text.Write(p)
}

func (t *talk) String() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.text.String()
}

// start starts a watcher, and does not wait for it.
func (w *world) start(args ...string) *watcher {
	w.Helper()
	p := &watcher{ended: make(chan struct{})}
	p.command = exec.Command(w.binary, append([]string{"audit", "watch", "--no-cluster", "--config", w.config()}, args...)...)
	p.command.Stdout, p.command.Stderr = io.Discard, &p.talk
	server.DieWithParent(p.command)
	if err := p.command.Start(); err != nil {
		w.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // it is killed, or its talk says what was wrong
	}()
	w.Cleanup(func() {
		p.kill()
		if w.Failed() {
			w.Logf("a watcher says:\n%s", p.talk.String())
		}
	})
	return p
}

func (w *world) config() string { return filepath.Join(w.folder, "config.yaml") }

// ready waits until a watcher says that it works.
func (w *world) ready(p *watcher) *watcher {
	w.Helper()
	w.until("ready", func() bool {
		select {
		case <-p.ended:
			w.Fatalf("the watcher has ended:\n%s", p.talk.String())
		default:
		}
		response, err := http.Get("http://" + w.status + "/readyz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
	return p
}

// kill is kill -9.
func (p *watcher) kill() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

// end waits until a watcher has ended by itself, and returns how.
func (w *world) end(p *watcher) (talk string, code int) {
	w.Helper()
	w.until("ended", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	return p.talk.String(), p.command.ProcessState.ExitCode()
}

// stop ends a watcher as systemd and Kubernetes do.
func (w *world) stop(p *watcher) {
	w.Helper()
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		w.Fatal(err)
	}
	if talk, code := w.end(p); code != 0 {
		w.Errorf("a watcher that is asked to stop ends with %d:\n%s", code, talk)
	}
}

// mollyguard runs another command of the binary.
func (w *world) mollyguard(args ...string) (stdout, stderr string, code int) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, w.binary, args...)
	var out, talk bytes.Buffer
	command.Stdout, command.Stderr = &out, &talk
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		w.Fatalf("mollyguard %s: %v\n%s", strings.Join(args, " "), err, talk.String())
	}
	return out.String(), talk.String(), command.ProcessState.ExitCode()
}

// must is mollyguard for what has to work.
func (w *world) must(args ...string) (stdout string) {
	w.Helper()
	out, talk, code := w.mollyguard(args...)
	if code != 0 {
		w.Fatalf("mollyguard %s: exit %d\n%s", strings.Join(args, " "), code, talk)
	}
	return out
}

// metric is the sum of a metric's series that have a text in them.
func (w *world) metric(name, having string) (sum float64) {
	response, err := http.Get("http://" + w.status + "/metrics")
	if err != nil { // it is not there yet
		return 0
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		w.Error(err)
	}
	for line := range strings.Lines(string(text)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if metric, _, _ := strings.Cut(series, "{"); !ok || metric != name || !strings.Contains(series, having) {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			w.Error(err)
		}
		sum += number
	}
	return sum
}
