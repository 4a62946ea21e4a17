package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

// recordings are AdmissionReviews as a kube-apiserver sent them, and what the
// cluster held at the time; and, written by hand, an audit-log entry and a plan.
//
//go:embed demo/*.json
var recordings embed.FS

// scenes are the story, in order: what somebody types, and the review that it
// made the API server send.
var scenes = []struct{ told, typed, file string }{
	{"Alice has two tabs open, and types this into the wrong one.", "kubectl -n shop delete deployment checkout", "delete-production.json"},
	{"What is not production goes through as ever.", "kubectl -n shop delete deployment checkout-dev", "delete-dev.json"},
	{"Scaled to zero is as gone as deleted. The request carries no labels: mollyguard looks the Deployment up.", "kubectl -n shop scale deployment scaleme --replicas=0", "scale-to-zero.json"},
	{"Taking the label off first is the oldest way round a guard.", "kubectl -n shop label deployment striplabel env-", "strip-label.json"},
	{"A collection delete names no object; each one that goes is judged.", "kubectl -n shop delete configmaps --all", "delete-collection.json"},
	{"A namespace takes along all that is in it.", "kubectl delete namespace doomed", "delete-namespace.json"},
	{"The cluster's own garbage collector is never in the way of anything, nor anything in its way.", "(the garbage collector deletes an old ReplicaSet)", "garbage-collector.json"},
}

