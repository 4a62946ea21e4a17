package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

const (
	// floorInterval is how often the content is looked at without a reason.
	floorInterval = 30 * time.Second
	// floorPause is between two looks: a look reads all cases, and a burst of changes is
	// one change.
	floorPause = 200 * time.Millisecond
)

// Parents says which parents hold production. Index implements it.
type Parents interface {
	// Holders returns them as they are now.
	Holders() index.Holders
	// Changed is sent to when they may have changed.
	Changed() <-chan struct{}
	// Synced says why they are not known, or nil.
	Synced() error
	// Complete says why some of them may be missing from Holders although all was read
	// that can be, or nil.
	Complete() error
}

// Cases says what break glass has granted. All of it is breakglass.Store's and Desk's.
type Cases interface {
	Cases(ctx context.Context, limit int) ([]breakglass.Case, error)
	Weigh(ctx context.Context, c breakglass.Case, severity operation.Severity, now time.Time) (breakglass.Standing, error)
}

// FloorContentOptions says where the content of a Floor comes from. Client and Name are
// required.
type FloorContentOptions struct {
	// Client reads the Floor, Name is its name.
	Client client.Client
	Name   string
	// Parents may be nil or return nil: then nothing is known of parents, and labels
	// alone say what production is.
	Parents func() Parents
	// Cases may be nil or return nil: then nothing is granted.
	Cases func() Cases
	// Interval is how often to look without a reason; nil, or zero, means each 30 s.
	Interval func() time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told of what is not as it should be; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// FloorContent is what the Floor should hold.
//
// What parents hold production is taken over once it is known; until then what was
// written last stays, so that a restart never empties it. Grants are weighed anew each
// time, and once more when the next of them ends.
type FloorContent struct {
	client   client.Client
	name     string
	parents  func() Parents
	cases    func() Cases
	interval func() time.Duration
	now      func() time.Time
	log      *slog.Logger

	mu   sync.Mutex
	spec *v1alpha1.FloorSpec // nil until it was looked at

	// remarks are what was logged last, by what it is about. Look alone uses them, and Run.
	remarks map[string]string

	entries  *prometheus.GaugeVec
	complete prometheus.Gauge
}

// NewFloorContent returns a FloorContent.
func NewFloorContent(opts FloorContentOptions) *FloorContent {
	f := &FloorContent{client: opts.Client, name: opts.Name, parents: opts.Parents, cases: opts.Cases, interval: opts.Interval, now: opts.Now, log: opts.Log, remarks: map[string]string{},
		entries: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mollyguard_floor_entries",
			Help: "What the floor should know, by list (namespaces, definitions, grants); it takes 5000, 1000 and 500.",
		}, []string{"list"}),
		complete: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mollyguard_floor_complete",
			Help: "1 if the floor knows all parents that hold production; if not, it refuses to delete any.",
		}),
	}
	if f.parents == nil {
		f.parents = func() Parents { return nil }
	}
	if f.cases == nil {
		f.cases = func() Cases { return nil }
	}
	if f.interval == nil {
		f.interval = func() time.Duration { return 0 }
	}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(f.entries, f.complete)
	}
	return f
}

// Spec returns what the Floor should hold, or nil if that has not been looked at yet.
func (f *FloorContent) Spec() *v1alpha1.FloorSpec {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spec == nil {
		return nil
	}
	return f.spec.DeepCopy()
}

// Run looks when parents or cases have changed, when a grant ends, and regularly, and
// calls changed whenever Spec returns something else. It returns nil when ctx ends.
func (f *FloorContent) Run(ctx context.Context, casesChanged <-chan struct{}, changed func()) error {
	var parentsChanged <-chan struct{}
	if parents := f.parents(); parents != nil {
		parentsChanged = parents.Changed()
	}
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-parentsChanged:
		case <-casesChanged:
		case <-timer.C:
		}
		timer.Stop()
		differs, next, err := f.Look(ctx)
		if ctx.Err() == nil {
			f.remark("trying again", err)
		}
		if differs {
			changed()
		}
		if wait = f.interval(); wait <= 0 {
			wait = floorInterval
		}
		if until := next.Sub(f.now()); !next.IsZero() && until < wait {
			wait = max(until, floorPause)
		}
		if err != nil {
			wait = floorPause * 10
		}
		rest := time.NewTimer(floorPause)
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
}

