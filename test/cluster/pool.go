package cluster

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

// Pool is control planes that the tests of a package have one after the other: there are
// as many as tests run at the same time. What a test leaves is there for the next one. Stop
// it in TestMain. Its methods may be called concurrently.
type Pool struct {
	// Options are those of each control plane.
	Options Options
	// Prepare is called with each once it runs; nil does nothing.
	Prepare func(context.Context, *Cluster) error

	mu        sync.Mutex
	all, free []*Cluster
}

// ForTest returns a control plane that no other test has until this one ends, and starts
// one if all are taken. It fails the test if one of the programs ended meanwhile, and
// gives a control plane to another test only if none did. Without the programs it does
// what [ForTest] does.
func (p *Pool) ForTest(t testing.TB) *Cluster {
	t.Helper()
	requireAssets(t, p.Options)
	c := p.take()
	if c == nil {
		var err error
		if c, err = p.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := c.Err(); err != nil {
			t.Error(err)
			return
		}
		if t.Failed() { // who knows what it left
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = append(p.free, c)
	})
	return c
}

// take returns a control plane that is free, or nil.
func (p *Pool) take() *Cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return nil
	}
	c := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return c
}

func (p *Pool) start(ctx context.Context) (*Cluster, error) {
	c, err := Start(ctx, p.Options)
	if err != nil {
		return nil, err
	}
	if p.Prepare != nil {
		if err := p.Prepare(ctx, c); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, c)
	return c, nil
}

// Stop ends all control planes.
func (p *Pool) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, c := range p.all {
		errs = append(errs, c.Stop())
	}
	p.all, p.free = nil, nil
	return errors.Join(errs...)
}

// requireAssets skips a test, or fails it if RequireVariable is 1, without the programs.
func requireAssets(t testing.TB, opts Options) {
	t.Helper()
	_, err := Assets(opts.Assets)
	switch {
	case err == nil:
	case os.Getenv(RequireVariable) == "1":
		t.Fatalf("no test control plane: %v", err)
	default:
		t.Skipf("no test control plane: %v", err)
	}
}
