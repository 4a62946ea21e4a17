// Package engine evaluates Rego policies: against operations, or against what
// another Contract says.
//
// A Set is one compiled, tested and proven set of policies; Compile does not
// return one that could silently not fire. An Engine holds the current Set and
// swaps it when the files change: a Set that does not compile, test or prove
// itself never replaces the last good one.
//
// The package knows nothing of enforcement, grants or surfaces: it says what the
// policies say.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/operation"
)

// reloadTimeout bounds compiling and testing one set; the embedded one takes
// well under a second.
const reloadTimeout = time.Minute

// Engine holds the current Set. Its methods may be called concurrently.
type Engine struct {
	sources []Source
	opts    Options
	accept  func(*Set) error
	now     func() time.Time
	log     *slog.Logger
	metrics engineMetrics

	current atomic.Pointer[Set]

	reloading sync.Mutex // held while a Set is built
	status    sync.Mutex
	failure   failure
}

// failure is why the files as they are now are not in use.
type failure struct {
	err    error
	at     time.Time
	digest string
}

// Config says what an Engine is made of. Sources and Options are required.
type Config struct {
	Sources []Source
	Options Options
	// Accept may refuse a set that compiled, for what the engine does not know:
	// the configuration's references to policies. Nil accepts all.
	Accept func(*Set) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told of reloads; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// New compiles the policies and returns an Engine that serves them, or the error
// of Compile.
func New(ctx context.Context, config Config) (*Engine, error) {
	e := &Engine{sources: config.Sources, opts: config.Options, accept: config.Accept, now: config.Now, log: config.Log, metrics: newMetrics(config.Registerer, config.Options.contract().Subsystem)}
	if e.accept == nil {
		e.accept = func(*Set) error { return nil }
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if _, err := e.Reload(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Evaluate judges an operation with the current set; see Set.Evaluate.
func (e *Engine) Evaluate(ctx context.Context, op *operation.Operation, grant *operation.Grant) ([]operation.Violation, error) {
	return e.current.Load().Evaluate(ctx, op, grant)
}

// EvaluateInput judges an input with the current set; see Set.EvaluateInput.
func (e *Engine) EvaluateInput(ctx context.Context, input any, at time.Time) ([]operation.Violation, error) {
	return e.current.Load().EvaluateInput(ctx, input, at)
}

// Current returns the set in use.
func (e *Engine) Current() *Set { return e.current.Load() }

// Reload builds a Set from the files as they are now and puts it to use. It
// reports whether the set in use changed. On error the last good set stays, and
// Stale says why until a reload succeeds.
func (e *Engine) Reload(ctx context.Context) (bool, error) {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()

	files, err := readSources(e.sources)
	if err != nil {
		e.failed(err, "")
		return false, err
	}
	if current := e.current.Load(); current != nil && current.digest == files.digest {
		e.succeeded(current, false)
		return false, nil
	}
	if known := e.known(files.digest); known != nil {
		return false, known // the same files fail again
	}
	set, err := compileFiles(ctx, files, e.opts)
	if err == nil {
		err = e.accept(set)
	}
	if err != nil {
		if ctx.Err() != nil { // says nothing about the files
			return false, err
		}
		e.failed(err, files.digest)
		return false, err
	}
	e.current.Store(set)
	e.succeeded(set, true)
	return true, nil
}

// known returns the error that files with this digest gave, if they did.
func (e *Engine) known(digest string) error {
	e.status.Lock()
	defer e.status.Unlock()
	if e.failure.digest == digest {
		return e.failure.err
	}
	return nil
}

func (e *Engine) succeeded(set *Set, changed bool) {
	e.status.Lock()
	recovered := e.failure.err != nil
	e.failure = failure{}
	e.status.Unlock()
	if changed || recovered {
		e.metrics.loaded(set, e.now())
		e.log.Info("policies in use", "package", set.contract.Package, "digest", set.digest, "policies", len(set.policies))
	}
}

func (e *Engine) failed(err error, digest string) {
	e.status.Lock()
	known := e.failure.err != nil && e.failure.digest == digest && e.failure.err.Error() == err.Error()
	if !known {
		e.failure = failure{err: err, at: e.now(), digest: digest}
	}
	e.status.Unlock()
	if !known { // a broken file is reported once, not at every look
		e.metrics.failed()
		if e.current.Load() != nil {
			e.log.Error("policies rejected, the last good ones stay in use", "error", err, "digest", e.current.Load().digest)
		}
	}
}

// Stale says why the policy files as they are now are not in use, or nil if they
// are. A stale engine goes on with the last good set.
func (e *Engine) Stale() error {
	e.status.Lock()
	defer e.status.Unlock()
	if e.failure.err == nil {
		return nil
	}
	return fmt.Errorf("policies rejected at %s, the last good ones stay in use: %w", e.failure.at.UTC().Format(time.RFC3339), e.failure.err)
}

// Watch reloads at every interval until ctx ends. It reads the files whole
// instead of waiting for file events: policies are few kilobytes, and a mounted
// ConfigMap is swapped by a link that event watchers are known to miss.
func (e *Engine) Watch(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			_, _ = e.Reload(ctx) // the error is in Stale, the log and the metric
		}
	}
}
