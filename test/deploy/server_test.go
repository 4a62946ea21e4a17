package deploy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// server is `mollyguard serve` as a rendered Deployment would run it, but outside
// the cluster: with a kubeconfig, on ports of 127.0.0.1 and called by a URL.
type server struct {
	url, status string
	cmd         *exec.Cmd
	stderr      output
}

// startServer starts the server and waits until it calls itself ready. It ends
// with stop, or at the latest with the test.
func startServer(t *testing.T, objects []*unstructured.Unstructured, kubeconfig string) *server {
	t.Helper()
	addresses := freeAddresses(t, 3)
	s := &server{url: "https://" + addresses[0], status: "http://" + addresses[1]}

	var file map[string]any
	if err := yaml.Unmarshal([]byte(configMap(t, objects, "mollyguard-config")[configFile]), &file); err != nil {
		t.Fatal(err)
	}
	for path, value := range map[string]any{
		"kubernetes.webhook.url": s.url,
		"server.address":         addresses[0],
		"server.statusAddress":   addresses[1],
		"api.address":            addresses[2],
		"server.shutdownDelay":   "100ms", // no Service has to notice
		// An example of the file, switched on: it guards itself.
		"production.names": []any{"mollyguard"},
	} {
		if err := unstructured.SetNestedField(file, value, strings.Split(path, ".")...); err != nil {
			t.Fatal(err)
		}
	}
	data, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, configFile), data, 0o600); err != nil {
		t.Fatal(err)
	}

	var args []string
	container := one[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.Containers[0]
	for _, arg := range container.Args {
		args = append(args, strings.Replace(arg, configFolder, folder, 1))
	}
	s.cmd = exec.Command(mollyguard(t), append(args, "--kubeconfig="+kubeconfig)...)
	s.cmd.Env = []string{"HOME=" + folder, "TMPDIR=" + folder}
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.stop(t)
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", &s.stderr)
		}
	})
	await(t, "the server to be ready", func(context.Context) (bool, error) {
		answer, err := http.Get(s.status + "/readyz")
		if err != nil {
			return false, err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return answer.StatusCode == http.StatusOK, fmt.Errorf("/readyz: %s%v", body, err)
	})
	return s
}

// stop ends the server the way a kubelet does.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	kill := time.AfterFunc(awaitTimeout, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server did not stop as it should: %v", err)
	}
}

// output is what a process writes, readable meanwhile.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// freeAddresses returns addresses that were free a moment ago. They are listened
// on together, so that they differ.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var addresses []string
	for range n {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

// awaitTimeout bounds each wait. They take seconds at most; the rest is for
// machines that are busy compiling.
const (
	awaitTimeout  = time.Minute
	awaitInterval = 20 * time.Millisecond
)

// await calls done until it says yes. The last error says why it did not.
func await(t *testing.T, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	defer cancel()
	var last error
	for {
		ok, err := done(ctx)
		if ok {
			return
		}
		if ctx.Err() == nil { // else it is about being out of time
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, awaitTimeout, last)
		case <-time.After(awaitInterval):
		}
	}
}
