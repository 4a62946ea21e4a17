// Package server runs the real mollyguard binary beside a test cluster: for
// end-to-end tests and for the demo on a cluster. It listens on 127.0.0.1 only.
package server

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// startTimeout is how long a server may take until it is ready; it takes about a
// second.
const startTimeout = 30 * time.Second

// Options says how a server runs. Binary and Dir are required.
type Options struct {
	// Binary is the path of mollyguard; see Build.
	Binary string
	// Kubeconfig is the path of the file for the cluster; empty means that there is
	// none.
	Kubeconfig string
	// Dir is an existing folder for certificates, configuration and logs. A
	// server that is started again in the same folder has the same certificates
	// and the same address.
	Dir string
	// WebhookName is the name of the webhook configuration; empty means mollyguard.
	WebhookName string
	// TimeoutSeconds is how long the API server waits for an answer; zero means 5.
	TimeoutSeconds int
	// URL is where the API server finds the server; empty means where it listens.
	URL string
	// Certificates is the folder of the certificate authority, which replicas
	// share; empty means one in Dir.
	Certificates string
	// DecisionLog is the file of decisions; empty means one in Dir.
	DecisionLog string
	// Kubernetes is YAML that is added to the configuration's kubernetes, indented by
	// two; Config is added at the end of the file.
	Kubernetes, Config string
	// Args are added to the command line.
	Args []string
	// ReadyBut names a check of /readyz that need not pass.
	ReadyBut string
}

// Server is a running mollyguard.
type Server struct {
	opts              Options
	admission, status string
	command           *exec.Cmd
	talk              *tail

	ended chan struct{} // closed when the process has ended
	err   error         // how, once ended is closed
}

// BinaryVariable is the environment variable that names a mollyguard to use instead of
// building one: `make test` builds one for all packages, and releases can be compared.
const BinaryVariable = "MOLLYGUARD_BINARY"

// Build compiles mollyguard into dir and returns the binary's path, or that of the one
// that BinaryVariable names.
func Build(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		path, err := filepath.Abs(path)
		if err == nil {
			// What go test remembers of a run is then about this very file.
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", BinaryVariable, err)
		}
		return path, nil
	}
	binary := filepath.Join(dir, "mollyguard")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/mollyguard/mollyguard/cmd/mollyguard")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mollyguard: %w\n%s", err, output)
	}
	return binary, nil
}

// Start starts a server and returns when it calls itself ready and has applied
// its webhook configuration.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s := &Server{opts: opts, talk: &tail{}}
	var err error
	if s.admission, err = address(opts.Dir, "admission"); err != nil {
		return nil, err
	}
	if s.status, err = address(opts.Dir, "status"); err != nil {
		return nil, err
	}
	path := filepath.Join(opts.Dir, "config.yaml")
	if err := os.WriteFile(path, []byte(s.config()), 0o600); err != nil {
		return nil, err
	}
	if err := s.run(path); err != nil {
		return nil, err
	}
	if err := s.waitReady(ctx); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// address chooses a free port, once for a folder.
func address(dir, name string) (string, error) {
	path := filepath.Join(dir, name+".address")
	if known, err := os.ReadFile(path); err == nil {
		return string(known), nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	chosen := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", err
	}
	return chosen, os.WriteFile(path, []byte(chosen), 0o600)
}

func (s *Server) config() string {
	return fmt.Sprintf(`apiVersion: config.mollyguard.dev/v1alpha1
kind: Configuration
cluster: prod-eu
kubernetes:
  webhook:
    name: %s
    timeoutSeconds: %d
    url: %s
%sserver:
  address: %s
  statusAddress: %s
  shutdownDelay: 0s
certificates:
  directory: %s
decisionLog:
  path: %s
%s`, cmp.Or(s.opts.WebhookName, "mollyguard"), cmp.Or(s.opts.TimeoutSeconds, 5), cmp.Or(s.opts.URL, "https://"+s.admission), s.opts.Kubernetes, s.admission, s.status,
		cmp.Or(s.opts.Certificates, filepath.Join(s.opts.Dir, "certificates")), s.decisionLog(), s.opts.Config)
}

func (s *Server) decisionLog() string {
	return cmp.Or(s.opts.DecisionLog, filepath.Join(s.opts.Dir, "decisions.jsonl"))
}

