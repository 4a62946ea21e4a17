package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watcher is the program, watching a file and a Pub/Sub.
type watcher struct {
	command  *exec.Cmd
	output   *lines
	metrics  string
	stream   *stream
	receiver *receiver
	dir      string
	logPath  string // the file that it follows
}

// signingSecret signs alerts: 24 bytes in the form of Standard Webhooks.
const signingSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

// startWatcher starts the program with a ledger and a decision log on disk and a sink
// that takes everything. With an error nothing runs.
func startWatcher(ctx context.Context, program, dir string) (w *watcher, err error) {
	w = &watcher{dir: dir, logPath: filepath.Join(dir, "audit.jsonl"), output: newLines()}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	if w.stream, err = startStream(); err != nil {
		return w, err
	}
	if w.receiver, err = startReceiver(); err != nil {
		return w, err
	}
	config, err := w.configure()
	if err != nil {
		return w, err
	}
	command := exec.Command(program, "audit", "watch", "--no-cluster", "--config", config)
	at, err := launch(ctx, command, w.output)
	if err != nil {
		return w, fmt.Errorf("start the watcher: %w", err)
	}
	w.command, w.metrics = command, "http://"+at.StatusAddress+"/metrics"
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := w.stream.subscribed(ctx); err != nil {
		return w, fmt.Errorf("wait for the watcher to subscribe: %w", err)
	}
	return w, nil
}

// configure writes the configuration: production is told by projects.
func (w *watcher) configure() (path string, err error) {
	const subscription = "audit"
	configuration, err := json.Marshal(map[string]any{ // JSON is YAML
		"apiVersion":  "config.mollyguard.dev/v1alpha1",
		"kind":        "Configuration",
		"cluster":     "bench",
		"production":  map[string]any{"projects": []string{"prod-.*"}, "never": map[string]any{"projects": []string{"dev-.*"}}},
		"server":      map[string]any{"statusAddress": "127.0.0.1:0"},
		"decisionLog": map[string]any{"path": filepath.Join(w.dir, "watched.jsonl")},
		"ledger":      map[string]any{"path": filepath.Join(w.dir, "watcher.db")},
		"breakGlass":  map[string]any{"keys": map[string]any{"file": filepath.Join(w.dir, "watcher-keys.json")}},
		"alerts": map[string]any{"sinks": []any{map[string]any{
			"name": "people", "http": map[string]any{"url": w.receiver.url, "secretFiles": []string{filepath.Join(w.dir, "secret")}},
		}}},
		"audit": map[string]any{"sources": []any{
			map[string]any{"file": map[string]any{"path": w.logPath}},
			map[string]any{"pubSub": map[string]any{"project": "bench-1", "subscription": subscription, "endpoint": w.stream.address}},
		}},
	})
	if err != nil {
		return "", err
	}
	path = filepath.Join(w.dir, "watcher.yaml")
	return path, errors.Join(
		os.WriteFile(path, configuration, 0o600),
		os.WriteFile(filepath.Join(w.dir, "secret"), []byte(signingSecret), 0o600),
		os.WriteFile(w.logPath, nil, 0o600))
}

// whileItRuns is a context that ends with the process, and says why.
func (w *watcher) whileItRuns(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-w.output.ended:
			cancel(fmt.Errorf("the watcher ended:\n%s", w.output.last))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

func (w *watcher) stop() {
	if w.command != nil {
		end(w.command, w.output)
	}
	if w.stream != nil {
		w.stream.stop()
	}
	if w.receiver != nil {
		w.receiver.stop()
	}
}

// fromStream lets the watcher read entries from its Pub/Sub.
func (w *watcher) fromStream(ctx context.Context, _ entryKind, entries [][]byte) error {
	w.stream.publish(entries...)
	return w.stream.settled(ctx)
}

// fromFile lets the watcher read entries from its file, which it looks at each second.
func (w *watcher) fromFile(ctx context.Context, kind entryKind, entries [][]byte) error {
	// What nobody cares about is counted when it is read, the rest when it is durable.
	name, labels := "mollyguard_audit_duration_seconds_count", []string{`source="file:`}
	if kind == ignored {
		name, labels = "mollyguard_audit_entries_total", []string{`source="file:`, `care="ignored"`}
	}
	before, err := w.count(ctx, name, labels)
	if err != nil {
		return err
	}
	if err := w.replaceFile(entries); err != nil {
		return err
	}
	for {
		now, err := w.count(ctx, name, labels)
		if err != nil || now-before >= float64(len(entries)) {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond): // each look costs the watcher about 1 ms
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// replaceFile rotates the file, at once.
func (w *watcher) replaceFile(entries [][]byte) error {
	next := w.logPath + ".next"
	file, err := os.Create(next)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(file)
	for _, entry := range entries {
		_, _ = buffer.Write(entry) // Flush returns the first error
		_ = buffer.WriteByte('\n')
	}
	if err := errors.Join(buffer.Flush(), file.Close()); err != nil {
		return err
	}
	return os.Rename(next, w.logPath)
}

// count is the sum of a metric's series that have all of some texts in their labels.
func (w *watcher) count(ctx context.Context, name string, labels []string) (sum float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.metrics, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	scanner := bufio.NewScanner(response.Body)
	for scanner.Scan() {
		series, value, _ := strings.Cut(scanner.Text(), " ")
		rest, ok := strings.CutPrefix(series, name+"{")
		for _, label := range labels {
			ok = ok && strings.Contains(rest, label)
		}
		if !ok {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += number
	}
	return sum, scanner.Err()
}