func newDemo(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Tell the story in a terminal, with a real server and recorded reviews",
		Long: `Tell the story in a terminal: start the real server on a local port, with a
certificate authority and a decision log in a temporary folder, send it reviews
that a kube-apiserver recorded, write what Google's audit log would have into a
file that it follows, check a Terraform plan, and print what people would see.

It needs no cluster and no Terraform, and leaves nothing behind.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), s) },
	}
}

// demoTimeout is ample: the demo takes a few seconds.
const demoTimeout = time.Minute

func demo(ctx context.Context, s streams) (err error) {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	folder, err := os.MkdirTemp("", "mollyguard-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	c, objects, err := demoConfig(folder)
	if err != nil {
		return err
	}
	tokens, err := demoDeskConfig(&c, folder)
	if err != nil {
		return err
	}
	if err := demoAuditConfig(&c, folder); err != nil {
		return err
	}
	told := &told{}
	listening := make(chan addresses, 1)
	stopped := make(chan error, 1)
	serverContext, stop := context.WithCancel(ctx)
	defer stop()
	var talk bytes.Buffer // shown if the server fails
	go func() {
		stopped <- serve(serverContext, streams{in: s.in, out: told, err: &talk}, c, serveOptions{objects: objects, noCluster: true, listening: listening})
	}()
	var at addresses
	select {
	case at = <-listening:
	case err := <-stopped:
		return fmt.Errorf("start the demo server: %w\n%s", err, talk.String())
	}
	caPath := filepath.Join(folder, "certificates", "ca.crt")
	desk := demoDesk{out: s.out, at: at, caPath: caPath, tokens: tokens}
	problem := tell(ctx, s.out, at, caPath)
	if problem == nil {
		problem = desk.tell(ctx)
	}
	if problem == nil {
		problem = demoAudit{demoDesk: desk, log: c.Audit.Sources[0].File.Path, told: told}.tell(ctx)
	}
	stop()
	if err := errors.Join(problem, <-stopped); err != nil {
		return fmt.Errorf("%w\n%s", err, talk.String())
	}
	if err := (demoPlan{out: s.out, folder: folder, log: c.DecisionLog.Path}).tell(ctx); err != nil {
		return err
	}
	return printRecords(s.out, c.DecisionLog.Path)
}

// tell sends the server what was recorded, scene by scene.
func tell(ctx context.Context, out io.Writer, at addresses, caPath string) error {
	if err := waitReady(ctx, at.status); err != nil {
		return err
	}
	client, err := demoClient(caPath)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "mollyguard serves on %s. Each scene is a review that a real API server sent, over TLS.\n", at.admission)
	for i, scene := range scenes {
		printScene(out, i+1, scene.told, scene.typed)
		response, err := sendReview(ctx, client, at, scene.file, func(body []byte) []byte { return body })
		if err != nil {
			return fmt.Errorf("%s: %w", scene.file, err)
		}
		fmt.Fprint(out, responseText(response))
	}
	return nil
}

// printScene says what happens, and what somebody types.
func printScene(out io.Writer, number int, told, typed string) {
	fmt.Fprintf(out, "\n%d. %s\n\n$ %s\n", number, told, typed)
}

// addresses are where a server listens.
// people is nil if nobody may ask there.
type addresses struct {
	admission, status, people net.Addr
	// callSecret ends the path by which the API server is known.
	callSecret string
}

func demoConfig(folder string) (c config.Configuration, objects string, err error) {
	data, err := recordings.ReadFile("demo/objects.json")
	if err != nil {
		return c, "", err
	}
	objects = filepath.Join(folder, "objects.json")
	if err := os.WriteFile(objects, data, 0o600); err != nil {
		return c, "", err
	}
	c = config.Default()
	c.Cluster = "prod-eu"
	c.Server = config.Server{Address: "127.0.0.1:0", StatusAddress: "127.0.0.1:0", ShutdownDelay: new(time.Duration(0))}
	c.Certificates.Directory = filepath.Join(folder, "certificates")
	c.Certificates.IPs = []string{"127.0.0.1"}
	c.DecisionLog.Path = filepath.Join(folder, "decisions.jsonl")
	return c, objects, nil
}

func waitReady(ctx context.Context, status net.Addr) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+status.String()+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			err = response.Body.Close()
			if err == nil && response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the demo server is not ready: %w", errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// demoClient trusts the server's own certificate authority, as an API server
// does by the caBundle.
func demoClient(caPath string) (*http.Client, error) {
	bundle, err := os.ReadFile(caPath)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}}, nil
}

// sendReview sends a recording, edited, the way the API server would.
func sendReview(ctx context.Context, client *http.Client, to addresses, file string, edit func([]byte) []byte) (*admissionv1.AdmissionResponse, error) {
	body, err := recordings.ReadFile("demo/" + file)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+to.admission.String()+webhook.Path+"/"+to.callSecret+"?timeout=5s", bytes.NewReader(edit(body)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, data)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(data, &review); err != nil {
		return nil, err
	}
	if review.Response == nil {
		return nil, errors.New("no response in the review")
	}
	return review.Response, nil
}

// responseText is what kubectl prints for a response.
func responseText(r *admissionv1.AdmissionResponse) string {
	var b strings.Builder
	for _, warning := range r.Warnings {
		b.WriteString("Warning: " + warning + "\n")
	}
	if r.Allowed {
		b.WriteString("(allowed)\n")
	} else {
		fmt.Fprintf(&b, "Error from server (%s): admission webhook denied the request: %s", r.Result.Reason, r.Result.Message)
	}
	return b.String()
}

func printRecords(w io.Writer, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Fprint(w, "\nThe decision log has a line for each:\n\n")
	for line := range strings.Lines(string(data)) {
		var record struct {
			operation.Decision
			Event breakglass.EventKind `json:"event"`
			Grant string               `json:"grant"`
			Text  string               `json:"text"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			return fmt.Errorf("read the decision log: %w", err)
		}
		text := summary(record.Decision)
		if record.Event != "" {
			text = strings.TrimSuffix(fmt.Sprintf("break glass: %s %s %s: %s", record.Grant, record.Event, record.Actor.Name, record.Text), ": ")
		}
		fmt.Fprintf(w, "  %s  %s\n", record.ID, text)
	}
	_, err = fmt.Fprint(w, "\nNext: mollyguard review --help judges your own recordings; README.md says how to install.\n")
	return err
}
