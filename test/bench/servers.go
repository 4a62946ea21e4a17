package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/webhook"
)

// The servers, in the order of the columns.
const (
	bare       = "bare"
	noop       = "no-op"
	mollyguard = "mollyguard"
)

var serverNames = []string{bare, noop, mollyguard}

// servingMessage is what `mollyguard serve` logs when it listens.
const servingMessage = "serving"

// startTimeout is for the slowest start, which is mollyguard compiling, testing
// and proving its policies: about a second.
const startTimeout = 30 * time.Second

// server is a running process and how to call it.
type server struct {
	name    string
	command *exec.Cmd
	output  *lines
	url     string
	metrics string
	client  *http.Client
	// path is where it is called, once it listens.
	path func() (string, error)
	// afterTurn cleans up what calls leave behind.
	afterTurn func() error
}

// startAll starts the servers, mollyguard with the cluster of a kubeconfig if there is
// one. With an error it returns those that run.
func startAll(ctx context.Context, program, dir, kubeconfig string, c certificate) (map[string]*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(dir, "decisions.jsonl")
	arguments, err := mollyguardArguments(dir, log, kubeconfig, c)
	if err != nil {
		return nil, err
	}
	commands := map[string]*exec.Cmd{
		bare:       exec.Command(self, "-serve", bare, "-certificate", c.file, "-key", c.keyFile),
		noop:       exec.Command(self, "-serve", noop, "-certificate", c.file, "-key", c.keyFile),
		mollyguard: exec.Command(program, arguments...),
	}
	servers := map[string]*server{}
	for _, name := range serverNames {
		s := &server{
			name: name, command: commands[name], output: newLines(), afterTurn: func() error { return nil },
			path: func() (string, error) { return webhook.Path, nil },
		}
		if name == mollyguard {
			s.path = func() (string, error) { return trustedPath(dir) }
		}
		if err := s.start(ctx, c.pool); err != nil {
			return servers, fmt.Errorf("start %s: %w", name, err)
		}
		servers[name] = s
	}
	// The log is opened for appending: what is cut off is not missed, and a long
	// run does not fill the disk.
	servers[mollyguard].afterTurn = func() error { return os.Truncate(log, 0) }
	return servers, nil
}

func stopAll(servers map[string]*server) {
	for _, s := range servers {
		s.stop()
	}
}

// programOf is the program to measure, which it builds if there is none.
func programOf(ctx context.Context, o options, dir string) (string, error) {
	if o.mollyguard != "" {
		return o.mollyguard, nil
	}
	program := filepath.Join(dir, "mollyguard")
	return program, build(ctx, program)
}

// build builds the program. It leaves out the -trimpath of `make build`, which
// makes nothing faster and would compile every package again.
func build(ctx context.Context, to string) error {
	command := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", to, "github.com/mollyguard/mollyguard/cmd/mollyguard")
	command.Env = append(os.Environ(), "CGO_ENABLED=0") // as in the image: libc is memory too
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build mollyguard: %w\n%s", err, output)
	}
	return nil
}

// keysFile has the signing keys, and the secret of the path.
const keysFile = "keys.json"

// trustedPath is the path by which mollyguard knows the API server, so that a denial
// looks for a grant as it would in a cluster.
func trustedPath(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, keysFile))
	if err != nil {
		return "", err
	}
	var keys struct {
		CallSecret string `json:"call_secret"`
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		return "", err
	}
	return webhook.Path + "/" + keys.CallSecret, nil
}

