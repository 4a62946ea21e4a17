package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/test/cluster"
	"github.com/mollyguard/mollyguard/test/server"
)

const (
	// racers delete at once, raced objects, of which the grant is good for one.
	racers = 200
	raced  = 50
)

// rounds is how often they race: a few times with every test run, and as often as
// MOLLYGUARD_ROUNDS says (make race-grants: 50, under the race detector).
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MOLLYGUARD_ROUNDS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MOLLYGUARD_ROUNDS: %v", err)
	}
	return n
}

// TestOfManyWhoRaceForOneUseOneGetsIt has three servers with a webhook
// configuration each: the API server asks all of them about each request, at the
// same time, so that every request also races against itself.
func TestOfManyWhoRaceForOneUseOneGetsIt(t *testing.T) {
	// A late answer is a refusal: with all of this on two cores, answers are late.
	w := newBreakGlassWorld(t, func(o *server.Options) { o.TimeoutSeconds = 30 })
	for i := range 2 {
		opts := w.opts
		opts.Dir = t.TempDir() // keys.json stays the first one's
		opts.WebhookName = fmt.Sprintf("mollyguard-%d", i+2)
		replica, err := server.Start(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { replica.Kill() })
	}
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: race}\n")
	alice := *w.alice
	alice.QPS = -1
	clients, err := kubernetes.NewForConfig(&alice)
	if err != nil {
		t.Fatal(err)
	}
	for round := range rounds(t) {
		w.raceOnce(t, clients, round)
	}
}

func (w *breakGlassWorld) raceOnce(t *testing.T, clients *kubernetes.Clientset, round int) {
	t.Helper()
	args := []string{"delete", "--objects", "1"}
	names := make([]string, raced)
	for i := range names {
		names[i] = fmt.Sprintf("r%d-%d", round, i)
		_, err := w.clients.CoreV1().ConfigMaps("race").Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: names[i], Labels: map[string]string{"env": "production", "round": strconv.Itoa(round)}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "k8s://prod-eu/core/configmaps/race/"+names[i])
	}
	// The server runs as the administrator here, so that these may be removed.
	w.kubectlAdmin(t, "delete", "breakglassrequests,breakglassverdicts,grants,breakglassuses", "--all")
	w.approve(t, w.request(t, args...))
	errs := make([]error, racers)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(racers)
	for i := range racers {
		done.Go(func() {
			ready.Done()
			<-start
			errs[i] = clients.CoreV1().ConfigMaps("race").Delete(t.Context(), names[i%raced], metav1.DeleteOptions{})
		})
	}
	ready.Wait()
	close(start)
	done.Wait()

	left, err := w.clients.CoreV1().ConfigMaps("race").List(t.Context(), metav1.ListOptions{LabelSelector: fmt.Sprintf("round=%d", round)})
	if err != nil {
		t.Fatal(err)
	}
	if gone := raced - len(left.Items); gone != 1 {
		t.Errorf("round %d: %d objects gone", round, gone)
	}
	deleted := 0
	for i, err := range errs {
		switch {
		case err == nil:
			deleted++
		case apierrors.IsForbidden(err):
		case apierrors.IsNotFound(err) || apierrors.IsConflict(err): // another deleted this very object first
		default:
			t.Errorf("round %d: delete of %s: %v", round, names[i%raced], err)
		}
	}
	if deleted != 1 {
		t.Errorf("round %d: %d calls succeeded", round, deleted)
	}
}

func TestAReplicaThatDiesBetweenUseAndAnswerCostsOneRetry(t *testing.T) {
	t.Parallel()
	service, log := newProxy(t), newPipe(t)
	var first server.Options
	w := newBreakGlassWorld(t, func(o *server.Options) {
		o.URL, o.Certificates, o.DecisionLog = "https://"+service.address(), filepath.Join(t.TempDir(), "certificates"), log.path
		service.add(reserve(t, o.Dir))
		first = *o
	})
	second := first
	second.Dir, second.DecisionLog, second.Config = t.TempDir(), "", w.opts.Config
	service.add(reserve(t, second.Dir))
	w.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: crash}\n")
	for _, name := range []string{"a", "b"} {
		w.apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: crash, labels: {env: production}}\n")
	}
	w.approve(t, w.request(t, "delete", "--objects", "1", "k8s://prod-eu/core/configmaps/crash/a", "k8s://prod-eu/core/configmaps/crash/b"))

	// The first replica hangs at its record: the use is taken, the answer is not given.
	log.clog(t)
	answered := make(chan cluster.KubectlResult, 1)
	go func() {
		result, err := w.Kubectl(t.Context(), w.alice, "-n", "crash", "delete", "configmap", "a")
		if err != nil {
			result.Stderr = err.Error()
		}
		answered <- result
	}()
	w.eventually(t, "the use", func() error {
		if uses := w.kubectlAdmin(t, "get", "breakglassuses", "-o", "name"); uses == "" {
			return errors.New("there is none")
		}
		return nil
	})
	w.server.Kill()
	if got := <-answered; got.ExitCode == 0 {
		t.Fatalf("the replica answered: %s", got.Stdout)
	}

	replica, err := server.Start(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { replica.Kill() })
	w.server = replica
	w.eventually(t, "the second replica to answer", func() error {
		got := w.kubectl(t, "-n", "crash", "delete", "configmap", "a", "--dry-run=server")
		if got.ExitCode != 0 {
			return errors.New(got.Stderr)
		}
		return nil
	})
	if got := w.kubectl(t, "-n", "crash", "delete", "configmap", "a"); got.ExitCode != 0 {
		t.Errorf("tried again: %s", got.Stderr)
	}
	got := w.kubectl(t, "-n", "crash", "delete", "configmap", "b")
	if got.ExitCode == 0 {
		t.Error("a second object went through")
	}
	says(t, got.Stderr, "used up")
}

// reserve chooses where the server of a folder will listen.
func reserve(t *testing.T, dir string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := errors.Join(listener.Close(), os.WriteFile(filepath.Join(dir, "admission.address"), []byte(address), 0o600)); err != nil {
		t.Fatal(err)
	}
	return address
}
