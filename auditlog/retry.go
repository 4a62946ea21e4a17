package auditlog

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mollyguard/mollyguard/pause"
)

const (
	// minRetry and maxRetry are between two attempts to write the ledger: a full disk
	// is seen to by people, who want to see that it helped.
	minRetry = 200 * time.Millisecond
	maxRetry = 15 * time.Second
)

// retry calls do until it works or ctx ends. What is read waits meanwhile, and is not
// acknowledged.
func (w *Watcher) retry(ctx context.Context, do func() error) error {
	for rest := minRetry; ; rest = min(2*rest, maxRetry) {
		err := do()
		if err == nil {
			w.stuck.set(nil)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.stuck.set(err)
		w.metrics.unkept.Inc()
		w.Log.Error("what was read of the audit log cannot be kept, trying again", "error", err)
		if err := pause.For(ctx, rest); err != nil {
			return err
		}
	}
}

// stuck is why nothing can be kept.
type stuck struct{ cause atomic.Pointer[error] }

func (s *stuck) set(err error) {
	if err == nil {
		s.cause.Store(nil)
		return
	}
	s.cause.Store(&err)
}

func (s *stuck) err() error {
	if err := s.cause.Load(); err != nil {
		return *err
	}
	return nil
}
