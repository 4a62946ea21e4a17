package kube_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pace"
)

const paceWindow = 10 * time.Minute

// replica counts, and shares until it is stopped.
type replica struct {
	*pace.Book
	stop func()
}

func newReplica(t *testing.T, clients *fake.Clientset, pod string, log *slog.Logger) *replica {
	t.Helper()
	book, err := pace.New(pace.Options{Limit: 3, Window: paceWindow})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- kube.PaceSharing{Clients: clients, Namespace: "guards", Pod: pod, PodUID: "uid-of-the-pod", Counts: book, Log: log}.Run(ctx)
	}()
	time.Sleep(time.Second) // whether it has read the Leases is asked every 100 ms
	synctest.Wait()
	return &replica{book, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s ended with %v", pod, err)
		}
	}}
}

// deletes counts alice's deletion of a Deployment.
func (r *replica) deletes(name string) { r.Count(aliceDeletes(name)) }

// knows is how many alice's next deletion would make.
func (r *replica) knows() int { return r.Look(aliceDeletes("another")).Count }

func aliceDeletes(name string) *operation.Operation {
	return &operation.Operation{
		Verb: operation.Delete, Time: time.Now(), Actor: operation.Actor{Identity: operation.Identity{Name: "alice@example.com"}},
		Target: operation.Target{Reference: operation.Reference{Ref: "k8s://prod/apps/deployments/shop/" + name, Namespace: "shop", Name: name}},
	}
}

// writes are the changes that were asked for, as verbs.
func writes(clients *fake.Clientset) []string {
	var list []string
	for _, action := range clients.Actions() {
		if verb := action.GetVerb(); !slices.Contains([]string{"get", "list", "watch"}, verb) {
			list = append(list, verb)
		}
	}
	return list
}

func paceLease(t *testing.T, clients *fake.Clientset, pod string) *coordinationv1.Lease {
	t.Helper()
	lease, err := clients.CoordinationV1().Leases("guards").Get(t.Context(), "mollyguard-pace-"+pod, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func TestReplicasTellEachOtherWhatTheyCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := fake.NewClientset()
		a, b := newReplica(t, clients, "a", nil), newReplica(t, clients, "b", nil)
		defer a.stop()
		defer b.stop()
		if got := writes(clients); got != nil {
			t.Errorf("written before anything is counted: %v", got)
		}
		a.deletes("web")
		synctest.Wait()
		if got := b.knows(); got != 2 {
			t.Errorf("b knows of %d, with its own, at once", got)
		}
		b.deletes("db")
		b.deletes("web") // the second call of the same delete came by another connection
		time.Sleep(time.Second)
		synctest.Wait()
		if got := []int{a.knows(), b.knows()}; !slices.Equal(got, []int{3, 3}) {
			t.Errorf("they know of %v", got)
		}
		c := newReplica(t, clients, "c", nil)
		defer c.stop()
		if got := c.knows(); got != 3 {
			t.Errorf("who comes later knows of %d", got)
		}
	})
}

func TestAReplicaWritesAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := fake.NewClientset()
		a, b := newReplica(t, clients, "a", nil), newReplica(t, clients, "b", nil)
		defer a.stop()
		defer b.stop()
		for i := range 95 { // ten a second
			a.deletes(fmt.Sprint(i))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if got := len(writes(clients)); got != 10 {
			t.Errorf("%d writes in nine and a half seconds", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := len(writes(clients)); got != 11 {
			t.Errorf("%d writes when the last was told", got)
		}
		if got := b.knows(); got <= 3 {
			t.Errorf("b knows of %d, want more than the limit", got)
		}
		time.Sleep(paceWindow / 2)
		synctest.Wait()
		if got := len(writes(clients)); got != 11 {
			t.Errorf("%d writes when nothing is counted any more", got)
		}
	})
}

func TestTheLeaseIsThePodsAndIsClearedWhenTheWindowIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := fake.NewClientset()
		a := newReplica(t, clients, "a", nil)
		defer a.stop()
		a.deletes("web")
		counts := a.Export(time.Now())
		synctest.Wait()
		lease := paceLease(t, clients, "a")
		want := metav1.ObjectMeta{
			Namespace: "guards", Name: "mollyguard-pace-a",
			Labels:          map[string]string{"mollyguard.dev/pace": "true"},
			Annotations:     map[string]string{"mollyguard.dev/pace": base64.RawStdEncoding.EncodeToString(counts)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "a", UID: "uid-of-the-pod"}},
		}
		lease.ManagedFields = nil
		if diff := cmp.Diff(want, lease.ObjectMeta); diff != "" {
			t.Errorf("the lease (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(coordinationv1.LeaseSpec{HolderIdentity: new("a")}, lease.Spec); diff != "" {
			t.Errorf("its spec (-want +got):\n%s", diff)
		}
		time.Sleep(paceWindow + time.Minute)
		synctest.Wait()
		if got := paceLease(t, clients, "a").Annotations; len(got) != 0 {
			t.Errorf("annotations when the window is over: %v", got)
		}
		if got := len(writes(clients)); got != 2 {
			t.Errorf("%d writes", got)
		}
		time.Sleep(time.Hour)
		if got := len(writes(clients)); got != 2 {
			t.Errorf("%d writes an hour later", got)
		}
	})
}

func TestAReplicaThatIsStartedAgainGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := fake.NewClientset()
		a := newReplica(t, clients, "a", nil)
		a.deletes("web")
		synctest.Wait()
		a.stop()
		again := newReplica(t, clients, "a", nil)
		again.deletes("db")
		time.Sleep(time.Second)
		b := newReplica(t, clients, "b", nil)
		defer b.stop()
		if got := []int{again.knows(), b.knows()}; !slices.Equal(got, []int{3, 3}) {
			t.Errorf("they know of %v", got)
		}
		again.stop()
		// Started once more, there is nothing new to count, but something to clear.
		last := newReplica(t, clients, "a", nil)
		defer last.stop()
		time.Sleep(paceWindow + 2*time.Minute)
		synctest.Wait()
		if got := paceLease(t, clients, "a").Annotations; len(got) != 0 {
			t.Errorf("annotations when the window is over: %v", got)
		}
	})
}

func TestWhatAReplicaThatIsGoneCountedIsCountedUntilItIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := fake.NewClientset()
		a, b := newReplica(t, clients, "a", nil), newReplica(t, clients, "b", nil)
		defer b.stop()
		a.deletes("web")
		synctest.Wait()
		a.stop()
		if err := clients.CoordinationV1().Leases("guards").Delete(t.Context(), "mollyguard-pace-a", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := b.knows(); got != 2 {
			t.Errorf("b knows of %d", got)
		}
		time.Sleep(paceWindow)
		if got := b.knows(); got != 1 {
			t.Errorf("b knows of %d when the window is over", got)
		}
	})
}

// lines is a log that may be written to concurrently.
type lines struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.buffer.Write(p)
}

func (l *lines) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.buffer.String()
}

func TestWhatCannotBeToldIsLoggedAndToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := fake.NewClientset()
		var broken atomic.Bool
		broken.Store(true)
		clients.PrependReactor("patch", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			return broken.Load(), nil, errors.New("etcd is gone")
		})
		var log lines
		a, b := newReplica(t, clients, "a", slog.New(slog.NewTextHandler(&log, nil))), newReplica(t, clients, "b", nil)
		defer a.stop()
		defer b.stop()
		a.deletes("web")
		synctest.Wait()
		if want := `level=ERROR msg="counts not told to other replicas, trying again" lease=mollyguard-pace-a error="etcd is gone"`; !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, want %s", log.String(), want)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := len(writes(clients)); got < 10 || got > 30 { // every 15 to 30 s after the first
			t.Errorf("%d attempts in five minutes", got)
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := b.knows(); got != 2 {
			t.Errorf("b knows of %d", got)
		}
	})
}

func TestALeaseThatCannotBeReadIsLoggedAndNotCounted(t *testing.T) {
	for _, tt := range []struct{ name, annotation, want string }{
		{"no base64", "%", `error="illegal base64 data at input byte 0"`},
		{"no counts", "Ag", `error="read the counts of a replica: it is written in way 2, this is way 1"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clients := fake.NewClientset(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
					Namespace: "guards", Name: "mollyguard-pace-b",
					Labels:      map[string]string{"mollyguard.dev/pace": "true"},
					Annotations: map[string]string{"mollyguard.dev/pace": tt.annotation},
				}})
				var log lines
				a := newReplica(t, clients, "a", slog.New(slog.NewTextHandler(&log, nil)))
				defer a.stop()
				if want := `msg="counts of a replica not read" lease=mollyguard-pace-b ` + tt.want; !strings.Contains(log.String(), want) {
					t.Errorf("logged %q, want %s", log.String(), want)
				}
				if got := a.knows(); got != 1 {
					t.Errorf("it knows of %d", got)
				}
			})
		})
	}
}

func TestReplicasThatMayNotWatchSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := fake.NewClientset()
		refuse := func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("forbidden") }
		clients.PrependReactor("list", "leases", refuse)
		clients.PrependWatchReactor("leases", clienttesting.DefaultWatchReactor(nil, errors.New("forbidden")))
		var log lines
		a := newReplica(t, clients, "a", slog.New(slog.NewTextHandler(&log, nil)))
		defer a.stop()
		if want := `msg="counts of other replicas not watched, trying again" namespace=guards`; !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, want %s", log.String(), want)
		}
		a.deletes("web")
		synctest.Wait()
		if got := a.knows(); got != 2 {
			t.Errorf("it does not count for itself: %d", got)
		}
	})
}