// Look brings Spec up to date, and says whether it differs and when to look again at
// the latest; zero is any time. After an error Spec holds what could be learnt: what
// could not is as it was, without the grants that have ended. It must not be called
// concurrently.
func (f *FloorContent) Look(ctx context.Context) (differs bool, next time.Time, err error) {
	before, spec := f.Spec(), f.Spec()
	if spec == nil {
		if spec, err = f.written(ctx); err != nil {
			return false, time.Time{}, err
		}
	}
	f.lookAtParents(spec)
	grants, next, err := f.granted(ctx, spec.Grants)
	f.entries.WithLabelValues("grants").Set(float64(len(grants)))
	var tooMany error
	if len(grants) > v1alpha1.MaxFloorGrants {
		tooMany = fmt.Errorf("more objects are granted than the %d that the floor takes: those that end last are left out, and refused by it", v1alpha1.MaxFloorGrants)
		grants = grants[:v1alpha1.MaxFloorGrants]
	}
	f.remark("grants", tooMany)
	spec.Grants = grants
	f.complete.Set(0)
	if spec.Complete {
		f.complete.Set(1)
	}
	f.mu.Lock()
	f.spec = spec.DeepCopy()
	f.mu.Unlock()
	return !equality.Semantic.DeepEqual(before, spec), next, err
}

// written is what the Floor holds now. Where there is none, nothing is known.
func (f *FloorContent) written(ctx context.Context) (*v1alpha1.FloorSpec, error) {
	var there v1alpha1.Floor
	err := f.client.Get(ctx, client.ObjectKey{Name: f.name}, &there)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read what the floor knows: %w", err)
	}
	return &there.Spec, nil
}

// lookAtParents takes over which parents hold production, once that is known. While
// some of the kinds cannot be read, what was known before counts beside it.
func (f *FloorContent) lookAtParents(spec *v1alpha1.FloorSpec) {
	parents := f.parents()
	if parents == nil {
		spec.Complete, spec.Namespaces, spec.Definitions = true, nil, nil
		return
	}
	if parents.Synced() != nil {
		return // the index says so itself; Changed comes when it is
	}
	holders := parents.Holders()
	unread := parents.Complete()
	if unread != nil {
		holders.Namespaces, holders.Definitions = union(holders.Namespaces, spec.Namespaces), union(holders.Definitions, spec.Definitions)
		unread = fmt.Errorf("%w: without a grant it refuses to delete any namespace and any definition", unread)
	}
	f.remark("kinds", unread)
	f.entries.WithLabelValues("namespaces").Set(float64(len(holders.Namespaces)))
	f.entries.WithLabelValues("definitions").Set(float64(len(holders.Definitions)))
	var tooMany error
	if len(holders.Namespaces) > v1alpha1.MaxFloorNamespaces || len(holders.Definitions) > v1alpha1.MaxFloorDefinitions {
		tooMany = fmt.Errorf("more namespaces or definitions hold production than the %d and %d that the floor takes: without a grant it refuses to delete any",
			v1alpha1.MaxFloorNamespaces, v1alpha1.MaxFloorDefinitions)
	}
	f.remark("parents", tooMany)
	spec.Namespaces, spec.Definitions = atMost(holders.Namespaces, v1alpha1.MaxFloorNamespaces), atMost(holders.Definitions, v1alpha1.MaxFloorDefinitions)
	spec.Complete = unread == nil && tooMany == nil
}

// remark logs why the floor does not hold all that it should: when that begins, becomes
// another reason, and ends. A look comes as often as every other second.
func (f *FloorContent) remark(about string, why error) {
	text := ""
	if why != nil {
		text = why.Error()
	}
	switch {
	case f.remarks[about] == text:
	case text == "":
		f.log.Info("the floor holds all that it should again", "about", about)
	default:
		f.log.Error("the floor does not hold all that it should", "about", about, "error", text)
	}
	f.remarks[about] = text
}
