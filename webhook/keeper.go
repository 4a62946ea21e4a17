package webhook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/pause"
)

const (
	// resync is how often the objects are looked at without a reason: a missed watch
	// event must not leave a hole for long.
	resync = 30 * time.Second
	// firstRetry doubles up to resync: 100 ms << 9 is more than 30 s.
	firstRetry    = 100 * time.Millisecond
	maxRetryShift = 9
	// fightBurst corrections of what others did follow each other at once, then there
	// is one every fightEvery: a change is undone at once, but who fights over the
	// objects with us is not answered at the speed of the watch. Looks that find
	// nothing, and what this server itself wants anew, are not counted.
	fightBurst = 8
	fightEvery = 2 * time.Second
	// lookPause is between two looks, of some seven reads each: our own writes come
	// back by the watch, and what others write into an object may be no concern of ours.
	lookPause = 100 * time.Millisecond
	// readyPoll is how often a starting server looks whether it is ready yet; it
	// is within a second.
	readyPoll = 100 * time.Millisecond
)

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
	// kept is the list of all that was kept when all was as it should be, keptBefore
	// what was kept when this server started; nil until it has looked. fought counts
	// corrections of what others did.
	kept       string
	keptBefore map[objectKey]bool
	fought     int

	corrections, conflicts *prometheus.CounterVec
	checks                 *prometheus.CounterVec
	fallback               prometheus.Gauge
}

// Desired are the objects that should be there, and those that should not.
type Desired struct {
	// Groups are lists of objects: within one, an object is written only once those
	// before it are as they should be. A failure in one does not hold up the others.
	Groups [][]client.Object
	// Fallback is kept instead of the first group for as long as this server has no
	// right to keep the first object of that: its image may be newer than its roles.
	Fallback []client.Object
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
	// Upgrade says that nobody need have done anything: this server had not seen the
	// object before, and no server had kept it, or what was found is what one wrote.
	Upgrade bool
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
			Help: "Times these objects were looked at, by result (success: they are as they should be, conflict: another server keeps some of them, error: that is not known).",
		}, []string{"result"}),
		fallback: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mollyguard_webhook_configuration_fallback",
			Help: "1 if the server may not keep the mutating webhook configuration, and has deletions asked about by the validating one.",
		}),
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.now == nil {
		k.now = time.Now
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(k.corrections, k.conflicts, k.checks, k.fallback)
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
	limit := rate.NewLimiter(rate.Every(fightEvery), fightBurst)
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
		fought := k.fought
		err := k.Reconcile(ctx)
		if ctx.Err() != nil {
			return nil
		}
		k.checks.WithLabelValues(resultOf(err)).Inc()
		switch {
		case err == nil, errors.Is(err, errAnothers):
			failures, wait = 0, resync
		default:
			wait = min(firstRetry<<failures, resync)
			failures = min(failures+1, maxRetryShift)
			k.log.Error("webhook configuration not put right, trying again", "error", err, "wait", wait)
		}
		if err != nil || k.fought != fought {
			err = limit.Wait(ctx)
		} else {
			err = pause.For(ctx, lookPause)
		}
		if err != nil {
			return nil // ctx has ended
		}
	}
}

// resultOf is the label of what Reconcile returned.
func resultOf(err error) string {
	switch {
	case err == nil:
		return "success"
	case errors.Is(err, errAnothers):
		return "conflict"
	}
	return "error"
}

// Reconcile makes all objects what they should be. If nothing else is wrong, but some
// were left to another server, the error says so. It must not be called concurrently.
func (k *Keeper) Reconcile(ctx context.Context) error {
	desired := k.desired()
	if err := k.recall(ctx, desired); err != nil {
		return err
	}
	if err := k.keepAll(ctx, desired); err != nil {
		return err
	}
	if err := k.clear(ctx, desired.Unwanted); err != nil {
		return err
	}
	if list := keptNow(desired); list != k.kept {
		// Only what was there in full may be missed later.
		k.kept = list
		return k.keepAll(ctx, k.desired())
	}
	return nil
}

// keepAll makes all objects what they should be, as far as it can.
func (k *Keeper) keepAll(ctx context.Context, desired Desired) error {
	var errs []error
	left := false
	note := func(err error) {
		switch {
		case errors.Is(err, errAnothers):
			left = true
		case err != nil:
			errs = append(errs, err)
		}
	}
	for i, group := range desired.Groups {
		kept, err := k.keepGroup(ctx, group)
		note(err)
		if i == 0 {
			note(k.fallBack(ctx, desired.Fallback, kept == 0 && apierrors.IsForbidden(err)))
		}
	}
	if left && len(errs) == 0 {
		return errAnothers
	}
	return errors.Join(errs...)
}

// keepGroup keeps the objects of a group up to one that cannot be, and says how many.
func (k *Keeper) keepGroup(ctx context.Context, group []client.Object) (kept int, err error) {
	for i, object := range group {
		if err := k.keep(ctx, object); err != nil {
			return i, err
		}
	}
	return len(group), nil
}

// fallBack keeps the fallback, if there is one and what it stands in for is refused.
func (k *Keeper) fallBack(ctx context.Context, fallback []client.Object, refused bool) error {
	if !refused || len(fallback) == 0 {
		k.fallback.Set(0)
		return nil
	}
	k.fallback.Set(1)
	k.log.Error("this server may not keep the mutating webhook configuration, so deletions are asked about by the validating one: apply the manifests")
	_, err := k.keepGroup(ctx, fallback)
	return err
}
