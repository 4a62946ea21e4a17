package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// resync is how often the objects are looked at without a reason: a missed watch
	// event must not leave a hole for long.
	resync = 30 * time.Second
	// firstRetry doubles up to resync: 100 ms << 9 is more than 30 s.
	firstRetry    = 100 * time.Millisecond
	maxRetryShift = 9
	// lookBurst looks at once, then one every lookEvery: a change is undone at
	// once, but who fights over the objects with us is not answered at the speed of
	// the watch.
	lookBurst = 8
	lookEvery = 2 * time.Second
	// readyPoll is how often a starting server looks whether it is ready yet; it
	// is within a second.
	readyPoll = 100 * time.Millisecond
)

// OwnerAnnotation says which server keeps an object. Two servers of the same webhook
// name would otherwise take turns in putting each other's right, and not know it.
const OwnerAnnotation = "mollyguard.dev/managed-by"

// Keeper keeps the webhook configurations and the floor as they should be: whatever
// happened to them, whole objects are re-established. Changes to webhook
// configurations and admission policies never reach a webhook, so this is the only way
// to undo them.
type Keeper struct {
	client  client.Client
	desired func() Desired
	owner   string
	tell    func(context.Context, Correction)
	now     func() time.Time
	log     *slog.Logger

	// seen are the objects as this keeper left them or found them right, turns is when
	// one with another's mark was taken over last, or first seen. Reconcile alone uses
	// them.
	seen  map[objectKey]client.Object
	turns map[objectKey]time.Time
	// cleared are those that are not wanted and not there, or not ours.
	cleared map[objectKey]bool

	corrections, conflicts *prometheus.CounterVec
	checks                 *prometheus.CounterVec
}

// Desired are the objects that should be there, and those that should not.
type Desired struct {
	// Groups are lists of objects: within one, an object is written only once those
	// before it are as they should be. A failure in one does not hold up the others.
	Groups [][]client.Object
	// Unwanted are removed once all others are there, if they are ours by their label.
	Unwanted []client.Object
}

// Correction is an object that was found changed or gone, and was put right.
type Correction struct {
	Kind, Name string
	// By is the tool that changed it last, as the API server recorded it
	// (metadata.managedFields), or ByUnknown: of a deletion, or of something that was
	// only taken away, there is no record.
	By string
	// What is what was found: CorrectedDeletion or CorrectedChange.
	What string
	// AtStart says that this server had not seen it right before: it may have been
	// nothing but an upgrade.
	AtStart bool
}

// What a Correction says.
const (
	CorrectedDeletion = "deleted"
	CorrectedChange   = "changed"
	ByUnknown         = "unknown"
)

// KeeperOptions says what a Keeper is made of. Client, Desired and Owner are required.
type KeeperOptions struct {
	// Client must know the kinds of the objects, and not cache them.
	Client client.Client
	// Desired generates the objects, with the CA bundle of the moment. An empty bundle
	// leaves what is there, for a CA injector to fill.
	Desired func() Desired
	// Owner tells this server, and its replicas, from others: where it is.
	Owner string
	// Tell is told of corrections; nil is nobody.
	Tell func(context.Context, Correction)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told of corrections; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// NewKeeper returns a Keeper.
func NewKeeper(opts KeeperOptions) *Keeper {
	k := &Keeper{client: opts.Client, desired: opts.Desired, owner: opts.Owner, tell: opts.Tell, now: opts.Now, log: opts.Log,
		seen: map[objectKey]client.Object{}, turns: map[objectKey]time.Time{}, cleared: map[objectKey]bool{},
		corrections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_webhook_configuration_corrections_total",
			Help: "Times an object that tells the API server what to ask or refuse was found changed or gone, and put right, by kind.",
		}, []string{"kind"}),
		conflicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_webhook_configuration_conflicts_total",
			Help: "Times such an object was found to be kept by another server, by kind.",
		}, []string{"kind"}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_webhook_configuration_checks_total",
			Help: "Times these objects were looked at, by result (success: they are as they should be, error: that is not known).",
		}, []string{"result"}),
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.now == nil {
		k.now = time.Now
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(k.corrections, k.conflicts, k.checks)
	}
	return k
}

// Run reconciles once ready reports true, whenever one of the triggers says that
// something may have changed, and regularly. It returns nil when ctx ends.
//
// Asking for calls that cannot be answered yet would refuse what they are about:
// hence ready.
func (k *Keeper) Run(ctx context.Context, ready func() bool, changed, bundleChanged <-chan struct{}) error {
	wait := time.Duration(0)
	failures := 0
	limit := rate.NewLimiter(rate.Every(lookEvery), lookBurst)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
		case <-bundleChanged:
		case <-timer.C:
		}
		timer.Stop()
		if !ready() {
			wait = readyPoll
			continue
		}
		if err := limit.Wait(ctx); err != nil {
			return nil // ctx has ended
		}
		if err := k.Reconcile(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			k.checks.WithLabelValues("error").Inc()
			wait = min(firstRetry<<failures, resync)
			failures = min(failures+1, maxRetryShift)
			k.log.Error("webhook configuration not put right, trying again", "error", err, "wait", wait)
			continue
		}
		k.checks.WithLabelValues("success").Inc()
		failures, wait = 0, resync
	}
}

// Reconcile makes all objects what they should be. It must not be called concurrently.
func (k *Keeper) Reconcile(ctx context.Context) error {
	desired := k.desired()
	var errs []error
	left := false
	for _, group := range desired.Groups {
		for _, object := range group {
			err := k.keep(ctx, object)
			if err == nil {
				continue
			}
			if errors.Is(err, errAnothers) {
				left = true
			} else {
				errs = append(errs, err)
			}
			break
		}
	}
	if err := errors.Join(errs...); err != nil || left {
		return err
	}
	return k.clear(ctx, desired.Unwanted)
}

// clear removes what is not wanted any more, and looks at each of it once.
func (k *Keeper) clear(ctx context.Context, unwanted []client.Object) error {
	for _, object := range unwanted {
		if k.cleared[keyOf(object)] {
			continue
		}
		if err := k.remove(ctx, object); err != nil {
			return err
		}
		k.cleared[keyOf(object)] = true
	}
	return nil
}

// remove removes an object if it is ours. A cluster whose roles are older may not let us
// look; then it cannot be ours.
func (k *Keeper) remove(ctx context.Context, object client.Object) error {
	current := blank(object)
	err := k.client.Get(ctx, client.ObjectKeyFromObject(object), current)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	case apierrors.IsForbidden(err):
		k.log.Warn("may not look whether an object of an earlier configuration is left: apply the manifests", "kind", kindOf(object), "name", object.GetName(), "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", describeObject(object), err)
	}
	owner := current.GetAnnotations()[OwnerAnnotation]
	if current.GetLabels()[managedBy] != "mollyguard" || owner != "" && owner != k.owner {
		return nil
	}
	uid := current.GetUID()
	if err := k.client.Delete(ctx, current, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove %s, which is not wanted any more: %w", describeObject(object), err)
	}
	delete(k.seen, keyOf(object))
	k.log.Info("removed what is not wanted any more", "kind", kindOf(object), "name", object.GetName())
	return nil
}
