package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/mollyguard/mollyguard/pause"
)

// When discovery looks at the kinds.
const (
	// lookEvery is how often it looks without a reason, for what it was not told of.
	lookEvery = 5 * time.Minute
	// settle is what it waits after a change: a chart brings many definitions at once.
	settle = time.Second
	// lookAgain is when it looks a second time: the API server publishes the kinds of a
	// new definition, and asks the servers behind it, some seconds after the change.
	lookAgain = 10 * time.Second
	// lookTimeout bounds one look; client-go's own bound is 32 s.
	lookTimeout = 32 * time.Second
)

// discoverer is what the feed needs of discovery.DiscoveryClient. An error may be
// a *discovery.ErrGroupDiscoveryFailed, with what could be had beside it.
type discoverer interface {
	ServerPreferredResourcesWithContext(ctx context.Context) ([]*metav1.APIResourceList, error)
}

// servedKind is a kind of objects in the version that the API server prefers.
type servedKind struct {
	schema.GroupVersionResource
	Name       string
	Namespaced bool
	// Watched says that it can be listed and watched.
	Watched bool
}

// following is a kind that is in the sink, and the follower that keeps it there.
type following struct {
	kind   servedKind
	cancel context.CancelFunc
	done   chan struct{}
}

// stop ends the follower and returns when it can't write any more.
func (f *following) stop() {
	f.cancel()
	<-f.done
}

// followKinds starts and ends followers as kinds come and go, until ctx ends.
func (f *Feed) followKinds(ctx context.Context, g *errgroup.Group) error {
	failures, known := 0, false
	for {
		wait := lookEvery
		err := f.lookAt(ctx, g)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			wait = f.impatient.After(failures)
			f.log.Warn("the kinds of the cluster can't be listed", "error", err)
			if !known {
				f.sink.SetDiscovered(Discovery{Err: err.Error()})
			}
		default:
			failures, known = 0, true
		}
		if f.wait(ctx, wait) != nil {
			return nil
		}
	}
}

// wait waits until it is time to look at the kinds again. After a change that is soon,
// and once more a little later.
func (f *Feed) wait(ctx context.Context, longest time.Duration) error {
	if f.again {
		longest = min(longest, lookAgain)
	}
	f.again = false
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	case <-f.changed:
	}
	if err := pause.For(ctx, settle); err != nil {
		return err
	}
	select {
	case <-f.changed:
	default:
	}
	f.again = true
	return nil
}

// lookAt asks which kinds there are, and follows these. An error means that it is not
// known.
func (f *Feed) lookAt(ctx context.Context, g *errgroup.Group) error {
	asking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	lists, err := f.discoverer.ServerPreferredResourcesWithContext(asking)
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		return fmt.Errorf("list the kinds: %w", err)
	}
	kinds, err := f.kinds(lists)
	if err != nil {
		return err
	}
	unserved := map[string]string{}
	for gv, err := range failed {
		if !holdsNothing(gv.Group) {
			unserved[gv.Group] = err.Error()
		}
	}
	for resource, following := range f.followed {
		_, unknown := unserved[resource.Group]
		if _, there := kinds[resource]; !there && !unknown {
			following.stop()
			delete(f.followed, resource)
			f.sink.Forget(resource)
		}
	}
	for _, resource := range slices.SortedFunc(maps.Keys(kinds), mostNeededFirst) {
		f.follow(ctx, g, kinds[resource])
	}
	if !maps.Equal(f.unserved, unserved) {
		f.log.Warn("the groups whose server does not answer are others than before", "groups", slices.Sorted(maps.Keys(unserved)))
	}
	f.unserved = unserved
	f.sink.SetDiscovered(Discovery{Known: true, Unserved: unserved})
	return nil
}

// mostNeededFirst orders kinds so that if there are too many, those are followed that
// answers about others rest on.
func mostNeededFirst(a, b schema.GroupResource) int {
	rank := func(r schema.GroupResource) int {
		if _, facts := distillerOf(r); facts || r.Group == "" {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.String(), b.String()))
}

// follow follows a kind, if it is not followed already as what it is.
func (f *Feed) follow(ctx context.Context, g *errgroup.Group, k servedKind) {
	resource := k.GroupResource()
	if old := f.followed[resource]; old != nil {
		if old.kind == k {
			return
		}
		old.stop()
		delete(f.followed, resource)
	}
	ctx, cancel := context.WithCancel(ctx)
	following := &following{kind: k, cancel: cancel, done: make(chan struct{})}
	state := State{Phase: Pending, Namespaced: k.Namespaced}
	switch {
	case !k.Watched:
		state.Phase, state.Err = Unserved, "its objects can be deleted, but not listed and watched"
	case len(f.followed) >= maxKinds:
		state.Phase, state.Err = Unserved, fmt.Sprintf("mollyguard follows %d kinds and no more", maxKinds)
	}
	f.sink.SetState(resource, state)
	f.followed[resource] = following
	if state.Phase == Unserved {
		f.log.Warn("a kind can't be followed", "resource", resource.String(), "error", state.Err)
		close(following.done)
		return
	}
	follower := f.newFollower(k)
	g.Go(func() error {
		defer close(following.done)
		follower.run(ctx)
		return nil
	})
}

// kinds returns the kinds among what discovery found that are to be followed, and those
// that ought to be but can't. A list without namespaces is not one of a cluster.
func (f *Feed) kinds(lists []*metav1.APIResourceList) (map[schema.GroupResource]servedKind, error) {
	kinds := map[schema.GroupResource]servedKind{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("read the list of kinds: %w", err)
		}
		for _, r := range list.APIResources {
			resource := schema.GroupResource{Group: gv.Group, Resource: r.Name}
			watched := slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch")
			deleted := slices.Contains(r.Verbs, "delete") || slices.Contains(r.Verbs, "deletecollection")
			if !watched && !deleted || strings.Contains(r.Name, "/") || holdsNothing(gv.Group) || f.excluded[resource] {
				continue
			}
			kinds[resource] = servedKind{GroupVersionResource: gv.WithResource(r.Name), Name: r.Kind, Namespaced: r.Namespaced, Watched: watched}
		}
	}
	if _, ok := kinds[namespaces]; !ok {
		return nil, errors.New("read the list of kinds: there are no namespaces in it")
	}
	return kinds, nil
}
