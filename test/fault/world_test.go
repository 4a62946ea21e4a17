// Package fault tests what holds while something fails: real replicas of the real
// binary before a real control plane, which are killed, stopped, slowed down and cut off.
//
// Three things are held in each fault. What destroys production never goes through. What
// does not concern Mollyguard is never asked about, and so never waits; what does waits
// no longer than one call may take. Afterwards all is as before, without help.
package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

const (
	// olga may do everything, as far as RBAC goes.
	olga = "olga@example.com"

	// slack is what a request may take beside the webhook's call: milliseconds on an
	// idle machine, and the rest for one that compiles. It is a bound on what hangs, and
	// measures nothing. It is less than the longest timeoutSeconds, so that a second wait
	// for an answer is noticed.
	slack = 4 * time.Second

	// recovery is how long after a fault things may take until they are as before: most
	// of it is what client-go waits between attempts, up to 30 s.
	recovery = 90 * time.Second

	// poll is how often something is looked at that is waited for.
	poll = 50 * time.Millisecond

	// shortTimeout is timeoutSeconds in most of the tests.
	shortTimeout = 2
)

// actor is somebody who asks the API server.
type actor struct {
	clients kubernetes.Interface
	objects dynamic.Interface
}

func newActor(t *testing.T, config *rest.Config) actor {
	t.Helper()
	config.WarningHandler = rest.NoWarnings{} // refusals are looked at, and nobody reads warnings
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return actor{clients, objects}
}

// world is a control plane and two replicas behind a proxy, which reach the API server
// by another one:
//
//	API server ──► hook ──► replicas ──► link ──► API server
type world struct {
	*cluster.Cluster
	hook, link  *proxy
	replicas    []*server.Server
	opts        []server.Options
	timeout     time.Duration
	admin, olga actor
}

// built is the binary, compiled once for all tests; TestMain removes it.
var (
	binaries string
	built    = sync.OnceValues(func() (string, error) { return server.Build(context.Background(), binaries) })
)

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "mollyguard-fault-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(binaries); err != nil {
		panic(err)
	}
	os.Exit(code)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	go func() { _, _ = built() }() // while the control plane starts; the error is told below
	w := &world{Cluster: cluster.ForTest(t, cluster.Options{}), hook: newProxy(t)}
	w.link = newProxy(t, strings.TrimPrefix(w.Admin().Host, "https://"))
	w.admin = newActor(t, w.Admin())
	user, err := w.User(olga, "sre")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Grant(t.Context(), olga, "cluster-admin"); err != nil {
		t.Fatal(err)
	}
	w.olga = newActor(t, user)
	w.install(t)

	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	through := w.Admin()
	through.Host = "https://" + w.link.address()
	kubeconfig, err := w.Kubeconfig(through)
	if err != nil {
		t.Fatal(err)
	}
	shared := t.TempDir()
	for range 2 {
		w.opts = append(w.opts, server.Options{
			Binary: binary, Kubeconfig: kubeconfig, Dir: t.TempDir(), URL: "https://" + w.hook.address(),
			Certificates: filepath.Join(shared, "certificates"),
			Config:       "api: {address: 127.0.0.1:0}\nbreakGlass:\n  keys: {file: " + filepath.Join(shared, "keys.json") + "}\n",
		})
	}
	w.replicas = make([]*server.Server, len(w.opts))
	t.Cleanup(w.killAll)
	return w
}

// install installs what `kubectl apply -k` would: the definitions, and the roles of
// people, without which there is neither floor nor break glass.
func (w *world) install(t *testing.T) {
	t.Helper()
	for _, manifest := range []string{"crds", "people.yaml"} {
		path, err := filepath.Abs(filepath.Join("../../deploy/base", manifest))
		if err != nil {
			t.Fatal(err)
		}
		w.kubectl(t, "apply", "-f", path)
	}
	w.apply(t, definition)
	if err := w.WaitForDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.apply(t, shop)
}