// Admission is where the server listens for the API server.
func (s *Server) Admission() string { return s.admission }

func (s *Server) run(config string) error {
	args := append([]string{"serve", "--config", config}, s.opts.Args...)
	if s.opts.Kubeconfig != "" {
		args = append(args, "--kubeconfig", s.opts.Kubeconfig)
	} else {
		args = append(args, "--no-cluster")
	}
	s.command = exec.Command(s.opts.Binary, args...)
	s.command.Stdout, s.command.Stderr = s.talk, s.talk
	DieWithParent(s.command)
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("start mollyguard: %w", err)
	}
	s.ended = make(chan struct{})
	go func() {
		s.err = s.command.Wait()
		close(s.ended)
	}()
	return nil
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var last error
	for {
		if last = s.ready(ctx); last == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("mollyguard ended: %w\n%s", s.err, s.talk)
		case <-ctx.Done():
			return fmt.Errorf("mollyguard is not ready: %w\n%s", last, s.talk)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ready asks /readyz, and whether the server has looked at the webhook
// configuration: it has put it right, or found it so.
func (s *Server) ready(ctx context.Context) error {
	if text, err := s.get(ctx, "/readyz"); err != nil && (s.opts.ReadyBut == "" || failing(text) != s.opts.ReadyBut) {
		return fmt.Errorf("%w: %s", err, text)
	}
	if s.opts.Kubeconfig == "" {
		return nil
	}
	count, err := s.Metric(ctx, `mollyguard_webhook_configuration_checks_total{result="success"}`)
	if err == nil && count == 0 {
		err = errors.New("the webhook configuration has not been applied")
	}
	return err
}

// failing lists the checks that /readyz says do not pass.
func failing(readyz string) string {
	var list []string
	for line := range strings.Lines(readyz) {
		if rest, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ := strings.Cut(rest, ":")
			list = append(list, strings.TrimSpace(name))
		}
	}
	return strings.Join(list, ",")
}

// Readyz returns what /readyz says, and an error if it is not 200.
func (s *Server) Readyz(ctx context.Context) (string, error) { return s.get(ctx, "/readyz") }

// Metrics returns what /metrics says.
func (s *Server) Metrics(ctx context.Context) (string, error) { return s.get(ctx, "/metrics") }

// Metric returns the value of one series, NAME{LABELS}, or the sum of all series
// of a metric, NAME.
func (s *Server) Metric(ctx context.Context, name string) (float64, error) {
	text, err := s.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(text) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if metric, _, _ := strings.Cut(series, "{"); !ok || metric != name && series != name {
			continue
		}
		var number float64
		if _, err := fmt.Sscan(value, &number); err != nil {
			return 0, fmt.Errorf("metric %s: %w", line, err)
		}
		sum += number
	}
	return sum, nil
}

func (s *Server) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.status+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return string(body), fmt.Errorf("%s: %s", path, response.Status)
	}
	return string(body), nil
}

// Decisions returns the decision log.
func (s *Server) Decisions() ([]operation.Decision, error) {
	file, err := os.Open(s.decisionLog())
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	var list []operation.Decision
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Event string `json:"event"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err == nil && event.Event != "" {
			continue // a step of break glass
		}
		var d operation.Decision
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			return nil, fmt.Errorf("decision log: %w", err)
		}
		list = append(list, d)
	}
	return list, lines.Err()
}

// Log returns what the server has said.
func (s *Server) Log() string { return s.talk.String() }

// Stop ends the server as Kubernetes does, and returns how it ended.
func (s *Server) Stop() error {
	if err := s.command.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return s.err
	case <-time.After(startTimeout):
		s.Kill()
		return fmt.Errorf("mollyguard did not stop within %v\n%s", startTimeout, s.talk)
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	_ = s.command.Process.Kill() // it may have ended already
	<-s.ended
}

// Process is the server's process, for signals.
func (s *Server) Process() *os.Process { return s.command.Process }

// tail keeps the end of what a process says.
type tail struct {
	lock sync.Mutex
	data []byte
}

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.data = append(t.data, p...)
	if over := len(t.data) - tailSize; over > 0 {
		t.data = bytes.Clone(t.data[over:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return string(t.data)
}