// mollyguardArguments makes a server of a cluster, or one without that knows the
// namespace of the reviews and keeps grants in a file. All else is the default
// configuration, but that the API server is not told of the webhook.
func mollyguardArguments(dir, log, kubeconfig string, c certificate) ([]string, error) {
	configuration, err := json.Marshal(map[string]any{ // JSON is YAML
		"apiVersion":   "config.mollyguard.dev/v1alpha1",
		"kind":         "Configuration",
		"server":       map[string]any{"address": "127.0.0.1:0", "statusAddress": "127.0.0.1:0"},
		"certificates": map[string]any{"files": map[string]any{"certificate": c.file, "key": c.keyFile}},
		"decisionLog":  map[string]any{"path": log},
		"ledger":       map[string]any{"path": filepath.Join(dir, "ledger.db")},
		"breakGlass":   map[string]any{"keys": map[string]any{"file": filepath.Join(dir, keysFile)}},
		"kubernetes":   map[string]any{"webhook": map[string]any{"manage": false}},
	})
	if err != nil {
		return nil, err
	}
	configFile, objects := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "objects.json")
	const namespace = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"kubernetes.io/metadata.name":"shop"}}}`
	arguments := []string{"serve", "--config", configFile, "--objects", objects}
	if kubeconfig != "" {
		arguments = []string{"serve", "--config", configFile, "--kubeconfig", kubeconfig}
	}
	return arguments, errors.Join(
		os.WriteFile(configFile, configuration, 0o600),
		os.WriteFile(objects, []byte(namespace), 0o600))
}

func (s *server) start(ctx context.Context, pool *x509.CertPool) error {
	at, err := launch(ctx, s.command, s.output)
	if err != nil {
		return err
	}
	path, err := s.path()
	if err != nil {
		s.stop()
		return err
	}
	s.metrics = "http://" + at.StatusAddress + "/metrics"
	s.url = "https://" + at.Address + path + "?timeout=5s" // the API server says how long it waits
	s.client = &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
		},
	}
	return nil
}

func (s *server) stop() { end(s.command, s.output) }

// launch starts a process and returns when it says that it serves. With an error
// nothing runs.
func launch(ctx context.Context, command *exec.Cmd, output *lines) (serving, error) {
	command.SysProcAttr = processAttributes()
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // not a pod's: there is no cluster
		return strings.HasPrefix(v, "KUBERNETES_SERVICE_HOST=")
	})
	stderr, err := command.StderrPipe()
	if err != nil {
		return serving{}, err
	}
	if err := command.Start(); err != nil {
		return serving{}, err
	}
	go output.read(stderr)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case at := <-output.serving:
		return at, nil
	case <-output.ended:
		end(command, output)
		return serving{}, fmt.Errorf("it ended:\n%s", output.last)
	case <-ctx.Done():
		end(command, output)
		return serving{}, fmt.Errorf("not listening: %w", ctx.Err())
	}
}

// end ends a process that was launched.
func end(command *exec.Cmd, output *lines) {
	// What is killed ends with an error, and one that has ended cannot be killed.
	_ = command.Process.Kill()
	<-output.ended
	_ = command.Wait()
}

// serving is what a process says when it listens.
type serving struct {
	Msg, Address  string
	StatusAddress string `json:"status_address"`
}

// lines reads what a process logs: first where it listens, then the last line, which
// says why it ended if it does.
type lines struct {
	serving chan serving
	ended   chan struct{}
	last    []byte // to be read after ended
}

func newLines() *lines {
	return &lines{serving: make(chan serving, 1), ended: make(chan struct{})}
}

func (l *lines) read(from io.Reader) {
	defer close(l.ended)
	scanner := bufio.NewScanner(from)
	for scanner.Scan() {
		l.last = bytes.Clone(scanner.Bytes())
		var at serving
		if json.Unmarshal(l.last, &at) == nil && at.Msg == servingMessage {
			select {
			case l.serving <- at:
			default: // said once
			}
		}
	}
	// A line that is too long must not stop the process: read on.
	_, _ = io.Copy(io.Discard, from)
}

// certificate is the one serving certificate of all servers.
type certificate struct {
	file, keyFile string
	pool          *x509.CertPool
}

func newCertificate(dir string) (certificate, error) {
	c := certificate{file: filepath.Join(dir, "tls.crt"), keyFile: filepath.Join(dir, "tls.key"), pool: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return c, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return c, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.pool.AppendCertsFromPEM(text)
	return c, errors.Join(
		os.WriteFile(c.file, text, 0o600),
		os.WriteFile(c.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
}
