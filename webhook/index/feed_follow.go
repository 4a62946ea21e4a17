package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/mollyguard/mollyguard/pause"
)

// follower keeps one kind in the sink: it lists and watches by way of a reflector, which
// knows when to do which, and says how far that has come.
//
// It is Synced from the end of a complete list until it could not be watched for
// maxStale; then it is listed anew.
type follower struct {
	feed  *Feed
	kind  servedKind
	log   *slog.Logger
	reads distiller

	// listing is held as long as a list may write to the sink.
	listing sync.Mutex

	mu sync.Mutex
	// state is what the sink was told last.
	state State
	// problem is how the last attempt to list or to watch ended; Synced if well.
	problem State
	// watched says that a watch is under way, and outage counts when one began or ended,
	// so that a timer knows whether it is of the present interruption.
	watched bool
	outage  int
	ended   bool
}

func (f *Feed) newFollower(k servedKind) *follower {
	reads, _ := distillerOf(k.GroupResource())
	pending := State{Phase: Pending, Namespaced: k.Namespaced}
	return &follower{
		feed: f, kind: k, reads: reads, log: f.log.With("resource", k.GroupResource().String()),
		state: pending, problem: pending,
	}
}

// run follows until ctx ends. Once it has returned, the follower writes no more.
func (f *follower) run(ctx context.Context) {
	reflector := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(
		&cache.ListWatch{ListWithContextFunc: f.list, WatchFuncWithContext: f.watch}, f,
	), &sighting{}, (*reflected)(f), cache.ReflectorOptions{Name: f.kind.GroupResource().String()})
	for failures := 0; ctx.Err() == nil; {
		if err := f.listAndWatch(ctx, reflector); err != nil || !f.synced() {
			failures++
		} else {
			failures = 0
		}
		if pause.For(ctx, f.pauses().After(failures+1)) != nil {
			break
		}
	}
	f.listing.Lock() // the reflector leaves a list that is under way to itself
	defer f.listing.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
}

func (f *follower) listAndWatch(ctx context.Context, reflector *cache.Reflector) (err error) {
	defer f.recovered(ctx, &err)
	return reflector.ListAndWatchWithContext(ctx)
}

// recovered turns a panic into an error, which makes the kind Unserved: the process
// lives on.
func (f *follower) recovered(ctx context.Context, err *error) {
	if problem := recover(); problem != nil {
		f.log.Error("a kind made the feed panic: this is a bug, please report it", "panic", problem, "stack", string(debug.Stack()))
		*err = fmt.Errorf("the feed panicked: %v", problem)
		f.failed(ctx, *err)
	}
}

// IsWatchListSemanticsUnSupported tells the reflector to list and then watch: a list is
// read in pages here, while a reflector that streams one by a watch holds all of it
// until its end.
func (*follower) IsWatchListSemanticsUnSupported() bool { return true }

// list reads the whole kind into the sink. It always reads the newest state, whatever
// the options say: a page of an older one may be older than what was seen already. The
// list that it returns has no items; its version is where to begin a watch.
func (f *follower) list(ctx context.Context, _ metav1.ListOptions) (_ runtime.Object, err error) {
	f.listing.Lock()
	defer f.listing.Unlock()
	defer f.recovered(ctx, &err)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sweep := f.feed.sink.Begin(f.kind.GroupResource())
	version, err := f.feed.client.list(ctx, f.kind, func(data []byte) error {
		d, err := f.distill(data)
		if err == nil {
			f.put(d.object)
		}
		return err
	})
	if err != nil {
		f.failed(ctx, err)
		return nil, err
	}
	f.feed.sink.End(sweep)
	f.listed()
	return &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: version}}, nil
}

var errStale = errors.New("what was read is too old to go on from")

// watch begins a watch for the reflector.
func (f *follower) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if !f.synced() {
		return nil, errStale // the reflector begins with a list again
	}
	listening, cancel := context.WithCancelCause(ctx)
	silence := listenFor(cancel)
	body, err := f.feed.client.watch(listening, f.kind, options)
	if err != nil {
		silence.end()
		f.failed(ctx, err)
		cancel(nil)
		return nil, err
	}
	f.watching()
	return watch.NewStreamWatcher(&events{
		ctx: listening, in: newValues(body), silence: silence, follower: f,
		body: &closing{ReadCloser: body, ended: func() { cancel(nil) }},
	}, reporter), nil
}

// distill reads an object. What could not be understood of it is said in the log.
func (f *follower) distill(data []byte) (distilled, error) {
	d, err := f.reads(data)
	if err != nil {
		return distilled{}, err
	}
	d.object.Resource, d.object.Kind = f.kind.GroupResource(), f.kind.Name
	if d.doubt != nil {
		f.log.Warn("an object can't be understood", "namespace", d.object.Namespace, "name", d.object.Name, "error", d.doubt)
	}
	return d, nil
}

// put puts an object in, and has discovery look if it says what kinds there are.
func (f *follower) put(o Object) {
	f.feed.sink.Put(o)
	f.mayChangeKinds()
}

func (f *follower) mayChangeKinds() {
	switch f.kind.GroupResource() {
	case definitions, apiServices:
		f.feed.look()
	}
}

// pauses are how long to wait before the next attempt. Rights, and what a server can do,
// are changed by people.
func (f *follower) pauses() *pause.Backoff {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.problem.Phase == Forbidden {
		return f.feed.patient
	}
	return f.feed.impatient
}

// missing reports whether a server says that it has no such kind, or no watch of it.
func missing(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status) &&
		(status.Status().Code == http.StatusNotFound || status.Status().Code == http.StatusMethodNotAllowed)
}

// reflected is the follower as what a reflector writes events to.
type reflected follower

func (s *reflected) Add(o any) error { return s.Update(o) }

// Update implements cache.ReflectorStore.
func (s *reflected) Update(o any) error {
	(*follower)(s).put(o.(*sighting).object)
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *reflected) Delete(o any) error {
	gone := &o.(*sighting).object
	s.feed.sink.Remove(gone.Resource, gone.Namespace, gone.Name)
	(*follower)(s).mayChangeKinds()
	return nil
}

// Replace implements cache.ReflectorStore. What is in a list is in the sink already.
func (*reflected) Replace([]any, string) error { return nil }

// Resync implements cache.ReflectorStore. It is never asked for.
func (*reflected) Resync() error { return nil }

var (
	_ cache.ReflectorStore = (*reflected)(nil)
	_ watch.Decoder        = (*events)(nil)
)