// kubectl runs kubectl as the administrator, and expects it to succeed.
func (w *world) kubectl(t *testing.T, args ...string) {
	t.Helper()
	result, err := w.Kubectl(t.Context(), w.Admin(), args...)
	if err != nil || result.ExitCode != 0 {
		t.Fatalf("kubectl %q: %v %s", args, err, result.Stderr)
	}
}

func (w *world) apply(t *testing.T, manifest string) {
	t.Helper()
	result, err := w.KubectlWith(t.Context(), cluster.KubectlOptions{Stdin: strings.NewReader(manifest)}, w.Admin(), "apply", "-f", "-")
	if err != nil || result.ExitCode != 0 {
		t.Fatalf("kubectl apply: %v %s", err, result.Stderr)
	}
}

// start starts all replicas that do not run, with a timeoutSeconds.
func (w *world) start(t *testing.T, timeoutSeconds int) {
	t.Helper()
	w.timeout = time.Duration(timeoutSeconds) * time.Second
	for i := range w.opts {
		w.opts[i].TimeoutSeconds = timeoutSeconds
		if w.replicas[i] == nil {
			w.run(t, i)
		}
	}
	w.lead(0)
}

// run starts a replica.
func (w *world) run(t *testing.T, i int) {
	t.Helper()
	replica, err := server.Start(t.Context(), w.opts[i])
	if err != nil {
		t.Fatal(err)
	}
	w.replicas[i] = replica
}

// lead has new connections go to a replica as long as it takes them.
func (w *world) lead(i int) {
	w.hook.lead(w.replicas[i].Admission(), w.replicas[1-i].Admission())
	w.hook.hangUp()
}

func (w *world) kill(i int) {
	if w.replicas[i] != nil {
		w.replicas[i].Kill()
		w.replicas[i] = nil
	}
}

func (w *world) killAll() {
	for i := range w.replicas {
		w.kill(i)
	}
}

// signal sends a signal to some replicas.
func (w *world) signal(t *testing.T, signal os.Signal, which ...int) {
	t.Helper()
	for _, i := range which {
		if err := w.replicas[i].Process().Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
}

// within returns a context for one request that may take d and the slack.
func within(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d+slack)
}

// hung says that a request took longer than it may, and not that it was refused.
func hung(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// eventually polls until fn has no error.
func eventually(t *testing.T, what string, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recovery)
	defer cancel()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v", what, err)
		case <-time.After(poll):
		}
	}
}

// each calls fn with every one of a list at the same time, and returns their errors.
func each[T any](list []T, fn func(T) error) error {
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, one := range list {
		all.Go(func() { errs[i] = fn(one) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Refusals, by who says so.
var (
	// byPolicy is the server's own word, or the floor's where that is asked first.
	byPolicy = regexp.MustCompile(`denied (the )?request: [^\n]* (is|holds|touches) production .*: [a-z-]+ refused`)
	// byNobody is the API server's, which had no answer.
	byNobody = regexp.MustCompile(`failed calling webhook`)
	// byDistrust is the same, for a reason.
	byDistrust = regexp.MustCompile(`failed calling webhook .* certificate signed by unknown authority|denied request: [^\n]* refused`)
	// byDoubt is the server's, which does not know enough.
	byDoubt = regexp.MustCompile(`denied the request: [^\n]*(unknown counts as production|could not decide)[^\n]*`)
	// byAnything also has that the server, or the floor, does not know enough.
	byAnything = regexp.MustCompile(`failed calling webhook|denied (the )?request: [^\n]* refused`)
)

// refusedBy says why an error is not the refusal that it should be.
func refusedBy(err error, want *regexp.Regexp) error {
	switch {
	case err == nil:
		return errors.New("it went through")
	case hung(err):
		return fmt.Errorf("it hangs: %w", err)
	case !want.MatchString(err.Error()):
		return fmt.Errorf("got %q, want %s", err, want)
	}
	return nil
}
