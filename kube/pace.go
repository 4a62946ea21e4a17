package kube

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycoordinationv1 "k8s.io/client-go/applyconfigurations/coordination/v1"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	coordinationinformers "k8s.io/client-go/informers/coordination/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/mollyguard/mollyguard/pause"
)

const (
	// paceLeases begins the names of the Leases by which replicas tell their counts, and
	// paceKey is their label, and the annotation that has the counts in base64.
	paceLeases = "mollyguard-pace-"
	paceKey    = "mollyguard.dev/pace"

	// paceInterval is between two writes of a replica: 1 a second, of up to 100 KiB, and
	// only while production is being destroyed.
	paceInterval = time.Second
	// paceClear is how often a Lease with counts is looked at, whether they are too old.
	paceClear = time.Minute
	// paceTimeout is for one write, which is of use for the next second only.
	paceTimeout = 5 * time.Second
	// paceLongest is between attempts to write that keep failing. What was counted is not
	// lost in between.
	paceLongest = 30 * time.Second
)

// Counts is what replicas tell each other. *pace.Book is one. It is used concurrently.
type Counts interface {
	// Changed is sent to when there is something new to export.
	Changed() <-chan struct{}
	// Export returns what was counted here, or nil if that is nothing; at most 75 KiB,
	// since all annotations of an object have 256 KiB together.
	Export(now time.Time) []byte
	// Merge counts what another replica exported, Restore what this one did.
	Merge(data []byte, now time.Time) error
	Restore(data []byte, now time.Time) error
}

// PaceSharing has replicas tell each other what they counted. Each writes to a Lease of
// its own, which the others watch; nobody needs a lock for that, and a Lease is something
// that this namespace has anyway and that ClusterRole view does not show. It holds digests,
// no names. It is for whoever knows a name to try whether it is among them.
//
// A replica writes within a second of counting something, and at most once a second, so
// that together N replicas let no more through than one would, and what N-1 of them let
// through within about a second. That is no exact bound, and neither is that of one
// replica: it looks before it judges and counts afterwards, so of the operations that are
// judged at the same moment none is counted for the others. What an actor has under way
// at once goes through on top of that. While the API server cannot be reached, or a Lease cannot
// be written, each counts for itself, and the log says so. What a replica counted is kept
// by those that were there, until it is too old, also when the replica is gone; its Lease
// is collected with its pod.
//
// It needs the verbs list, watch, create and patch on Leases of the namespace.
type PaceSharing struct {
	Clients   kubernetes.Interface
	Namespace string
	// Pod tells this replica from the others. PodUID, if not empty, has the Lease collected
	// with the pod.
	Pod    string
	PodUID types.UID
	Counts Counts
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told what could not be shared; nil discards.
	Log *slog.Logger
}

// Run shares until ctx ends, and returns nil then. An error means that it could not begin.
func (s PaceSharing) Run(ctx context.Context) error {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	informer := coordinationinformers.NewFilteredLeaseInformer(s.Clients, s.Namespace, 0, cache.Indexers{},
		func(o *metav1.ListOptions) { o.LabelSelector = paceKey })
	if err := informer.SetTransform(stripManagedFields); err != nil {
		return fmt.Errorf("watch the counts of replicas: %w", err)
	}
	if err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		s.Log.Error("counts of other replicas not watched, trying again", "namespace", s.Namespace, "error", err)
	}); err != nil {
		return fmt.Errorf("watch the counts of replicas: %w", err)
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    s.read,
		UpdateFunc: func(_, lease any) { s.read(lease) },
		// What is gone is counted until it is too old.
	})
	if err != nil {
		return fmt.Errorf("watch the counts of replicas: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		informer.RunWithContext(ctx)
	}()
	// What this replica counted before it was started again is not overwritten.
	if cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		s.write(ctx, s.standing(informer.GetStore()))
	}
	<-ended
	return nil
}

// stripManagedFields drops from a Lease what nobody here reads.
func stripManagedFields(object any) (any, error) {
	if lease, ok := object.(*coordinationv1.Lease); ok {
		lease.ManagedFields = nil
	}
	return object, nil
}

func (s PaceSharing) lease() string { return paceLeases + s.Pod }

// read takes in what a Lease says.
func (s PaceSharing) read(object any) {
	lease, ok := object.(*coordinationv1.Lease)
	if !ok || lease.Annotations[paceKey] == "" {
		return
	}
	data, err := base64.RawStdEncoding.DecodeString(lease.Annotations[paceKey])
	if err == nil {
		take := s.Counts.Merge
		if lease.Name == s.lease() {
			take = s.Counts.Restore
		}
		err = take(data, s.Now())
	}
	if err != nil {
		s.Log.Error("counts of a replica not read", "lease", lease.Name, "error", err)
	}
}

// standing reports whether there are counts in this replica's own Lease.
func (s PaceSharing) standing(store cache.Store) bool {
	object, found, err := store.GetByKey(s.Namespace + "/" + s.lease())
	lease, ok := object.(*coordinationv1.Lease)
	return err == nil && found && ok && lease.Annotations[paceKey] != ""
}

// write tells the others what is new until ctx ends. Standing says whether something was
// told before.
func (s PaceSharing) write(ctx context.Context, standing bool) {
	backoff := pause.Backoff{First: paceInterval, Longest: paceLongest, Least: 0.5, Entropy: rand.Reader}
	clearing := time.NewTicker(paceClear)
	defer clearing.Stop()
	changed := false
	for failures := 0; ctx.Err() == nil; {
		if !changed {
			select {
			case <-ctx.Done():
				return
			case <-s.Counts.Changed():
				changed = true
			case <-clearing.C:
			}
		}
		data := s.Counts.Export(s.Now())
		if data != nil && !changed || data == nil && !standing {
			changed = false
			continue
		}
		if err := s.apply(ctx, data); err != nil {
			if ctx.Err() == nil {
				s.Log.Error("counts not told to other replicas, trying again", "lease", s.lease(), "error", err)
			}
			failures++
			changed = true
			_ = pause.For(ctx, backoff.After(failures)) // the loop looks whether ctx ended
			continue
		}
		failures, changed, standing = 0, false, data != nil
		_ = pause.For(ctx, paceInterval)
	}
}

// apply makes the Lease hold data, or nothing. Server-side apply makes it if it is not
// there, and takes away what is left out.
func (s PaceSharing) apply(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, paceTimeout)
	defer cancel()
	lease := applycoordinationv1.Lease(s.lease(), s.Namespace).
		WithLabels(map[string]string{paceKey: "true"}).
		WithSpec(applycoordinationv1.LeaseSpec().WithHolderIdentity(s.Pod))
	if s.PodUID != "" {
		lease.WithOwnerReferences(applymetav1.OwnerReference().WithAPIVersion("v1").WithKind("Pod").WithName(s.Pod).WithUID(s.PodUID))
	}
	if data != nil {
		lease.WithAnnotations(map[string]string{paceKey: base64.RawStdEncoding.EncodeToString(data)})
	}
	_, err := s.Clients.CoordinationV1().Leases(s.Namespace).Apply(ctx, lease, metav1.ApplyOptions{FieldManager: "mollyguard-pace", Force: true})
	return err
}
